#include "constraints/rounding.h"

#include <limits>

#include "linear_algebra/products.h"
#include "network/layer_values.h"

namespace relufit {

std::vector<Matrix> value_sizes(const std::vector<Layer>& layers, const Architecture& network,
                                const Matrix& input_sizes) {
  std::vector<Matrix> sizes;
  Matrix below = input_sizes;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    Matrix arguments = product(Matrix(layers[l].weights.cwiseAbs()), below).colwise() + layers[l].bias.cwiseAbs();
    if (l + 1 < layers.size() && network.activation == Activation::maxout) {
      const Index units = arguments.rows() / 2;
      arguments = arguments.topRows(units).cwiseMax(arguments.bottomRows(units)).eval();
    }
    if (l + 1 < layers.size() && network.activation == Activation::hard_tanh) arguments = arguments.cwiseMax(1.0);
    sizes.push_back(arguments);
    below = seen(arguments, input_sizes, network.skip_connections);
  }
  return sizes;
}

double rounding_factor(const std::vector<Layer>& layers, std::size_t count) {
  constexpr double kInput = 4, kLayer = 8;
  double units = kInput;
  for (std::size_t l = 0; l < count; ++l) units += static_cast<double>(layers[l].weights.cols()) + kLayer;
  return units * std::numeric_limits<double>::epsilon();
}

Matrix scaled_sizes(const Scaling& scaling, const Matrix& values) {
  return (values.cwiseAbs().colwise() + scaling.offset.cwiseAbs()).array().colwise() / scaling.scale.array();
}

Matrix summed_sizes(const Model& model, const Matrix& inputs) {
  const Network& network = model.network;
  const Matrix scaled = model.input_scaling.apply(inputs);
  Matrix values = scaled;
  for (std::size_t l = 0; l + 1 < network.layers().size(); ++l) {
    values = seen(unit_values(network.layers()[l], network.activation(), values), scaled, network.skip_connections());
  }
  const Layer& last = network.layers().back();
  const Matrix sums =
      product(Matrix(last.weights.cwiseAbs()), Matrix(values.cwiseAbs())).colwise() + last.bias.cwiseAbs();
  return (model.target_scaling.scale.asDiagonal() * sums).colwise() + model.target_scaling.offset.cwiseAbs();
}

}  // namespace relufit
