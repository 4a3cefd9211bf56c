/// \file
/// The plain network: what relufit trains, evaluates, saves and exports.
#pragma once

#include <string>
#include <vector>

#include "relufit/activation.h"
#include "relufit/matrix.h"

namespace relufit {

/// What follows the last affine map.
enum class OutputActivation { linear, relu };

/// Name of an output activation as it stands in model files: "linear" or "relu".
const char* to_string(OutputActivation activation);

/// Inverse of to_string. Throws std::invalid_argument for any other name.
OutputActivation output_activation_from(const std::string& name);

/// One affine map `W x + b`.
struct Layer {
  Matrix weights;  ///< outputs x inputs
  Vector bias;     ///< outputs
};

/// Shape of the weights of one layer.
struct LayerShape {
  Index rows;     ///< arguments of its units
  Index columns;  ///< what it sees
};

/// Shapes of all layers of a network with these widths (inputs, units of the hidden layers..., outputs). A hidden layer
/// has a row for every argument of its units (activation.h). With skip connections every layer after the first sees the
/// units of the layer before and, in its last columns, the inputs.
std::vector<LayerShape> layer_shapes(const std::vector<Index>& widths, const Activation& activation,
                                     bool skip_connections);

/// What a layer sees: these values of the units before it, and below them the inputs if `skip_connections`.
Matrix seen(const Matrix& values, const Matrix& inputs, bool skip_connections);

/// A fully connected network whose hidden layers have one activation, a ReLU unless said otherwise, and which may have
/// skip connections: then every layer after the first sees the inputs as well (layer_shapes). All data are column-wise:
/// one column is one sample.
class Network {
 public:
  Network() = default;

  /// All weights zero. `widths` = inputs, hidden layers..., outputs; at least two entries, each >= 1.
  /// Throws std::invalid_argument otherwise.
  Network(const std::vector<Index>& widths, OutputActivation output, Activation activation = Activation::relu,
          bool skip_connections = false);

  /// From given layers; throws std::invalid_argument when their shapes do not chain (maxout: an odd number of rows of a
  /// hidden layer), a value is not finite, or the
  /// activation's parameter is out of range.
  Network(std::vector<Layer> layers, OutputActivation output, Activation activation = Activation::relu,
          bool skip_connections = false);

  /// The same kind of network with other layers. Throws as the constructor.
  Network with_layers(std::vector<Layer> layers) const;

  /// Inputs, hidden layers..., outputs.
  std::vector<Index> widths() const;
  Index input_size() const { return layers_.front().weights.cols(); }  ///< rows of the inputs
  Index output_size() const { return layers_.back().weights.rows(); }  ///< rows of the outputs
  OutputActivation output_activation() const { return output_; }       ///< of the last layer
  const Activation& activation() const { return activation_; }         ///< of the hidden layers
  bool skip_connections() const { return skip_connections_; }          ///< whether later layers see the inputs
  const std::vector<Layer>& layers() const { return layers_; }         ///< hidden layers, then the output layer

  /// Network outputs (outputs x samples) for inputs (inputs x samples).
  /// Throws std::invalid_argument when the number of rows is not input_size().
  Matrix forward(const Matrix& inputs) const;

 private:
  std::vector<Layer> layers_;
  OutputActivation output_ = OutputActivation::linear;
  Activation activation_;
  bool skip_connections_ = false;
};

}  // namespace relufit
