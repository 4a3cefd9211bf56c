#include "relufit/strategy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "problem/sample_sums.h"

namespace relufit {

const char* to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::converged:
      return "converged";
    case Strategy::inexact:
      return "inexact";
    case Strategy::extrapolated:
      return "extrapolated";
    case Strategy::continuation:
      return "continuation";
    case Strategy::reweighted:
      return "reweighted";
    case Strategy::safeguarded:
      return "safeguarded";
    case Strategy::projection:
      return "projection";
  }
  return "unknown";
}

const std::vector<Strategy>& all_strategies() {
  static const std::vector<Strategy> all = {Strategy::converged,    Strategy::inexact,    Strategy::extrapolated,
                                            Strategy::continuation, Strategy::reweighted, Strategy::safeguarded,
                                            Strategy::projection};
  return all;
}

Strategy strategy_from(std::string_view name) {
  std::vector<std::string> names;
  for (const Strategy strategy : all_strategies()) {
    names.emplace_back(to_string(strategy));
    if (names.back() == name) return strategy;
  }
  throw std::invalid_argument(fmt::format("strategy: '{}', expected one of {}", name, fmt::join(names, ", ")));
}

double exact_penalty(const LiftedProblem& problem, const RelaxationWeights& weights, const RelaxationScales& scales,
                     const LiftedPoint& point) {
  double penalty = loss_value(problem, point.output);
  for (const Layer& layer : point.layers) penalty += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (const WeightTerm& term : problem.weight_terms) {
    penalty += term_value(term, point.layers[static_cast<std::size_t>(term.layer) - 1].weights);
  }
  const Chunks chunks = Chunks::of(problem);
  for (const BilinearEquality& equality : bilinear_equalities(problem)) {
    if (equality.kind == BilinearEquality::Kind::pair) {
      const auto l = static_cast<std::size_t>(equality.layer - 1);
      const auto violation = [&](Range samples) {
        const auto columns = [&](const Matrix& of) { return of.middleCols(samples.begin, samples.size); };
        return columns(point.active[l]).cwiseProduct(columns(point.slack[l])).lpNorm<1>();
      };
      penalty += weights.pair * scales.pair * scales.pair * sum_over(chunks, violation);
    } else {
      const auto rows = [&](Range samples) {
        return Matrix(bilinear_residual(samples_of(point, samples.begin, samples.size), equality).transpose());
      };
      const Index columns = problem.network.layers()[static_cast<std::size_t>(equality.layer) - 1].rows;
      penalty += weights.product * scales.left * scales.right * nuclear_norm(triangle_over(chunks, columns, rows));
    }
  }
  return penalty;
}

}  // namespace relufit
