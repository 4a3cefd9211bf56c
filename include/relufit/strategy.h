/// \file
/// Update strategies: how one convex problem follows from the solution of the last one. Formulas, figures and the
/// proof for `safeguarded` are in docs/strategies.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relufit/relaxation.h"

namespace relufit {

enum class Strategy {
  converged,     ///< the source's: solve to the end, then X = -A, Y = -B
  inexact,       ///< the same update after a few inner iterations, multipliers kept
  extrapolated,  ///< solve to the end, then X = -(A + m (A - A_before)), Y likewise
  continuation,  ///< inexact, with weights lambda that grow from small to their full value
  reweighted,    ///< converged, with V1, V2, w from the residuals of the last solution (the source's)
  safeguarded,   ///< converged, refusing solutions that raise the exact penalty, with smaller scales then
  projection     ///< inexact with one inner iteration; pairs are projected onto {h s = 0, h, s >= 0}: the limit w -> 0
};

const char* to_string(Strategy strategy);

/// All strategies, in the order above.
const std::vector<Strategy>& all_strategies();

/// Throws std::invalid_argument for an unknown name, listing those known.
Strategy strategy_from(std::string_view name);

/// Constants of the strategies that have any.
struct StrategyOptions {
  double momentum = 0.7;              ///< extrapolated: m, in [0, 1]
  Index reweight_from = 3;            ///< reweighted: first outer iteration (counted from 1) that uses it, >= 1
  double reweight_floor = 0.2;        ///< reweighted: g in V1 = (E E' + g I)^-1, V2 = (E'E + g I)^-1, > 0
  double continuation_start = 0.1;    ///< continuation: first weights, relative to the full ones, in (0, 1]
  double continuation_growth = 1.05;  ///< continuation: factor of the weights per outer iteration, > 1
  double smallest_scale = 1e-4;       ///< safeguarded: scales shrink to this share of the given ones at most, in (0, 1]
};

/// Loss, ridge, weight terms and lambda_j v1 v2 ||C - A B||_* (pairs: lambda w^2 |h s|) at a point: the exact penalty
/// that the relaxation with these weights and scales majorizes while its scales are small enough.
double exact_penalty(const LiftedProblem& problem, const RelaxationWeights& weights, const RelaxationScales& scales,
                     const LiftedPoint& point);

}  // namespace relufit
