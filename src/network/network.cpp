#include "relufit/network.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "base/text.h"
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

std::vector<LayerShape> layer_shapes(const std::vector<Index>& widths, const Activation& activation,
                                     bool skip_connections) {
  std::vector<LayerShape> shapes;
  for (std::size_t l = 1; l < widths.size(); ++l) {
    const bool hidden = l + 1 < widths.size();
    shapes.push_back({widths[l] * (hidden ? arguments_per_unit(activation) : 1),
                      widths[l - 1] + (skip_connections && l > 1 ? widths[0] : 0)});
  }
  return shapes;
}

Matrix seen(const Matrix& values, const Matrix& inputs, bool skip_connections) {
  if (!skip_connections) return values;
  Matrix all(values.rows() + inputs.rows(), values.cols());
  all << values, inputs;
  return all;
}

Network::Network(const std::vector<Index>& widths, OutputActivation output, Activation activation,
                 bool skip_connections)
    : output_(output), activation_(activation), skip_connections_(skip_connections) {
  check(activation_);
  if (widths.size() < 2) {
    throw std::invalid_argument(
        fmt::format("{} network widths, expected at least 2 (inputs and outputs)", widths.size()));
  }
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] < 1) {
      throw std::invalid_argument(fmt::format("network widths[{}] is {}, expected at least 1", i, widths[i]));
    }
  }
  for (const LayerShape& shape : layer_shapes(widths, activation, skip_connections)) {
    layers_.push_back({Matrix::Zero(shape.rows, shape.columns), Vector::Zero(shape.rows)});
  }
}

Network::Network(std::vector<Layer> layers, OutputActivation output, Activation activation, bool skip_connections)
    : layers_(std::move(layers)), output_(output), activation_(activation), skip_connections_(skip_connections) {
  check(activation_);
  if (layers_.empty()) throw std::invalid_argument("a network without layers, expected at least 1");
  const std::vector<LayerShape> shapes = layer_shapes(widths(), activation, skip_connections);
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
  return Network(std::move(layers), output_, activation_, skip_connections_);
}

std::vector<Index> Network::widths() const {
  std::vector<Index> result;
  if (layers_.empty()) return result;
  result.push_back(input_size());
  for (const Layer& layer : layers_) {
    const bool hidden = &layer != &layers_.back();
    result.push_back(layer.weights.rows() / (hidden ? arguments_per_unit(activation_) : 1));
  }
  return result;
}

Matrix Network::forward(const Matrix& inputs) const {
  if (layers_.empty()) throw std::invalid_argument("a network without layers has no outputs");
  if (inputs.rows() != input_size()) {
    throw std::invalid_argument(fmt::format("{} rows of network inputs, expected {}", inputs.rows(), input_size()));
  }
  Matrix values = inputs;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0 && skip_connections_) values = seen(values, inputs, true);
    const bool is_last = i + 1 == layers_.size();
    if (is_last && output_ == OutputActivation::linear) {
      return product(layers_[i].weights, values).colwise() + layers_[i].bias;
    }
    values = unit_values(layers_[i], is_last ? Activation::relu : activation_, values);
  }
  return values;
}

}  // namespace relufit
