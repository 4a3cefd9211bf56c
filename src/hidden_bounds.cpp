// Bounds on hidden values. r a(z) = a(r z) for r > 0, so a unit's weights and bias may be divided by any number > 0 if
// the weights it feeds are multiplied by it.

#include <algorithm>
#include <limits>

#include "relufit/constraints.h"

namespace relufit {

namespace {

bool bounds_layer(const HiddenBound& bound, std::size_t layer) {
  return !bound.layer || *bound.layer == static_cast<Index>(layer) + 1;
}

/// Values of a hidden layer for those of the layer below, one column per sample.
Matrix layer_values(const Network& network, std::size_t layer, const Matrix& below) {
  Matrix values = (network.layers()[layer].weights * below).colwise() + network.layers()[layer].bias;
  apply(network.activation(), values);
  return values;
}

}  // namespace

void keep_hidden_bounds(const std::vector<HiddenBound>& bounds, const Matrix& samples, Model& model) {
  constexpr double kMargin = 1e-13;  // of the bound, for rounding of the scaled weights
  std::vector<Layer> layers = model.network.layers();
  Matrix values = model.input_scaling.apply(samples);
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    values = layer_values(Network(layers, model.network.output_activation(), model.network.activation()), l, values);
    double most = std::numeric_limits<double>::infinity();
    for (const HiddenBound& bound : bounds) {
      if (bounds_layer(bound, l)) most = std::min(most, bound.at_most * (1 - kMargin));
    }
    for (Index unit = 0; unit < values.rows(); ++unit) {
      const double largest = values.row(unit).cwiseAbs().maxCoeff();
      if (largest <= most) continue;
      const double share = most / largest;
      layers[l].weights.row(unit) *= share;
      layers[l].bias(unit) *= share;
      values.row(unit) *= share;
      layers[l + 1].weights.col(unit) /= share;
    }
  }
  model.network = Network(std::move(layers), model.network.output_activation(), model.network.activation());
}

double hidden_slack(const HiddenBound& bound, const Matrix& samples, const Model& model) {
  double slack = std::numeric_limits<double>::infinity();
  Matrix values = model.input_scaling.apply(samples);
  for (std::size_t l = 0; l + 1 < model.network.layers().size(); ++l) {
    values = layer_values(model.network, l, values);
    if (bounds_layer(bound, l)) slack = std::min(slack, bound.at_most - values.cwiseAbs().maxCoeff());
  }
  return slack;
}

}  // namespace relufit
