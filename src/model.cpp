#include "relufit/model.h"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>
#include <utility>

namespace relufit {
namespace {

/// Sums that measures of one target, and of all targets together, are made from.
struct Sums {
  double error = 0;   ///< sum of squares of F - Y
  double spread = 0;  ///< sum of squares about the mean
  double error_norm = 0;
  double target_norm = 0;
  double largest_error = 0;
  bool is_constant = true;
};

Sums sums_of(const Eigen::RowVectorXd& predictions, const Eigen::RowVectorXd& targets) {
  const Eigen::RowVectorXd errors = predictions - targets;
  Sums sums;
  sums.error = errors.squaredNorm();
  sums.error_norm = errors.stableNorm();
  sums.target_norm = targets.stableNorm();
  sums.largest_error = errors.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  // Asked of the values themselves: the spread of a constant is not exactly zero once its mean is rounded.
  sums.is_constant = (targets.array() == targets(0)).all();
  if (!sums.is_constant) sums.spread = (targets.array() - targets.mean()).square().sum();
  return sums;
}

FitMeasures measures_of(const Sums& sums, Index entries) {
  FitMeasures measures;
  if (sums.target_norm > 0) {
    measures.relative_residual = sums.error_norm / sums.target_norm;
  } else if (sums.error_norm != 0) {
    measures.relative_residual = std::numeric_limits<double>::infinity();
  }
  measures.mean_squared_error = sums.error / static_cast<double>(entries);
  measures.r2 = sums.is_constant ? std::numeric_limits<double>::quiet_NaN() : 1 - sums.error / sums.spread;
  measures.largest_error = sums.largest_error;
  return measures;
}

}  // namespace

Matrix Model::predict(const Eigen::Ref<const Matrix>& inputs) const {
  if (inputs.rows() != input_scaling.offset.size()) {
    throw std::invalid_argument(
        fmt::format("{} rows of model inputs, expected {}", inputs.rows(), input_scaling.offset.size()));
  }
  return target_scaling.invert(network.forward(input_scaling.apply(inputs)));
}

std::optional<Loss> recorded_loss(const Model& model) {
  try {
    return loss_from(model.training.loss, model.training.loss_parameter);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

Network Model::folded() const {
  std::vector<Layer> layers = network.layers();
  if (layers.empty()) throw std::invalid_argument("a model without layers cannot be folded");
  const auto has_size = [](const Scaling& scaling, Index size) {
    return scaling.offset.size() == size && scaling.scale.size() == size;
  };
  if (!has_size(input_scaling, network.input_size()) || !has_size(target_scaling, network.output_size())) {
    throw std::invalid_argument("the scalings do not have the sizes of the network's inputs and outputs");
  }
  if (network.output_activation() == OutputActivation::relu && !target_scaling.offset.isZero(0)) {
    throw std::invalid_argument("target scaling with a nonzero offset cannot be folded into ReLU outputs");
  }
  for (std::size_t l = 0; l < layers.size() && (l == 0 || network.skip_connections()); ++l) {
    auto of_inputs = layers[l].weights.rightCols(network.input_size());
    of_inputs = (of_inputs * input_scaling.scale.cwiseInverse().asDiagonal()).eval();
    layers[l].bias -= of_inputs * input_scaling.offset;
  }
  // A positive factor passes through a ReLU, so this holds for both kinds of outputs.
  Layer& last = layers.back();
  last.weights = target_scaling.scale.asDiagonal() * last.weights;
  last.bias = target_scaling.scale.cwiseProduct(last.bias) + target_scaling.offset;
  return network.with_layers(std::move(layers));
}

Evaluation evaluate(const Matrix& predictions, const Matrix& targets) {
  if (predictions.rows() != targets.rows() || predictions.cols() != targets.cols()) {
    throw std::invalid_argument(fmt::format("predictions are {} x {}, expected {} x {} as the targets",
                                            predictions.rows(), predictions.cols(), targets.rows(), targets.cols()));
  }
  if (targets.size() == 0) throw std::invalid_argument("no sample to evaluate, expected at least 1");
  Evaluation evaluation;
  Sums all;
  for (Index row = 0; row < targets.rows(); ++row) {
    const Sums sums = sums_of(predictions.row(row), targets.row(row));
    evaluation.per_target.push_back(measures_of(sums, targets.cols()));
    all.error += sums.error;
    all.spread += sums.spread;
    all.is_constant = all.is_constant && sums.is_constant;
  }
  const Matrix errors = predictions - targets;
  all.error_norm = errors.reshaped().stableNorm();
  all.target_norm = targets.reshaped().stableNorm();
  all.largest_error = errors.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  evaluation.all = measures_of(all, targets.size());
  return evaluation;
}

}  // namespace relufit
