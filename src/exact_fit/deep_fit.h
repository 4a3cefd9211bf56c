/// \file
/// Levenberg-Marquardt for plain networks of any depth by normal equations, given up early.
#pragma once

#include <limits>

#include "exact_fit/one_layer/unit_fit.h"
#include "linear_algebra/decompositions.h"
#include "problem/network_errors.h"

namespace relufit {

/// Fits networks to one problem under the exact loss. Holds all memory.
class NetworkFit {
 public:
  explicit NetworkFit(const LiftedProblem& problem);

  NetworkErrors& errors() { return errors_; }
  /// Steps made by all runs so far.
  Index steps() const { return steps_; }

  /// Improves packed parameters (NetworkErrors) as UnitFit::run does a model; also given up where the relative residual
  /// is above `hopeless` after a race interval. Returns the relative residual, never larger than the given parameters'
  /// own.
  double run(Vector& parameters, const UnitFitOptions& options,
             double hopeless = std::numeric_limits<double>::infinity());

 private:
  double squared_residual(const Vector& parameters);
  bool advance(Vector& parameters, double& squared);

  NetworkErrors errors_;
  double target_norm_;
  Vector values_, gradient_, step_, trial_;
  Matrix jacobian_, gram_, damped_;
  Eigen::LLT<Matrix> factor_;
  double damping_ = 0;
  Index steps_ = 0;
};

}  // namespace relufit
