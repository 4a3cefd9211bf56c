// Bounds on hidden values. r a(z) = a(r z) for r > 0, so units may be scaled (network/units.h).

#include <algorithm>
#include <cmath>
#include <limits>

#include "constraints/rounding.h"
#include "network/layer_values.h"
#include "network/units.h"
#include "relufit/constraints.h"

namespace relufit {

namespace {

bool bounds_layer(const HiddenBound& bound, std::size_t layer) {
  return !bound.layer || *bound.layer == static_cast<Index>(layer) + 1;
}

/// Values of a layer of the network whose layers are being changed, for those of the layer below.
Matrix values_after(const Network& network, const std::vector<Layer>& layers, std::size_t l, const Matrix& below,
                    const Matrix& inputs) {
  return unit_values(layers[l], network.activation(), seen(below, inputs, network.skip_connections() && l > 0));
}

/// Which units are scaled to their bounds.
enum class Scaled { those_above, all };

Model within_bounds(const std::vector<HiddenBound>& bounds, const Matrix& samples, Scaled scaled, Model model) {
  std::vector<Layer> layers = model.network.layers();
  const Matrix inputs = model.input_scaling.apply(samples);
  const Matrix input_sizes = scaled_sizes(model.input_scaling, samples);
  Matrix values = inputs;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    values = values_after(model.network, layers, l, values, inputs);
    double most = std::numeric_limits<double>::infinity();
    for (const HiddenBound& bound : bounds) {
      if (bounds_layer(bound, l)) most = std::min(most, bound.at_most);
    }
    // Twice: values computed here are within rounding of the exact ones, and so are those computed elsewhere.
    const Matrix sizes = value_sizes(layers, model.network.architecture(), input_sizes)[l];
    const Matrix rounding = 2 * rounding_factor(layers, l + 1) * sizes;
    for (Index unit = 0; unit < values.rows(); ++unit) {
      const double largest = (values.row(unit).cwiseAbs() + rounding.row(unit)).maxCoeff();
      if (scaled == Scaled::all ? std::isinf(most) || largest == 0 : largest <= most) continue;
      const double share = most / largest;
      scale_unit(layers, l, unit, values.rows(), share);
      values.row(unit) *= share;
    }
  }
  model.network = model.network.with_layers(std::move(layers));
  return model;
}

bool keeps(const Constraints& constraints, const Matrix& samples, const Model& model) {
  const std::vector<ConstraintCheck> checks = check_constraints(constraints, model, samples);
  return std::all_of(checks.begin(), checks.end(), [](const ConstraintCheck& check) { return holds(check); });
}

}  // namespace

void keep_hidden_bounds(const Constraints& constraints, const Matrix& samples, Model& model) {
  const Model given = model;
  model = within_bounds(constraints.hidden, samples, Scaled::those_above, given);
  if (keeps(constraints, samples, model)) return;
  Model filled = within_bounds(constraints.hidden, samples, Scaled::all, given);
  if (keeps(constraints, samples, filled)) model = std::move(filled);
}

double hidden_slack(const HiddenBound& bound, const Matrix& samples, const Model& model) {
  double slack = std::numeric_limits<double>::infinity();
  const Matrix inputs = model.input_scaling.apply(samples);
  Matrix values = inputs;
  for (std::size_t l = 0; l + 1 < model.network.layers().size(); ++l) {
    values = values_after(model.network, model.network.layers(), l, values, inputs);
    if (bounds_layer(bound, l)) slack = std::min(slack, bound.at_most - values.cwiseAbs().maxCoeff());
  }
  return slack;
}

}  // namespace relufit
