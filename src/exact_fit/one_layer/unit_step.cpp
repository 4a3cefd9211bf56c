#include "exact_fit/one_layer/unit_step.h"

#include <algorithm>

#include "linear_algebra/products.h"

namespace relufit {

namespace {

constexpr double kOutputDamping = 1e-11;  // of G, relative to its mean diagonal: features may depend on each other
constexpr double kHiddenDamping = 1e-14;  // least damping of T: scaling a unit against its output weights is free
constexpr double kNothing = 1e-300;       // keeps a group without samples positive definite

}  // namespace

bool UnitStep::linearize(const UnitModel& model, const Matrix& features, const Matrix& residual) {
  const Index outputs = problem_->outputs();
  const Index hidden_size = model.hidden.size();
  const Index group_count = problem_->has_relu_output() ? outputs : 1;
  groups_.resize(static_cast<std::size_t>(group_count));
  normal_.setZero(hidden_size, hidden_size);
  gradient_.setZero(hidden_size);
  reduced_gradient_.setZero(hidden_size);
  output_gradient_.setZero(features.rows(), outputs);
  mean_diagonal_ = 0;
  bool any = false;
  for (Index i = 0; i < group_count; ++i) {
    Group& group = groups_[static_cast<std::size_t>(i)];
    group.first = i;
    group.count = outputs / group_count;
    any = linearize(group, model, features, residual) > 0 || any;
  }
  return any;
}

/// Returns the number of active samples.
Index UnitStep::linearize(Group& group, const UnitModel& model, const Matrix& features, const Matrix& residual) {
  const Index hidden_size = model.hidden.size();
  const Index active = gather(group, features, residual, model.units());
  gram_.setZero(stacked_.rows(), stacked_.rows());
  add_lower_gram(gram_, stacked_.leftCols(active));
  set_product(products_, stacked_.leftCols(active), active_residual_.topRows(active));
  const auto weights = model.output.block(group.first, 0, group.count, model.units());
  set_product(unit_products_, weights.transpose(), weights);
  for (Index i = 0; i < model.units(); ++i) {
    const Index size = problem_->unit_size();
    mean_diagonal_ +=
        unit_products_(i, i) * gram_.diagonal().segment(i * size, size).sum() / static_cast<double>(hidden_size);
  }
  if (!problem_->has_fixed_output()) eliminate(group, hidden_size);
  add_blocks(model);
  add_gradient(group, model);
  return active;
}

/// Fills stacked_ and active_residual_; returns the number of active samples.
Index UnitStep::gather(const Group& group, const Matrix& features, const Matrix& residual, Index units) {
  const Index unit_size = problem_->unit_size();
  const Index hidden_size = units * unit_size;
  const Index samples = problem_->samples();
  const Index feature_rows = problem_->has_fixed_output() ? 0 : features.rows();
  stacked_.resize(hidden_size + feature_rows, samples);
  active_residual_.resize(samples, group.count);
  Index active = 0;
  for (Index n = 0; n < samples; ++n) {
    if (!problem_->is_active(residual, group.first, n)) continue;
    double* column = &stacked_(0, active);
    const double* x = &problem_->inputs()(0, n);
    const double* f = &features(0, n);
    for (Index i = 0; i < units; ++i, column += unit_size) {
      const double gate = f[i] > 0 ? 1 : 0;
      for (Index j = 0; j < unit_size; ++j) column[j] = gate * x[j];
    }
    std::copy_n(f, feature_rows, column);
    for (Index o = 0; o < group.count; ++o) active_residual_(active, o) = residual(group.first + o, n);
    ++active;
  }
  return active;
}

/// gram_'s (T, T) block becomes A A' - A F' G^-1 F A'.
void UnitStep::eliminate(Group& group, Index hidden_size) {
  const Index size = gram_.rows() - hidden_size;
  auto square = gram_.bottomRightCorner(size, size);
  const double damping = kOutputDamping * square.trace() / static_cast<double>(size) + kNothing;
  square.diagonal().array() += damping;
  group.factor.compute(square);
  group.coupling = gram_.bottomLeftCorner(size, hidden_size);
  group.factor.matrixL().solveInPlace(group.coupling);
  gram_.topLeftCorner(hidden_size, hidden_size)
      .selfadjointView<Eigen::Lower>()
      .rankUpdate(group.coupling.transpose(), -1.0);
  group.gradient = products_.bottomRows(size);
  output_gradient_.middleCols(group.first, group.count) = group.gradient;
  group.factor.matrixL().solveInPlace(group.gradient);
}

/// The lower triangle of W o gram_.
void UnitStep::add_blocks(const UnitModel& model) {
  const Index size = problem_->unit_size();
  for (Index i = 0; i < model.units(); ++i) {
    for (Index column = i * size; column < (i + 1) * size; ++column) {
      for (Index k = i; k < model.units(); ++k) {
        const Index row = std::max(k * size, column);
        const Index count = (k + 1) * size - row;
        normal_.col(column).segment(row, count) += unit_products_(k, i) * gram_.col(column).segment(row, count);
      }
    }
  }
}

void UnitStep::add_gradient(const Group& group, const UnitModel& model) {
  const Index size = problem_->unit_size();
  const bool reduce = !problem_->has_fixed_output();
  for (Index o = 0; o < group.count; ++o) {
    if (reduce) set_product(scaled_step_, group.coupling.transpose(), group.gradient.col(o));
    for (Index i = 0; i < model.units(); ++i) {
      const double weight = model.output(group.first + o, i);
      const auto part = products_.col(o).segment(i * size, size);
      gradient_.segment(i * size, size) += weight * part;
      reduced_gradient_.segment(i * size, size) += weight * part;
      if (reduce) reduced_gradient_.segment(i * size, size) -= weight * scaled_step_.segment(i * size, size);
    }
  }
}

bool UnitStep::solve(const UnitModel& model, double damping, UnitModel& trial) {
  const Index size = problem_->unit_size();
  damped_ = normal_;
  damped_.diagonal().array() += (damping + kHiddenDamping) * mean_diagonal_ + kNothing;
  const Eigen::LLT<Eigen::Ref<Matrix>> factor(damped_);
  if (factor.info() != Eigen::Success) return false;
  step_ = reduced_gradient_;
  factor.solveInPlace(step_);
  if (!step_.allFinite()) return false;
  for (Index i = 0; i < model.units(); ++i) {
    trial.hidden.row(i) = model.hidden.row(i) - step_.segment(i * size, size).transpose();
  }
  trial.output = model.output;
  predicted_decrease_ = gradient_.dot(step_);
  if (problem_->has_fixed_output()) return true;
  for (const Group& group : groups_) output_step(group, model, trial);
  return trial.output.allFinite();
}

/// G dC_o' = F R_o' - F A' D_o dT.
void UnitStep::output_step(const Group& group, const UnitModel& model, UnitModel& trial) {
  const Index size = problem_->unit_size();
  scaled_step_.resize(step_.size());
  for (Index o = 0; o < group.count; ++o) {
    for (Index i = 0; i < model.units(); ++i) {
      scaled_step_.segment(i * size, size) = model.output(group.first + o, i) * step_.segment(i * size, size);
    }
    output_step_ = group.gradient.col(o);
    subtract_product(output_step_, group.coupling, scaled_step_);
    group.factor.matrixU().solveInPlace(output_step_);
    trial.output.row(group.first + o) -= output_step_.transpose();
    predicted_decrease_ += output_gradient_.col(group.first + o).dot(output_step_);
  }
}

}  // namespace relufit
