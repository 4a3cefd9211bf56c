#include "train/choice/large_data.h"

#include <algorithm>
#include <numbers>
#include <utility>

#include "network/units.h"
#include "polish/stochastic_descent.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

constexpr Index kSteps = 12000;  // of the descent on all samples at least, which are to be drawn twice on the average
constexpr double kNorm = std::numbers::sqrt2;  // keeps the variance of a layer's values (He et al. 2015)

}  // namespace

std::vector<Layer> with_even_units(const LiftedProblem& problem, std::vector<Layer> layers) {
  if (!is_homogeneous(problem.network.activation)) return layers;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const Index units = problem.network.widths[l + 1];
    for (Index unit = 0; unit < units; ++unit) {
      const double norm = layers[l].weights(unit_rows(layers[l], unit, units), Eigen::all).norm();
      if (norm > 0) scale_unit(layers, l, unit, units, kNorm / norm);
    }
  }
  return layers;
}

PolishResult descend_on_all(const LiftedProblem& problem, const std::vector<Layer>& layers, unsigned long long seed,
                            const PolishOptions& options, const Piece& piece) {
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  result.iterations = std::max(kSteps, 2 * problem.total_samples() / kDescentBatch);
  const StochasticOptions descent{result.iterations, seed, options.threads, options.should_stop, piece};
  std::vector<Layer> descended = piece.once([&] { return descend(problem, layers, descent); });
  const double after = network_loss(problem, descended);
  if (after < result.before) {
    result.layers = std::move(descended);
    result.after = after;
  }
  return result;
}

}  // namespace relufit
