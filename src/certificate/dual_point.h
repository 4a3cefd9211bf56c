/// \file
/// From a network's errors to a lower bound: the multipliers R as numbers for which rounding leaves the proof intact.
#pragma once

#include "certificate/unit_problem.h"
#include "relufit/lift.h"

namespace relufit {

/// R lies on a grid, integers times a power of two, so that with biases its rows sum to exactly 0. Samples with equal
/// inputs are one in `unit`, their R added (exactly). Inputs are turned to their principal axes V by P = V'X, with
/// rounding: |x - V p| <= eta, |V'V - I| <= delta, so that
///
///     max |R max(0, X w + b)| <= sqrt(1 + delta) max |R max(0, P w + b)| + sum_i |R_i| eta_i.
struct DualPoint {
  UnitProblem unit;
  Matrix axes;              ///< V
  double inflation = 1;     ///< sqrt(1 + delta)
  double displacement = 0;  ///< sum of |R_i| eta_i
  double linear = 0;        ///< <R, Y>, from below
  double square = 0;        ///< sum |R_j|^2 / omega_j + |R X'|^2 / ridge, from above
  double ridge = 0;

  /// The bound for the best t, M(R) being known from above for the turned inputs.
  double lower_bound(double unit_upper) const;
  /// The M(R) that is small enough: a smaller one makes the bound no better.
  double enough() const;
};

/// Of the errors omega_j (y_j - F(x_j)) of the network with these layers.
DualPoint dual_point(const LiftedProblem& problem, const std::vector<Layer>& layers);

}  // namespace relufit
