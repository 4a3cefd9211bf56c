/// \file
/// Variable-projection Levenberg-Marquardt for one hidden layer (unit_model.h, unit_step.h).
#pragma once

#include <functional>

#include "exact_fit/one_layer/unit_model.h"
#include "exact_fit/one_layer/unit_step.h"

namespace relufit {

struct UnitFitOptions {
  Index max_iterations = 200;
  double tolerance = 1e-11;       ///< on the relative residual
  double initial_damping = 1e-2;  ///< relative to the mean diagonal of the normal equations
  /// The race: every race_interval iterations the residual must have fallen by race_factor, unless it is below
  /// race_floor (relative); a run that does not is given up. Most starts end in a local minimum; this is how little
  /// they may cost.
  Index race_interval = 25;
  double race_factor = 0.5;
  double race_floor = 1e-3;
  std::function<bool()> should_stop;  ///< asked at every iteration; true ends the run
};

/// Fits models to one problem. Holds all memory: runs on models of one shape allocate next to nothing.
class UnitFit {
 public:
  explicit UnitFit(const UnitProblem& problem) : problem_(&problem), step_(problem), solver_(problem) {}

  const UnitProblem& problem() const { return *problem_; }

  /// Improves the model until the residual is below tolerance, no longer falls, or a limit is reached. Returns the
  /// relative residual, never larger than the model's own. Units end normalized, unless the output weights are fixed.
  double run(UnitModel& model, const UnitFitOptions& options);

  /// Relative residual of a model.
  double residual(const UnitModel& model);

  /// Replaces the output weights by those of least residual (OutputSolver). Returns the relative residual.
  double solve_output(UnitModel& model);

 private:
  bool advance(UnitModel& model, double& squared);
  double evaluate_trial();
  double relative(double squared) const;

  const UnitProblem* problem_;
  UnitStep step_;
  OutputSolver solver_;
  Matrix features_;
  Matrix residual_;
  UnitModel trial_;
  Matrix trial_features_;
  Matrix trial_residual_;
  Matrix projected_output_;
  Matrix projected_residual_;
  double damping_ = 0;
  double growth_ = 2;
};

}  // namespace relufit
