/// \file
/// One hidden layer, evaluated.
#pragma once

#include "relufit/network.h"

namespace relufit {

/// Values of the layer's units (units x samples) for what it sees (network.h), one column per sample.
inline Matrix unit_values(const Layer& layer, const Activation& activation, const Matrix& seen) {
  const Matrix arguments = (layer.weights * seen).colwise() + layer.bias;
  Matrix values(arguments.rows() / arguments_per_unit(activation), arguments.cols());
  evaluate(activation, arguments, values);
  return values;
}

}  // namespace relufit
