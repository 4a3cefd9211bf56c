#include "constraints/monotone.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/infinity.h"
#include "base/refusal.h"
#include "constraints/class_outputs.h"
#include "files/text.h"

namespace relufit {

namespace {

std::size_t input_position(const NamedNetwork& shape, const std::string& name, const std::string& member) {
  const auto found = std::find(shape.input_names.begin(), shape.input_names.end(), name);
  if (found == shape.input_names.end()) fail(fmt::format("{}: {} is not an input", member, detail::shown(name)));
  return static_cast<std::size_t>(found - shape.input_names.begin());
}

/// The least sign * weight * other sign over the others that have a sign; inf where none has.
template <class Weights>
double least_agreement(double sign, const Weights& weights, const std::vector<int>& others) {
  double least = kInfinity;
  for (Index i = 0; i < weights.size(); ++i) {
    const int other = others[static_cast<std::size_t>(i)];
    if (other != 0) least = std::min(least, sign * weights(i) * other);
  }
  return least;
}

/// Of every demanded class from every other one, times its sign, of which none may have a negative effect. A difference
/// of doubles has the sign of the exact one.
Matrix demanded_differences(const ShapeSigns& signs, const Matrix& weights) {
  Matrix differences(0, weights.cols());
  for (std::size_t c = 0; c < signs.targets.size(); ++c) {
    if (signs.targets[c] == 0) continue;
    for (std::size_t k = 0; k < signs.targets.size(); ++k) {
      if (k == c) continue;
      differences.conservativeResize(differences.rows() + 1, Eigen::NoChange);
      differences.row(differences.rows() - 1) =
          signs.targets[c] * (weights.row(static_cast<Index>(c)) - weights.row(static_cast<Index>(k)));
    }
  }
  return differences;
}

/// The same over all weights of inputs for units of these signs.
template <class Weights>
double least_agreement(const std::vector<int>& units, const Weights& weights, const std::vector<int>& inputs) {
  double least = kInfinity;
  for (Index i = 0; i < weights.rows(); ++i) {
    const int sign = units[static_cast<std::size_t>(i)];
    if (sign != 0) least = std::min(least, least_agreement(sign, weights.row(i), inputs));
  }
  return least;
}

}  // namespace

ShapeSigns::ShapeSigns(const std::vector<Monotone>& monotone, const std::vector<Curvature>& curvature,
                       const NamedNetwork& shape)
    : inputs(shape.input_names.size(), 0),
      targets(shape.target_names.size(), 0),
      fed(shape.input_names.size(), 0),
      has_curvature_(!curvature.empty()) {
  for (std::size_t i = 0; i < monotone.size(); ++i) {
    add_link("monotone", i, monotone[i].input, monotone[i].target, false, monotone[i].increasing ? 1 : -1, shape);
  }
  for (std::size_t i = 0; i < curvature.size(); ++i) {
    add_link("curvature", i, curvature[i].input, curvature[i].target, true, curvature[i].convex ? 1 : -1, shape);
  }
  if (compares_outputs(shape)) {
    set_classes(shape);
  } else {
    set_targets();
  }
  for (const Link& link : links_) {
    if (input_sign(link) * targets[link.target] == link.direction) continue;
    fail(fmt::format("{} contradicts the others: directions must be a sign of the input times a sign of the target",
                     link.name));
  }
  common_ = fed.empty() ? 0 : fed.front();
  for (const int sign : fed) common_ = sign == common_ ? common_ : 0;
}

void ShapeSigns::add_link(const std::string& member, std::size_t number, const std::string& input,
                          const std::string& target, bool is_curvature, int direction, const NamedNetwork& shape) {
  const std::optional<NamedOutput> output = named_output(shape, target);
  const std::size_t position = input_position(shape, input, member);
  if (!output) fail(fmt::format("{}: {} is not a target", member, detail::shown(target)));
  links_.push_back({position, static_cast<std::size_t>(output->output), is_curvature, output->sign * direction,
                    fmt::format("{}[{}]: {} in {}", member, number, target, input)});
}

void ShapeSigns::set_targets() {
  for (const Link& first : links_) {
    if (targets[first.target] != 0 || input_sign(first) != 0) continue;
    targets[first.target] = 1;
    spread();
  }
  rows = targets;
}

/// Demands that are linked decide each other's signs up to one in common, which is chosen such that no two classes have
/// the same.
void ShapeSigns::set_classes(const NamedNetwork& shape) {
  for (const Link& first : links_) {
    if (targets[first.target] != 0 || input_sign(first) != 0) continue;
    const std::vector<int> inputs_before = inputs;
    const std::vector<int> targets_before = targets;
    for (const int sign : {1, -1}) {
      inputs = inputs_before;
      targets = targets_before;
      targets[first.target] = sign;
      spread();
      if (demand_on_a_taken_sign() == links_.size()) break;
    }
    const std::size_t wrong = demand_on_a_taken_sign();
    if (wrong == links_.size()) continue;
    fail(
        fmt::format("{} contradicts the others: odds against every other class can rise for one class, where they "
                    "fall for at most one",
                    links_[wrong].name));
  }
  const bool has_plus = std::count(targets.begin(), targets.end(), 1) > 0;
  const bool has_minus = std::count(targets.begin(), targets.end(), -1) > 0;
  rows = targets;
  if (!has_plus || !has_minus) {
    for (int& row : rows) row = row == 0 ? (has_plus ? -1 : 1) : row;
    return;
  }
  const auto others = std::count(rows.begin(), rows.end(), 0);
  if (others > 1) {
    fail(fmt::format("monotone: two of {} classes, expected one, or at most 3 classes", shape.target_names.size()));
  }
  if (others == 1) between = std::find(rows.begin(), rows.end(), 0) - rows.begin();
}

/// The first demand on a class whose sign another class has by an earlier one; their number where there is none.
std::size_t ShapeSigns::demand_on_a_taken_sign() const {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::size_t target = links_[i].target;
      const std::size_t other = links_[j].target;
      if (target != other && targets[target] != 0 && targets[target] == targets[other]) return i;
    }
  }
  return links_.size();
}

