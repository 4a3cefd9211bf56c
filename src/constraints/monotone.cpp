#include "constraints/monotone.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/infinity.h"
#include "base/refusal.h"
#include "base/text.h"
#include "constraints/class_outputs.h"

namespace relufit {

namespace {

Index position(const std::vector<std::string>& names, const std::string& name, const char* what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) fail(fmt::format("monotone: {} is not {}", detail::shown(name), what));
  return found - names.begin();
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
Matrix demanded_differences(const MonotoneSigns& signs, const Matrix& weights) {
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

MonotoneSigns::MonotoneSigns(const std::vector<Monotone>& demands, const NetworkShape& shape)
    : inputs(shape.input_names.size(), 0), targets(shape.target_names.size(), 0) {
  for (const Monotone& demand : demands) {
    const Index input = position(shape.input_names, demand.input, "an input");
    const std::optional<NamedOutput> target = named_output(shape, demand.target);
    if (!target) fail(fmt::format("monotone: {} is not a target", detail::shown(demand.target)));
    links_.push_back({static_cast<std::size_t>(input), static_cast<std::size_t>(target->output),
                      target->sign * (demand.increasing ? 1 : -1)});
  }
  if (compares_outputs(shape)) {
    set_classes(demands, shape);
  } else {
    set_targets();
  }
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    if (inputs[link.input] * targets[link.target] == link.direction) continue;
    fail(
        fmt::format("monotone[{}]: {} in {} contradicts the others: directions must be a sign of the input times a "
                    "sign of the target",
                    i, demands[i].target, demands[i].input));
  }
}

void MonotoneSigns::set_targets() {
  for (const Link& first : links_) {
    if (targets[first.target] != 0 || inputs[first.input] != 0) continue;
    targets[first.target] = 1;
    spread();
  }
  rows = targets;
}

/// Demands that are linked decide each other's signs up to one in common, which is chosen such that no two classes have
/// the same.
void MonotoneSigns::set_classes(const std::vector<Monotone>& demands, const NetworkShape& shape) {
  for (const Link& first : links_) {
    if (targets[first.target] != 0 || inputs[first.input] != 0) continue;
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
        fmt::format("monotone[{}]: {} in {} contradicts the others: odds against every other class can rise for one "
                    "class, where they fall for at most one",
                    wrong, demands[wrong].target, demands[wrong].input));
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
std::size_t MonotoneSigns::demand_on_a_taken_sign() const {
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
void MonotoneSigns::spread() {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Link& link : links_) {
      int& input = inputs[link.input];
      int& target = targets[link.target];
      if ((input == 0) == (target == 0)) continue;
      (input == 0 ? input : target) = link.direction * (input == 0 ? target : input);
      changed = true;
    }
  }
}

std::string monotone_description(const std::vector<Monotone>& demands, const NetworkShape& shape) {
  if (shape.classification.empty()) return "monotone";
  std::vector<std::string> names;
  for (const Monotone& demand : demands) {
    const std::string name =
        has_probabilities(shape) ? fmt::format("P({})", demand.target) : fmt::format("margin of {}", demand.target);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return fmt::format("monotone: {}", fmt::join(names, ", "));
}

// From the outputs back every unit takes the sign that its outgoing weights (and, in the first layer, its incoming
// ones) agree with best. Units that reach no demanded target need none.
double monotone_slack(const std::vector<Monotone>& demands, const NetworkShape& shape,
                      const std::vector<Layer>& network) {
  const MonotoneSigns signs(demands, shape);
  double slack = kInfinity;
  std::vector<Layer> layers = network;
  std::vector<int> next = signs.targets;
  if (compares_outputs(shape)) {
    layers.back().weights = demanded_differences(signs, network.back().weights);
    next.assign(static_cast<std::size_t>(layers.back().weights.rows()), 1);
  }
  for (std::size_t l = layers.size() - 1; l > 0; --l) {
    std::vector<int> units;
    if (shape.skip_connections) {
      slack = std::min(slack, least_agreement(next, layers[l].weights.rightCols(shape.widths[0]), signs.inputs));
    }
    for (Index i = 0; i < shape.widths[l]; ++i) {
      const auto outgoing = layers[l].weights.col(i);
      const auto agreement = [&](double sign) {
        double least = least_agreement(sign, outgoing, next);
        for (Index row = i; l == 1 && row < layers[0].weights.rows(); row += shape.widths[1]) {
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
    for (Index i = 0; i < arguments_per_unit(shape.activation); ++i)
      next.insert(next.end(), units.begin(), units.end());
  }
  if (layers.size() > 1) return std::isfinite(slack) ? slack : 0;  // no path at all
  return least_agreement(next, layers[0].weights, signs.inputs);
}

}  // namespace relufit
