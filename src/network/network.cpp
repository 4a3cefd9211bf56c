#include "relufit/network.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "files/text.h"
#include "linear_algebra/products.h"
#include "network/layer_values.h"

namespace relufit {

const char* to_string(OutputActivation activation) { return activation == OutputActivation::relu ? "relu" : "linear"; }

OutputActivation output_activation_from(const std::string& name) {
  for (const OutputActivation activation : {OutputActivation::linear, OutputActivation::relu}) {
    if (name == to_string(activation)) return activation;
  }
  throw std::invalid_argument(
      fmt::format("{} is not an output activation, expected 'linear' or 'relu'", detail::shown(name)));
}

std::vector<LayerShape> Architecture::layers() const {
  std::vector<LayerShape> shapes;
  for (std::size_t l = 1; l < widths.size(); ++l) {
    const bool hidden = l + 1 < widths.size();
    shapes.push_back({widths[l] * (hidden ? arguments_per_unit(activation) : 1),
                      widths[l - 1] + (skip_connections && l > 1 ? widths[0] : 0)});
  }
  return shapes;
}

void check(const Architecture& architecture) {
  const std::vector<Index>& widths = architecture.widths;
  if (widths.size() < 2) {
    throw std::invalid_argument(
        fmt::format("widths: {} given, expected at least 2 (inputs, hidden layers, outputs)", widths.size()));
  }
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] < 1) throw std::invalid_argument(fmt::format("widths[{}]: {}, expected at least 1", i, widths[i]));
  }
  check(architecture.activation);
}

Matrix seen(const Matrix& values, const Matrix& inputs, bool skip_connections) {
  if (!skip_connections) return values;
  Matrix all(values.rows() + inputs.rows(), values.cols());
  all << values, inputs;
  return all;
}

namespace {

/// Inputs, hidden layers..., outputs, by the shapes of the layers.
std::vector<Index> widths_of(const std::vector<Layer>& layers, const Activation& activation) {
  std::vector<Index> widths = {layers.front().weights.cols()};
  for (const Layer& layer : layers) {
    const bool hidden = &layer != &layers.back();
    widths.push_back(layer.weights.rows() / (hidden ? arguments_per_unit(activation) : 1));
  }
  return widths;
}

}  // namespace

Network::Network(Architecture architecture) : architecture_(std::move(architecture)) {
  check(architecture_);
  for (const LayerShape& shape : architecture_.layers()) {
    layers_.push_back({Matrix::Zero(shape.rows, shape.columns), Vector::Zero(shape.rows)});
  }
}

Network::Network(std::vector<Layer> layers, OutputActivation output, Activation activation, bool skip_connections)
    : layers_(std::move(layers)) {
  check(activation);
  if (layers_.empty()) throw std::invalid_argument("a network without layers, expected at least 1");
  architecture_ = {widths_of(layers_, activation), output, activation, skip_connections};
  const std::vector<LayerShape> shapes = architecture_.layers();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const Index rows = layer.weights.rows();
    const Index columns = layer.weights.cols();
    if (rows < 1 || columns < 1) {
      throw std::invalid_argument(
          fmt::format("layers[{}].weights: {} x {} values, expected at least 1 x 1", i, rows, columns));
    }
    if (rows != shapes[i].rows) {
      throw std::invalid_argument(
          fmt::format("layers[{}].weights: {} rows, expected an even number with {}", i, rows, to_string(activation)));
    }
    if (columns != shapes[i].columns) {
      throw std::invalid_argument(
          fmt::format("layers[{}].weights: {} columns, expected {}", i, columns, shapes[i].columns));
    }
    if (layer.bias.size() != rows) {
      throw std::invalid_argument(fmt::format("layers[{}].bias: {} values, expected {}", i, layer.bias.size(), rows));
    }
    if (!layer.weights.allFinite() || !layer.bias.allFinite()) {
      throw std::invalid_argument(
          fmt::format("layers[{}].{}: a value is not finite", i, layer.weights.allFinite() ? "bias" : "weights"));
    }
  }
}

Network Network::with_layers(std::vector<Layer> layers) const {
  return Network(std::move(layers), output_activation(), activation(), skip_connections());
}

Matrix Network::forward(const Matrix& inputs) const {
  if (layers_.empty()) throw std::invalid_argument("a network without layers has no outputs");
  if (inputs.rows() != input_size()) {
    throw std::invalid_argument(fmt::format("{} rows of network inputs, expected {}", inputs.rows(), input_size()));
  }
  Matrix values = inputs;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0 && skip_connections()) values = seen(values, inputs, true);
    const bool is_last = i + 1 == layers_.size();
    if (is_last && output_activation() == OutputActivation::linear) {
      return product(layers_[i].weights, values).colwise() + layers_[i].bias;
    }
    values = unit_values(layers_[i], is_last ? Activation::relu : activation(), values);
  }
  return values;
}

}  // namespace relufit
