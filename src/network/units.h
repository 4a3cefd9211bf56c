/// \file
/// Hidden units with all their weights: scaled, or taken out. Layers count from 0.
#pragma once

#include <cstddef>
#include <vector>

#include "relufit/network.h"

namespace relufit {

/// The rows of a hidden layer, which has `units` units, that hold the arguments of one of them.
inline auto unit_rows(const Layer& layer, Index unit, Index units) {
  return Eigen::seqN(unit, layer.weights.rows() / units, units);
}

/// Multiplies the incoming weights and the bias of a unit of hidden layer `l` by `scale` > 0, and divides its outgoing
/// weights by it: the same function where the activation is positively homogeneous (is_homogeneous).
inline void scale_unit(std::vector<Layer>& layers, std::size_t l, Index unit, Index units, double scale) {
  const auto rows = unit_rows(layers[l], unit, units);
  layers[l].weights(rows, Eigen::all) *= scale;
  layers[l].bias(rows) *= scale;
  layers[l + 1].weights.col(unit) /= scale;
}

/// Leaves these units of hidden layer `l` alone, in this order.
inline void keep_units(std::vector<Layer>& layers, std::size_t l, const std::vector<Index>& kept, Index units) {
  std::vector<Index> rows, columns = kept;
  for (Index first = 0; first < layers[l].weights.rows(); first += units) {
    for (const Index unit : kept) rows.push_back(first + unit);
  }
  for (Index input = units; input < layers[l + 1].weights.cols(); ++input) columns.push_back(input);  // that skip
  layers[l].weights = layers[l].weights(rows, Eigen::all).eval();
  layers[l].bias = layers[l].bias(rows).eval();
  layers[l + 1].weights = layers[l + 1].weights(Eigen::all, columns).eval();
}

}  // namespace relufit
