/// \file
/// Levenberg-Marquardt for plain networks of any depth by normal equations, given up early.
#pragma once

#include <functional>
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

  /// Root mean square of the targets.
  double target_size() const;

  /// Improves packed parameters (NetworkErrors) as UnitFit::run does a model; also given up where the relative residual
  /// is above `hopeless` after a race interval. Returns the relative residual, never larger than the given parameters'
  /// own.
  double run(Vector& parameters, const UnitFitOptions& options,
             double hopeless = std::numeric_limits<double>::infinity());

  /// Improves them for the sum of log(error^2 + width^2), the width falling from the median error to nothing: weighted
  /// least squares whose weights follow from the last errors. In exact data, a local minimum that is nearly a fit is
  /// often one for the sake of a few samples on the wrong side of a unit; without these the others are fitted exactly.
  void run_robust(Vector& parameters, const UnitFitOptions& options);

 private:
  double squared_residual(const Vector& parameters);
  bool advance(Vector& parameters, double& squared);

  NetworkErrors errors_;
  std::vector<Index> free_;  // parameters that are not fixed, ascending
  double target_norm_;
  Vector weights_;  // of errors, roots; empty: all count alike
  Vector values_, gradient_, step_, trial_;
  Matrix jacobian_, gram_, damped_;
  Eigen::LLT<Matrix> factor_;
  double damping_ = 0;
  Index steps_ = 0;
};

}  // namespace relufit
