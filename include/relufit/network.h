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

/// The form of a network: all of it but its weights.
struct Architecture {
  std::vector<Index> widths;  ///< inputs, units of the hidden layers (if any)..., outputs
  OutputActivation output = OutputActivation::linear;
  Activation activation = {};     ///< of the hidden layers
  bool skip_connections = false;  ///< whether layers after the first see the inputs too

  Index inputs() const { return widths.front(); }
  Index outputs() const { return widths.back(); }
  Index hidden_layers() const { return static_cast<Index>(widths.size()) - 2; }
  /// A hidden layer has a row for every argument of its units (activation.h). With skip connections every layer after
  /// the first sees the units of the layer before and, in its last columns, the inputs.
  std::vector<LayerShape> layers() const;

  bool operator==(const Architecture&) const = default;
};

/// Throws std::invalid_argument for fewer than two widths, a width below 1, and an activation's parameter out of range.
void check(const Architecture& architecture);

/// What a layer sees: these values of the units before it, and below them the inputs if `skip_connections`.
Matrix seen(const Matrix& values, const Matrix& inputs, bool skip_connections);

/// A fully connected network. All data are column-wise: one column is one sample.
class Network {
 public:
  Network() = default;

  /// All weights zero. Throws as check.
  explicit Network(Architecture architecture);

  /// From given layers; throws std::invalid_argument when their shapes do not chain (maxout: an odd number of rows of a
  /// hidden layer), a value is not finite, or the activation's parameter is out of range.
  Network(std::vector<Layer> layers, OutputActivation output, Activation activation = Activation::relu,
          bool skip_connections = false);

  /// The same kind of network with other layers. Throws as the constructor.
  Network with_layers(std::vector<Layer> layers) const;

  const Architecture& architecture() const { return architecture_; }
  const std::vector<Index>& widths() const { return architecture_.widths; }  ///< empty without layers
  Index input_size() const { return architecture_.inputs(); }                ///< rows of the inputs
  Index output_size() const { return architecture_.outputs(); }              ///< rows of the outputs
  OutputActivation output_activation() const { return architecture_.output; }
  const Activation& activation() const { return architecture_.activation; }
  bool skip_connections() const { return architecture_.skip_connections; }
  const std::vector<Layer>& layers() const { return layers_; }  ///< hidden layers, then the output layer

  /// Network outputs (outputs x samples) for inputs (inputs x samples).
  /// Throws std::invalid_argument when the number of rows is not input_size().
  Matrix forward(const Matrix& inputs) const;

 private:
  Architecture architecture_;
  std::vector<Layer> layers_;
};

}  // namespace relufit
