#include "monotone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "text.h"

namespace relufit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

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
    links_.push_back({static_cast<std::size_t>(position(shape.input_names, demand.input, "an input")),
                      static_cast<std::size_t>(position(shape.target_names, demand.target, "a target")),
                      demand.increasing ? 1 : -1});
  }
  for (const Link& first : links_) {
    if (targets[first.target] != 0 || inputs[first.input] != 0) continue;
    targets[first.target] = 1;
    spread();
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

// From the outputs back every unit takes the sign that its outgoing weights (and, in the first layer, its incoming
// ones) agree with best. Units that reach no demanded target need none.
double monotone_slack(const std::vector<Monotone>& demands, const NetworkShape& shape,
                      const std::vector<Layer>& layers) {
  const MonotoneSigns signs(demands, shape);
  double slack = kInfinity;
  std::vector<int> next = signs.targets;
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
  return least_agreement(signs.targets, layers[0].weights, signs.inputs);
}

}  // namespace relufit
