#include "exact_fit/one_layer/unit_model.h"

#include <cmath>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

UnitProblem::UnitProblem(const Matrix& inputs, const Matrix& targets, OutputActivation activation, bool bias,
                         OutputWeights weights)
    : inputs_(inputs.rows() + (bias ? 1 : 0), inputs.cols()),
      targets_(targets),
      input_size_(inputs.rows()),
      activation_(activation),
      weights_(weights),
      scale_(targets.norm() > 0 ? targets.norm() : 1) {
  inputs_.topRows(input_size_) = inputs;
  if (bias) inputs_.bottomRows(1).setOnes();
}

Index UnitProblem::feature_count(const UnitModel& model) const {
  if (has_fixed_output()) return model.units();
  return model.units() + (has_constant() ? 1 : 0) + (model.skip ? input_size_ : 0);
}

void UnitProblem::features(const UnitModel& model, Matrix& features) const {
  features.resize(feature_count(model), samples());
  update_features(model, features);
  if (has_constant()) features.row(model.units()).setOnes();
  if (model.skip) features.bottomRows(input_size_) = inputs_.topRows(input_size_);
}

void UnitProblem::update_features(const UnitModel& model, Matrix& features) const {
  auto active = features.topRows(model.units());
  set_product(active, model.hidden, inputs_);
  active = active.cwiseMax(0.0);
}

double UnitProblem::residual(const UnitModel& model, const Matrix& features, Matrix& residual) const {
  set_product(residual, model.output, features);
  residual -= targets_;
  if (has_relu_output()) {
    residual = (targets_.array() == 0 && residual.array() < 0).select(0.0, residual);
  }
  return residual.squaredNorm();
}

void UnitProblem::randomize_unit(Random& random, Index i, UnitModel& model) const {
  auto weights = model.hidden.row(i).head(input_size_);
  for (Index j = 0; j < input_size_; ++j) weights(j) = random.normal();
  if (!has_bias()) {
    weights /= std::sqrt(static_cast<double>(input_size_));
    return;
  }
  weights.normalize();
  // Through a point between the origin and half way to a sample.
  const Index sample = random.index(samples());
  model.hidden(i, input_size_) = -weights.dot(inputs_.col(sample).head(input_size_)) * random.uniform() / 2;
}

UnitModel UnitProblem::random_model(Index units, bool skip, Random& random) const {
  constexpr double kOutputSize = 0.1;
  UnitModel model;
  model.skip = skip && !has_fixed_output();
  model.hidden.resize(units, unit_size());
  for (Index i = 0; i < units; ++i) randomize_unit(random, i, model);
  if (has_fixed_output()) {
    model.output = Matrix::Ones(outputs(), units);
  } else {
    model.output = kOutputSize * random.normal(outputs(), feature_count(model));
  }
  return model;
}

std::vector<Layer> UnitProblem::layers(const UnitModel& model) const {
  std::vector<Layer> layers(2);
  layers[0].weights = model.hidden.leftCols(input_size_);
  layers[0].bias = has_bias() ? Vector(model.hidden.col(input_size_)) : Vector::Zero(model.units());
  layers[1].weights = model.output.leftCols(model.units());
  layers[1].bias = has_constant() ? Vector(model.output.col(model.units())) : Vector::Zero(outputs());
  return layers;
}

void normalize_units(UnitModel& model, Matrix* features) {
  constexpr double kSmallest = 1e-200;
  for (Index i = 0; i < model.units(); ++i) {
    const double norm = model.hidden.row(i).norm();
    if (!(norm > kSmallest)) continue;
    model.hidden.row(i) /= norm;
    model.output.col(i) *= norm;
    if (features != nullptr) features->row(i) /= norm;
  }
}

void OutputSolver::solve(const Matrix& features, const Matrix& residual, UnitModel& model) {
  if (problem_->has_relu_output()) {
    solve_relu(features, residual, model);
  } else {
    solve_linear(features, residual, model);
  }
}

// Both solve for the change of C, (F F' + t I) dC' = F R', so that t, needed where features depend on each other, costs
// no accuracy: a second solution removes what it left.

void OutputSolver::solve_linear(const Matrix& features, const Matrix& residual, UnitModel& model) {
  constexpr double kDamping = 1e-13;
  gram_.setZero(features.rows(), features.rows());
  add_lower_gram(gram_, features);
  gram_.diagonal().array() += kDamping * gram_.trace();
  set_product(right_, features, residual.transpose());
  const Eigen::LLT<Eigen::Ref<Matrix>> factor(gram_);
  factor.solveInPlace(right_);
  model.output -= right_.transpose();
}

void OutputSolver::solve_relu(const Matrix& features, const Matrix& residual, UnitModel& model) {
  constexpr double kDamping = 1e-9;  // an output may have fewer active samples than features
  constexpr double kNoSamples = 1e-300;
  const Index size = features.rows();
  active_.resize(size, features.cols());
  active_residual_.resize(features.cols());
  for (Index o = 0; o < problem_->outputs(); ++o) {
    Index count = 0;
    for (Index n = 0; n < features.cols(); ++n) {
      if (!problem_->is_active(residual, o, n)) continue;
      active_.col(count) = features.col(n);
      active_residual_(count++) = residual(o, n);
    }
    gram_.setZero(size, size);
    add_lower_gram(gram_, active_.leftCols(count));
    gram_.diagonal().array() += kDamping * gram_.trace() + kNoSamples;
    set_product(right_, active_.leftCols(count), active_residual_.head(count));
    const Eigen::LLT<Eigen::Ref<Matrix>> factor(gram_);
    factor.solveInPlace(right_);
    model.output.row(o) -= right_.transpose();
  }
}

}  // namespace relufit
