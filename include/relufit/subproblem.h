/// \file
/// Solver of one convex subproblem (relaxation.h), warm-started from the one before.
///
/// Alternating direction method of multipliers in its Douglas-Rachford form. Every ReLU pair (h, s) and every rank
/// block M has a local copy; so have Z, but for the unweighted squared and the exact loss of a free linear output, and
/// weights with terms of their own; x are all unknowns of the lift, A x their image in the space of copies:
///
///     z     = prox_{g/rho}(state)                         pairs and rank blocks, each on its own
///     image = A argmin_x f(x) + rho/2 ||A x - (2 z - state)||^2    the affine step: least squares, constant matrices
///     state = state + alpha (image - z)
///
/// z = image is optimality; (state - z) rho are the multipliers. See docs/method.md for the derivation.
#pragma once

#include <functional>
#include <memory>

#include "relufit/penalties.h"
#include "relufit/relaxation.h"

namespace relufit {

class StateVisitor;  // src/checkpoint/state_visitor.h

struct SubproblemOptions {
  double tolerance = 1e-8;  ///< absolute and relative, on primal and dual residual; 0: run all iterations
  Index max_iterations = 20000;
  double over_relaxation = 1.6;  ///< alpha in (0, 2)
  bool adapt_penalties = true;   ///< balance the residuals of each family by changing its penalty rho
  bool accelerate = true;        ///< Anderson acceleration (at most 2e5 copies; larger problems iterate plainly)
  /// Pairs are projected onto {h s = 0, h, s >= 0}, the limit of their proximal map for w -> 0 and lambda w^2 ->
  /// infinity; the problem is then not convex, and residuals prove nothing.
  bool project_pairs = false;
  Index check_interval = 10;          ///< iterations between residual checks
  std::function<bool()> should_stop;  ///< asked before every iteration; true makes it the last (limits, interrupts)
  /// Called where the solver's state may be kept: before the first iteration, at every check, and `last` before that
  /// one.
  std::function<void(bool last)> keep_state = {};
};

enum class SubproblemStatus {
  converged,        ///< both residuals below tolerance
  iteration_limit,  ///< not there yet: the point is usable, the multipliers are kept
  interrupted       ///< should_stop said so; likewise
};

const char* to_string(SubproblemStatus status);

struct SubproblemResult {
  SubproblemStatus status = SubproblemStatus::iteration_limit;
  Index iterations = 0;
  double primal_residual = 0;  ///< largest relative ||image - z|| of the families
  double dual_residual =
      0;  ///< largest relative rho ||image - z|| of the families (docs/method.md: one gap, two scales)
};

/// Throws std::invalid_argument when the problem has too many unknowns for general scales V1, V2 (or reweighting).
void check_general_scales(const LiftedProblem& problem);

/// Solves a sequence of subproblems on the same data. Holds all memory but the data; iterating allocates nothing with
/// scalar scales.
///
/// Cost per iteration with scalar scales is linear in the samples: O(N (n_l + n_{l-1}) (n_0 + n_l + n_{l-1})) summed
/// over the products l = 2..L (n_0 for l = 2 only). Parameters with matrices V1, V2 go through a dense Cholesky
/// factorization of all unknowns (at most 3000), cubic in their number once per change of parameters and quadratic per
/// iteration. Results do not depend on the number of threads.
class SubproblemSolver {
 public:
  /// Checks the problem, to which it then refers, and factorizes the data. threads >= 1. Throws std::invalid_argument.
  SubproblemSolver(const LiftedProblem& problem, const RelaxationWeights& weights, const Penalties& penalties = {},
                   int threads = 1);
  SubproblemSolver(LiftedProblem&&, const RelaxationWeights&, const Penalties& = {}, int = 1) = delete;
  ~SubproblemSolver();
  SubproblemSolver(SubproblemSolver&&) noexcept;
  SubproblemSolver& operator=(SubproblemSolver&&) noexcept;

  /// Sets X, Y and scales; iterates and multipliers stay (warm start). Throws std::invalid_argument.
  void set_parameters(const RelaxationParameters& parameters);

  /// Likewise, with new weights. Throws std::invalid_argument.
  void set_relaxation(const RelaxationParameters& parameters, const RelaxationWeights& weights);

  /// Likewise without a copy, and without the check: the parameters must suit the problem and stay alive and unchanged
  /// until others take their place or the solver ends.
  void refer_to(const RelaxationParameters& parameters, const RelaxationWeights& weights);

  /// Starts from the image of this point with zero multipliers (after set_parameters).
  void set_point(const LiftedPoint& point);

  /// Iterates until converged or at the limit, from where solve() was when the state was saved, if it was restored.
  SubproblemResult solve(const SubproblemOptions& options = {});

  /// The current unknowns x: affine constraints hold to rounding, signs of H and S to the primal residual.
  const LiftedPoint& point() const;
  /// The same, which the solver then no longer has.
  LiftedPoint take_point() &&;

  /// The network of these unknowns. Layers with weight terms have weights from the terms' copies, in which constraints
  /// hold to rounding and regularized weights are exactly zero where they vanish.
  std::vector<Layer> network() const;

  const Penalties& penalties() const;

  /// Saves the state while solve() calls keep_state, or restores it for these parameters and weights, which are those
  /// of refer_to when it was saved; solve() then goes on with the same bits.
  void visit_state(StateVisitor& visitor, const RelaxationParameters& parameters, const RelaxationWeights& weights);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace relufit
