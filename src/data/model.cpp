#include "relufit/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace relufit {
namespace {

/// The least power of two above all sizes, as an exponent; 0 where there is nothing but zeros or a value is not finite.
int common_exponent(const Matrix& values) {
  const double largest = values.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  int exponent = 0;
  if (std::isfinite(largest)) std::frexp(largest, &exponent);
  return exponent;
}

Matrix times_power_of_two(const Matrix& values, int exponent) {
  return values.unaryExpr([exponent](double value) { return std::ldexp(value, exponent); });
}

/// A sum of squares, sum * 4^exponent, that neither overflows nor vanishes: the values are divided by a power of two of
/// their size first, which is exact.
struct Squares {
  double sum = 0;
  int exponent = 0;
};

Squares squares_of(const Matrix& values) {
  const int exponent = common_exponent(values);
  return {times_power_of_two(values, -exponent).squaredNorm(), exponent};
}

/// a / b, b != 0.
double ratio(const Squares& a, const Squares& b) { return std::ldexp(a.sum / b.sum, 2 * (a.exponent - b.exponent)); }

/// Differences from the mean of each row, which is refined once: of large, nearly equal values it is otherwise off by
/// the rounding of their sum.
Matrix centered(const Matrix& values) {
  Vector mean = values.rowwise().mean();
  mean += (values.colwise() - mean).rowwise().mean();
  return values.colwise() - mean;
}

/// Measures of one target, or of all targets together. R2 and the relative residual have no unit, and the rest is 0 or
/// inf only where it is beyond what a double can hold.
FitMeasures measures_of(const Matrix& predictions, const Matrix& targets) {
  // In units of a common power of two, and one more for differences.
  const int exponent = std::max(common_exponent(predictions), common_exponent(targets)) + 1;
  const Matrix scaled = times_power_of_two(targets, -exponent);
  const Matrix differences = times_power_of_two(predictions, -exponent) - scaled;
  const Squares errors = squares_of(differences);
  const Squares size = squares_of(scaled);
  FitMeasures measures;
  if (size.sum > 0) {
    measures.relative_residual = std::sqrt(ratio(errors, size));
  } else if (errors.sum != 0) {
    measures.relative_residual = std::numeric_limits<double>::infinity();
  }
  measures.mean_squared_error =
      std::ldexp(errors.sum / static_cast<double>(differences.size()), 2 * (errors.exponent + exponent));
  measures.largest_error = std::ldexp(differences.cwiseAbs().maxCoeff<Eigen::PropagateNaN>(), exponent);
  bool constant = true;
  for (Index row = 0; row < targets.rows(); ++row) constant = constant && is_constant(targets.row(row));
  measures.r2 = constant ? std::numeric_limits<double>::quiet_NaN() : 1 - ratio(errors, squares_of(centered(scaled)));
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
  for (Index row = 0; row < targets.rows(); ++row) {
    evaluation.per_target.push_back(measures_of(predictions.row(row), targets.row(row)));
  }
  evaluation.all = measures_of(predictions, targets);
  return evaluation;
}

}  // namespace relufit
