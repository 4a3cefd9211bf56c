/// \file
/// Networks of some widths that are fitted to exact data, of whose first hidden layer units may be known.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "exact_fit/deep/network_fit.h"
#include "exact_fit/deep/random_units.h"
#include "network/layer_state.h"
#include "network/layer_values.h"

namespace relufit {

/// Units of a first hidden layer, to be kept.
struct Known {
  Layer units;               ///< at most as many as the layer has
  std::vector<Layer> start;  ///< a network that has them in their order, to begin with; empty: a random one
  Index of = 0;              ///< which widths
  Index trials = 1;          ///< starts that they are worth, whatever comes of these
};

inline void visit_state(StateVisitor& visitor, Known& known) {
  visitor(known.units, known.start, known.of, known.trials);
}

/// The problem above a first layer that is known; none where that is the only hidden one, or not known as a whole.
inline std::optional<LiftedProblem> problem_above(const LiftedProblem& problem, const Layer& units) {
  const Architecture& network = problem.network;
  if (units.bias.size() < network.widths[1] || network.hidden_layers() < 2) return std::nullopt;
  LiftedProblem above = problem;
  above.inputs = unit_values(units, network.activation, problem.inputs);
  above.network.widths.erase(above.network.widths.begin());
  return above;
}

/// Networks are whole ones outside. Where their first layer is known, fits are of what lies above it, with its values
/// as inputs.
struct Students {
  /// `of_widths` must stay.
  Students(const LiftedProblem& of_widths, Known known_units)
      : problem(of_widths),
        known(std::move(known_units)),
        above(problem_above(of_widths, known.units)),
        fit(fitted_problem(), units_given()) {}
  Students(const Students&) = delete;
  Students& operator=(const Students&) = delete;

  Vector pack(const std::vector<Layer>& layers) { return fit.errors().pack(fitted_part(layers)); }
  std::vector<Layer> unpack(const Vector& parameters) { return whole(fit.errors().unpack(parameters)); }

  std::vector<Layer> random_model(Random& random) {
    return whole(random_network(fitted_problem(), random, above ? Layer{} : known.units));
  }

  /// Any unit of a hidden layer that is not known.
  void replace_random_unit(Random& random, std::vector<Layer>& layers) {
    const std::vector<Index>& widths = fitted_problem().network.widths;
    const Index given = units_given();
    Index units = -given;
    for (std::size_t l = 1; l + 1 < widths.size(); ++l) units += widths[l];
    Index unit = given + random.index(units);
    std::size_t l = 0;
    for (; unit >= widths[l + 1]; ++l) unit -= widths[l + 1];
    std::vector<Layer> part = fitted_part(layers);
    replace_unit(fitted_problem(), fit.errors(), l, unit, random, part);
    layers = whole(part);
  }

  /// Of a step, and of about as many steps as a start takes.
  double step_cost() const { return std::pow(static_cast<double>(fit.free_count()), 2); }
  double start_cost() const { return 1000 * step_cost(); }

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor(starts, cost, best);
  }

  const LiftedProblem& problem;
  Known known;
  const std::optional<LiftedProblem> above;
  NetworkFit fit;
  Index starts = 0;
  double cost = 0;                                        // of all steps so far
  double best = std::numeric_limits<double>::infinity();  // relative residual

 private:
  const LiftedProblem& fitted_problem() const { return above ? *above : problem; }
  Index units_given() const { return above ? 0 : known.units.bias.size(); }
  std::vector<Layer> fitted_part(const std::vector<Layer>& layers) const {
    return {layers.begin() + (above ? 1 : 0), layers.end()};
  }
  std::vector<Layer> whole(std::vector<Layer> part) const {
    if (above) part.insert(part.begin(), known.units);
    return part;
  }
};

}  // namespace relufit
