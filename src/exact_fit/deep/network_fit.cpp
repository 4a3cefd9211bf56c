#include "exact_fit/deep/network_fit.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"

namespace relufit {

namespace {

/// All parameters but those of the first units, in the order of NetworkErrors: weights column by column, then biases.
std::vector<Index> all_but(const LiftedProblem& problem, Index parameters, Index fixed_units) {
  const LayerShape first = problem.network.layers().front();
  const Index of_layer = first.rows * (first.columns + (problem.bias ? 1 : 0));
  std::vector<Index> free;
  for (Index k = 0; k < parameters; ++k) {
    if (k >= of_layer || k % first.rows >= fixed_units) free.push_back(k);
  }
  return free;
}

}  // namespace

NetworkFit::NetworkFit(const LiftedProblem& problem, Index fixed_units)
    : errors_(problem),
      free_(all_but(problem, errors_.parameter_count(), fixed_units)),
      target_norm_(problem.targets.norm()),
      gradient_(free_count()),
      step_(free_count()),
      trial_(errors_.parameter_count()),
      gram_(free_count(), free_count()),
      damped_(gram_.rows(), gram_.cols()) {}

double NetworkFit::target_size() const { return target_norm_ / std::sqrt(static_cast<double>(errors_.value_count())); }

double NetworkFit::squared_residual(const Vector& parameters) {
  errors_.values(parameters, values_);
  if (weights_.size() > 0) values_.array() *= weights_.array();
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

void NetworkFit::run_robust(Vector& parameters, const UnitFitOptions& options) {
  constexpr double kFall = 0.5;
  constexpr double kLeast = 1e-9;  // width, relative to the targets' size
  constexpr int kSteps = 3;        // for each width
  squared_residual(parameters);
  Vector sizes = values_.cwiseAbs();
  const auto middle = sizes.begin() + sizes.size() / 2;
  std::nth_element(sizes.begin(), middle, sizes.end());
  damping_ = options.initial_damping;
  const double least = kLeast * target_size();
  for (double width = *middle; width > least; width *= kFall) {
    if (options.should_stop && options.should_stop()) break;
    squared_residual(parameters);
    weights_ = width / (values_.array().square() + width * width).sqrt();
    values_.array() *= weights_.array();
    double squared = values_.squaredNorm();
    for (int i = 0; i < kSteps; ++i, ++steps_) {
      if (advance(parameters, squared)) continue;
      damping_ = options.initial_damping;
      break;
    }
    weights_.resize(0);
  }
}

/// One accepted step, with as many tries as it takes; false where no step lowers the residual. values_ are those at the
/// parameters, before and after.
bool NetworkFit::advance(Vector& parameters, double& squared) {
  constexpr double kMostDamping = 100;  // steps of less are not worth their number
  constexpr double kLeastDamping = 1e-15;
  constexpr double kLeastScale = 1e-6;  // of parameters that no error depends on, relative to the mean
  errors_.jacobian(parameters, jacobian_);
  if (weights_.size() > 0) jacobian_.array().colwise() *= weights_.array();
  for (Index k = 0; k < free_count(); ++k) {
    if (free_[static_cast<std::size_t>(k)] != k) jacobian_.col(k) = jacobian_.col(free_[static_cast<std::size_t>(k)]);
  }
  const auto jacobian = jacobian_.leftCols(free_count());
  set_product(gradient_, jacobian.transpose(), values_);
  gram_.setZero();
  add_lower_gram(gram_, jacobian.transpose());
  const double least = kLeastScale * gram_.diagonal().mean();
  for (; damping_ <= kMostDamping; damping_ *= 4) {
    damped_ = gram_;
    damped_.diagonal().array() += damping_ * gram_.diagonal().array().max(least);
    factor_.compute(damped_);
    if (factor_.info() != Eigen::Success) continue;
    step_ = factor_.solve(gradient_);
    trial_ = parameters;
    trial_(free_) -= step_;
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