/// Follows the links from what has a sign already.
void ShapeSigns::spread() {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Link& link : links_) {
      int& input = input_sign(link);
      int& target = targets[link.target];
      if ((input == 0) == (target == 0)) continue;
      (input == 0 ? input : target) = link.direction * (input == 0 ? target : input);
      changed = true;
    }
  }
}

std::string description(const Monotone& demand, const NamedNetwork& shape) {
  const char* of = shape.classification.empty() ? "{}" : has_probabilities(shape) ? "P({})" : "margin of {}";
  return fmt::format("{} {} in {}", fmt::format(fmt::runtime(of), demand.target),
                     demand.increasing ? "increasing" : "decreasing", demand.input);
}

// From the outputs back every unit takes the sign that its outgoing weights (and, in the first layer, its incoming
// ones) agree with best. Units that reach no demanded target need none.
double monotone_slack(const Monotone& demand, const NamedNetwork& shape, const std::vector<Layer>& network) {
  const ShapeSigns signs({demand}, {}, shape);
  double slack = kInfinity;
  std::vector<Layer> layers = network;
  std::vector<int> next = signs.targets;
  if (compares_outputs(shape)) {
    layers.back().weights = demanded_differences(signs, network.back().weights);
    next.assign(static_cast<std::size_t>(layers.back().weights.rows()), 1);
  }
  for (std::size_t l = layers.size() - 1; l > 0; --l) {
    std::vector<int> units;
    if (shape.network.skip_connections) {
      slack =
          std::min(slack, least_agreement(next, layers[l].weights.rightCols(shape.network.widths[0]), signs.inputs));
    }
    for (Index i = 0; i < shape.network.widths[l]; ++i) {
      const auto outgoing = layers[l].weights.col(i);
      const auto agreement = [&](double sign) {
        double least = least_agreement(sign, outgoing, next);
        for (Index row = i; l == 1 && row < layers[0].weights.rows(); row += shape.network.widths[1]) {
          least = std::min(least, least_agreement(sign, layers[0].weights.row(row), signs.inputs));
        }
        return least;
      };
      bool reaches = false;
      for (Index t = 0; t < outgoing.size(); ++t) {
        reaches = reaches || (next[static_cast<std::size_t>(t)] != 0 && outgoing(t) != 0);
      }
      units.push_back(!reaches ? 0 : agreement(1) >= agreement(-1) ? 1 : -1);
      if (reaches) slack = std::min(slack, agreement(units.back()));
    }
    next.clear();  // of the rows of the layer before, one for every argument
    for (Index i = 0; i < arguments_per_unit(shape.network.activation); ++i)
      next.insert(next.end(), units.begin(), units.end());
  }
  if (layers.size() > 1) return std::isfinite(slack) ? slack : 0;  // no path at all
  return least_agreement(next, layers[0].weights, signs.inputs);
}

