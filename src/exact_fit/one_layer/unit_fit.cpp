#include "exact_fit/one_layer/unit_fit.h"

#include <algorithm>
#include <cmath>

namespace relufit {

double UnitFit::relative(double squared) const { return std::sqrt(squared) / problem_->scale(); }

double UnitFit::residual(const UnitModel& model) {
  problem_->features(model, features_);
  return relative(problem_->residual(model, features_, residual_));
}

double UnitFit::solve_output(UnitModel& model) {
  problem_->features(model, features_);
  problem_->residual(model, features_, residual_);
  solver_.solve(features_, residual_, model);
  return relative(problem_->residual(model, features_, residual_));
}

double UnitFit::run(UnitModel& model, const UnitFitOptions& options) {
  problem_->features(model, features_);
  double squared = problem_->residual(model, features_, residual_);
  trial_ = model;
  trial_features_ = features_;
  if (!problem_->has_fixed_output()) {
    const double solved = evaluate_trial();
    if (solved < squared) {
      model.output = trial_.output;
      residual_.swap(trial_residual_);
      squared = solved;
    }
  }
  damping_ = options.initial_damping;
  growth_ = 2;
  double race_squared = squared;
  for (Index iteration = 0; iteration < options.max_iterations; ++iteration) {
    const double value = relative(squared);
    if (!(value >= options.tolerance)) break;
    if (iteration > 0 && iteration % options.race_interval == 0) {
      if (value > options.race_factor * relative(race_squared) && value > options.race_floor) break;
      race_squared = squared;
    }
    if (options.should_stop && options.should_stop()) break;
    if (!problem_->has_fixed_output()) normalize_units(model, &features_);
    if (!step_.linearize(model, features_, residual_) || !advance(model, squared)) break;
  }
  return relative(squared);
}

/// Tries steps with growing damping until one lowers the residual. False where none does, or by next to nothing.
bool UnitFit::advance(UnitModel& model, double& squared) {
  constexpr int kTrials = 12;
  constexpr double kLeastDamping = 1e-15;
  constexpr double kLargestDamping = 1e8;
  constexpr double kSingularDamping = 1e-10;
  constexpr double kTinyDecrease = 1e-13;
  for (int i = 0; i < kTrials; ++i) {
    if (!step_.solve(model, damping_, trial_)) {
      damping_ = std::max(10 * damping_, kSingularDamping);
      continue;
    }
    problem_->update_features(trial_, trial_features_);
    const double next = evaluate_trial();
    if (next < squared) {
      const double ratio = (squared - next) / (step_.predicted_decrease() + 1e-300);
      const bool enough = squared - next >= kTinyDecrease * squared;
      std::swap(model.hidden, trial_.hidden);
      std::swap(model.output, trial_.output);
      features_.swap(trial_features_);
      residual_.swap(trial_residual_);
      squared = next;
      damping_ = std::max(damping_ * std::max(0.2, 1 - std::pow(2 * ratio - 1, 3)), kLeastDamping);
      growth_ = 2;
      return enough;
    }
    damping_ *= growth_;
    growth_ *= 2;
    if (damping_ > kLargestDamping) break;
  }
  return false;
}

/// Squared residual of the trial, whose features are given, with the better of two output weights: its own, which the
/// step has moved along, and those solved for.
double UnitFit::evaluate_trial() {
  const double own = problem_->residual(trial_, trial_features_, trial_residual_);
  if (problem_->has_fixed_output()) return own;
  projected_output_ = trial_.output;
  solver_.solve(trial_features_, trial_residual_, trial_);
  const double solved = problem_->residual(trial_, trial_features_, projected_residual_);
  if (solved < own) {
    trial_residual_.swap(projected_residual_);
    return solved;
  }
  trial_.output.swap(projected_output_);
  return own;
}

}  // namespace relufit
