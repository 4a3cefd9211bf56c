/// \file
/// From a network's errors to a lower bound: the multipliers R as numbers for which rounding leaves the proof intact.
#pragma once

#include "certificate/bounds/unit_problem.h"
#include "relufit/lift.h"

namespace relufit {

/// What the bound is as a function of t, with T = t R,
///
///     squared    t <R, Y> - t^2/2 (sum |R_j|^2 / omega_j + skipped)                       skipped = |R X'|^2 / ridge
///     logistic   sum omega_j H(y_j - t r_j / omega_j) - t^2/2 skipped,  0 <= t <= 1,      H(p) = -p log p - (1-p)
///     log(1-p)
///
/// concave, from below in spite of rounding.
class DualValue {
 public:
  DualValue(const LiftedProblem& problem, const Vector& weights, const Matrix& dual);

  double at(double t) const;
  /// The t in [0, most] for which it is largest.
  double best(double most) const;

 private:
  bool logistic_;
  double linear_ = 0, square_ = 0;     // of the squared loss; square: with what is skipped
  Vector targets_, shares_, weights_;  // logistic: y, r / omega, omega where that is not 0
};

/// R lies on a grid, integers times a power of two, so that with biases its rows sum to exactly 0. Samples with equal
/// inputs are one in `unit`, their R added (exactly). Inputs are turned to their principal axes V by P = V'X, with
/// rounding: |x - V p| <= eta, |V'V - I| <= delta, so that
///
///     max |R max(0, X w + b)| <= sqrt(1 + delta) max |R max(0, P w + b)| + sum_i |R_i| eta_i.
struct DualPoint {
  UnitProblem unit;
  DualValue value;
  Matrix axes;              ///< V
  double inflation = 1;     ///< sqrt(1 + delta)
  double displacement = 0;  ///< sum of |R_i| eta_i
  double ridge = 0;

  /// The bound for the best t, M(R) being known from above for the turned inputs.
  double lower_bound(double unit_upper) const;
  /// The M(R) that is small enough: a smaller one makes the bound no better.
  double enough() const;
};

/// Of the slopes of the loss, omega_j (y_j - F(x_j)) or omega_j (y_j - 1 / (1 + exp(-F(x_j)))), of the network with
/// these layers.
DualPoint dual_point(const LiftedProblem& problem, const std::vector<Layer>& layers);

}  // namespace relufit
