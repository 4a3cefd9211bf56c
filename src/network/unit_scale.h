/// \file
/// Units scaled without a change of what the network computes: those of a positively homogeneous activation
/// (is_homogeneous).
#pragma once

#include <cstddef>
#include <vector>

#include "relufit/network.h"

namespace relufit {

/// The rows of a hidden layer, which has `units` units, that hold the arguments of one of them.
inline auto unit_rows(const Layer& layer, Index unit, Index units) {
  return Eigen::seqN(unit, layer.weights.rows() / units, units);
}

/// Multiplies the incoming weights and the bias of a unit of hidden layer `l`, from 0, by `scale` > 0, and divides its
/// outgoing weights by it.
inline void scale_unit(std::vector<Layer>& layers, std::size_t l, Index unit, Index units, double scale) {
  const auto rows = unit_rows(layers[l], unit, units);
  layers[l].weights(rows, Eigen::all) *= scale;
  layers[l].bias(rows) *= scale;
  layers[l + 1].weights.col(unit) /= scale;
}

}  // namespace relufit
