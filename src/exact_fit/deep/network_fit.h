/// \file
/// Levenberg-Marquardt for plain networks of any depth by normal equations, given up early.
#pragma once

#include <limits>
#include <vector>

#include "exact_fit/one_layer/unit_fit.h"
#include "linear_algebra/decompositions.h"
#include "problem/network_errors.h"

namespace relufit {

/// Fits networks to one problem under the exact loss. Holds all memory.
class NetworkFit {
 public:
  /// `fixed_units`: the first units of the first hidden layer that keep their weights.
  explicit NetworkFit(const LiftedProblem& problem, Index fixed_units = 0);

  NetworkErrors& errors() { return errors_; }
  /// Steps made by all runs so far.
  Index steps() const { return steps_; }
  /// Parameters that runs change.
  Index free_count() const { return static_cast<Index>(free_.size()); }

  /// Improves packed parameters (NetworkErrors) as UnitFit::run does a model; also given up where the relative residual
  /// is above `hopeless` after a race interval. Returns the relative residual, never larger than the given parameters'
  /// own.
  double run(Vector& parameters, const UnitFitOptions& options,
             double hopeless = std::numeric_limits<double>::infinity());

  /// Improves them on all errors but a share of the largest ones, as they are at the beginning. In exact data, a local
  /// minimum that is nearly a fit is often one for the sake of a few samples on the wrong side of a unit.
  void run_without_largest(Vector& parameters, const UnitFitOptions& options, double share);

 private:
  double squared_residual(const Vector& parameters);
  bool advance(Vector& parameters, double& squared);

  NetworkErrors errors_;
  std::vector<Index> free_;  // parameters that are not fixed, ascending
  double target_norm_;
  Vector kept_;  // errors: 1, or 0 where they do not count; empty: all count
  Vector values_, gradient_, step_, trial_;
  Matrix jacobian_, gram_, damped_;
  Eigen::LLT<Matrix> factor_;
  double damping_ = 0;
  Index steps_ = 0;
};

}  // namespace relufit
