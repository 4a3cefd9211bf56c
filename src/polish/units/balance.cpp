#include "polish/units/balance.h"

#include <cmath>

#include "network/units.h"

namespace relufit {

namespace {

constexpr int kSweeps = 100;
constexpr double kBalanced = 1e-12;  // s^2 - 1 that is no more than rounding

}  // namespace

std::vector<Layer> balanced(const LiftedProblem& problem, std::vector<Layer> layers) {
  if (!(problem.ridge > 0) || !problem.weight_terms.empty() || !is_homogeneous(problem.network.activation))
    return layers;
  const int sweeps = layers.size() > 2 ? kSweeps : 1;
  bool changed = true;
  for (int sweep = 0; sweep < sweeps && changed; ++sweep) {
    changed = false;
    for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
      const Index units = problem.network.widths[l + 1];
      for (Index unit = 0; unit < units; ++unit) {
        const double incoming = layers[l].weights(unit_rows(layers[l], unit, units), Eigen::all).norm();
        const double outgoing = layers[l + 1].weights.col(unit).norm();
        const double square = outgoing / incoming;
        const double scale = std::sqrt(square);
        if (!(scale > 0 && std::isfinite(scale)) || std::abs(square - 1) <= kBalanced) continue;
        scale_unit(layers, l, unit, units, scale);
        changed = true;
      }
    }
  }
  return layers;
}

}  // namespace relufit
