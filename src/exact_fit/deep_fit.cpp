#include "exact_fit/deep_fit.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"

namespace relufit {

NetworkFit::NetworkFit(const LiftedProblem& problem)
    : errors_(problem),
      target_norm_(problem.targets.norm()),
      gradient_(errors_.parameter_count()),
      step_(errors_.parameter_count()),
      trial_(errors_.parameter_count()),
      gram_(errors_.parameter_count(), errors_.parameter_count()),
      damped_(gram_.rows(), gram_.cols()) {}

double NetworkFit::squared_residual(const Vector& parameters) {
  errors_.values(parameters, values_);
  return values_.squaredNorm();
}

double NetworkFit::run(Vector& parameters, const UnitFitOptions& options, double hopeless) {
  const double size = target_norm_ > 0 ? target_norm_ : 1;
  damping_ = options.initial_damping;
  double squared = squared_residual(parameters);
  double before = squared;
  for (Index i = 1; i <= options.max_iterations; ++i) {
    if (std::sqrt(squared) <= options.tolerance * size) break;
    if (options.should_stop && options.should_stop()) break;
    if (!advance(parameters, squared)) break;
    ++steps_;
    if (i % options.race_interval != 0) continue;
    const bool behind = std::sqrt(squared) > options.race_factor * std::sqrt(before);
    if (behind && std::sqrt(squared) > options.race_floor * size) break;
    if (std::sqrt(squared) > hopeless * size) break;
    before = squared;
  }
  return std::sqrt(squared) / size;
}

/// One accepted step, with as many tries as it takes; false where no step lowers the residual. values_ are those at the
/// parameters, before and after.
bool NetworkFit::advance(Vector& parameters, double& squared) {
  constexpr double kMostDamping = 100;  // steps of less are not worth their number
  constexpr double kLeastDamping = 1e-15;
  constexpr double kLeastScale = 1e-6;  // of parameters that no error depends on, relative to the mean
  errors_.jacobian(parameters, jacobian_);
  set_product(gradient_, jacobian_.transpose(), values_);
  gram_.setZero();
  add_lower_gram(gram_, jacobian_.transpose());
  const double least = kLeastScale * gram_.diagonal().mean();
  for (; damping_ <= kMostDamping; damping_ *= 4) {
    damped_ = gram_;
    damped_.diagonal().array() += damping_ * gram_.diagonal().array().max(least);
    factor_.compute(damped_);
    if (factor_.info() != Eigen::Success) continue;
    step_ = factor_.solve(gradient_);
    trial_ = parameters - step_;
    const double next = squared_residual(trial_);
    if (!(next < squared)) continue;
    parameters.swap(trial_);
    squared = next;
    damping_ = std::max(kLeastDamping, damping_ / 5);
    return true;
  }
  return false;
}

}  // namespace relufit