namespace {

using Flags = std::vector<bool>;

bool any_nonzero(const Layer& layer, Index row, const Flags& columns) {
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (columns[j] && layer.weights(row, static_cast<Index>(j)) != 0) return true;
  }
  return false;
}

/// For every hidden layer the units on a path to the target.
std::vector<Flags> units_reaching(Index target, const NamedNetwork& shape, const std::vector<Layer>& layers) {
  std::vector<Flags> reaching(layers.size() - 1);
  Flags rows(static_cast<std::size_t>(layers.back().weights.rows()), false);
  rows[static_cast<std::size_t>(target)] = true;
  for (std::size_t l = layers.size() - 1; l > 0; --l) {
    const auto units = static_cast<std::size_t>(shape.network.widths[l]);
    Flags& own = reaching[l - 1];
    own.assign(units, false);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (std::size_t u = 0; rows[row] && u < units; ++u) {
        own[u] = own[u] || layers[l].weights(static_cast<Index>(row), static_cast<Index>(u)) != 0;
      }
    }
    rows.clear();  // of the layer before, one for every argument of a unit
    for (Index i = 0; i < arguments_per_unit(shape.network.activation); ++i)
      rows.insert(rows.end(), own.begin(), own.end());
  }
  return reaching;
}

/// Units that depend on the inputs must do so convexly, and feed the next ones with weights >= 0, and the target with
/// weights of the sign `direction`: convex functions, and increasing convex functions of their sums.
double joint_curvature_slack(const Flags& inputs, Index target, int direction, const NamedNetwork& shape,
                             const std::vector<Layer>& layers) {
  const std::vector<Flags> reaching = units_reaching(target, shape, layers);
  double slack = kInfinity;
  Flags below;  // units of the layer before that depend on the inputs
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const Index units = shape.network.widths[l + 1];
    Flags own(static_cast<std::size_t>(units), false);
    Flags seen = below;  // columns: units of the layer before, then inputs where it sees them
    if (l == 0 || shape.network.skip_connections) seen.insert(seen.end(), inputs.begin(), inputs.end());
    for (Index row = 0; row < layers[l].weights.rows(); ++row) {
      const auto unit = static_cast<std::size_t>(row % units);
      if (!reaching[l][unit] || !any_nonzero(layers[l], row, seen)) continue;
      own[unit] = true;
      for (std::size_t j = 0; j < below.size(); ++j) {
        if (below[j]) slack = std::min(slack, layers[l].weights(row, static_cast<Index>(j)));
      }
    }
    below = own;
  }
  for (std::size_t j = 0; j < below.size(); ++j) {
    if (below[j]) slack = std::min(slack, direction * layers.back().weights(target, static_cast<Index>(j)));
  }
  return slack;
}

}  // namespace

std::vector<std::vector<Curvature>> joint_curvatures(const std::vector<Curvature>& demands) {
  std::vector<std::vector<Curvature>> joint;
  for (const Curvature& demand : demands) {
    const auto same = std::find_if(joint.begin(), joint.end(), [&](const std::vector<Curvature>& group) {
      return group.front().target == demand.target && group.front().convex == demand.convex;
    });
    if (same == joint.end()) {
      joint.push_back({demand});
    } else {
      same->push_back(demand);
    }
  }
  return joint;
}

std::string description(const std::vector<Curvature>& joint) {
  std::vector<std::string> inputs;
  for (const Curvature& demand : joint) inputs.push_back(demand.input);
  return fmt::format("{} {} in {}", joint.front().target, joint.front().convex ? "convex" : "concave",
                     fmt::join(inputs, ", "));
}

double curvature_slack(const std::vector<Curvature>& joint, const NamedNetwork& shape,
                       const std::vector<Layer>& layers) {
  Flags inputs(shape.input_names.size(), false);
  for (const Curvature& demand : joint) inputs[input_position(shape, demand.input, "curvature")] = true;
  const auto target = std::find(shape.target_names.begin(), shape.target_names.end(), joint.front().target);
  const double slack =
      joint_curvature_slack(inputs, target - shape.target_names.begin(), joint.front().convex ? 1 : -1, shape, layers);
  return std::isfinite(slack) ? slack : 0;  // no path at all
}

}  // namespace relufit
