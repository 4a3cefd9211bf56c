/// \file
/// The convex subproblem (relaxation.h) as a semidefinite program in SDPA sparse format, for CSDP, SDPA and other
/// solvers.
///
/// The program is built from the definition alone, so that its optimum is an independent check of SubproblemSolver:
/// every nuclear norm is a semidefinite block,
///
///     ||M||_*  =  minimum of 1/2 (tr P + tr Q)   subject to   [ P  M ; M'  Q ] >= 0 ,
///
/// 4 x 4 for every ReLU pair, of order (n_l + n_{l-1}) + (N + n_{l-1}) for the product of layer l. Squares (ridge,
/// squared loss) are 2 x 2 blocks [ t r ; r 1 ] >= 0, which says t >= r^2.
///
/// Sign conventions, those of the format: minimize c' x subject to F_1 x_1 + ... + F_m x_m - F_0 >= 0. Blocks come in
/// the order: one diagonal block (written with negative size) for H_l >= 0, S_l >= 0 and what a ReLU output needs where
/// the target is not positive, -Z >= 0 (exact loss) or p >= 0, p - Z >= 0 (squared loss); then the semidefinite blocks.
/// CSDP calls this its dual problem: its "dual objective" is c' x, and its y (first line of the solution file) is x.
///
/// Variables x come in this order, matrices column by column: W_1, b_1, ..., W_L, b_L, H_1, ..., H_D, S_2, ..., S_D, Z,
/// then the auxiliary ones. S_1 = H_1 - W_1 U - b_1 1' is substituted, exact outputs are constants. Interior-point
/// solvers need an optimum that is bounded; what can run off to infinity without changing the objective is therefore
/// fixed:
///
/// * without ridge, weights of inputs that depend linearly on other inputs and the constant are 0 and no variables;
/// * in a row of a ReLU output without any positive target, b_L = 0 and Z is not bounded above: an arbitrarily negative
///   bias makes any such row feasible at no cost.
///
/// Without biases (LiftedProblem::bias) no b_l are variables, and neither `the constant` nor the second point applies.
///
/// Comment lines at the top of the file give the range of every unknown and the offset.
#pragma once

#include <string>

#include "relufit/relaxation.h"

namespace relufit {

struct SdpOptions {
  /// Products as N + n_{l-1} blocks of order n_l + n_{l-1} + 1, one per column m_j of M, that share P:
  /// ||M||_* = minimum of 1/2 (tr P + sum t_j) subject to [ P m_j ; m_j' t_j ] >= 0. The same optimum with a number of
  /// variables linear in the samples: off-diagonal entries of Q occur nowhere else.
  bool split_products = false;
};

struct SdpProgram {
  std::string text;     ///< the file
  double offset = 0;    ///< relaxation_objective at the optimum = optimum of the program + offset
  Index variables = 0;  ///< m
};

/// Throws std::invalid_argument where the arguments are not a valid subproblem.
SdpProgram sdp_program(const LiftedProblem& problem, const RelaxationParameters& parameters,
                       const RelaxationWeights& weights, const SdpOptions& options = {});

/// Writes sdp_program(...).text; an existing file is replaced. Throws std::runtime_error where that fails.
void export_sdp(const LiftedProblem& problem, const RelaxationParameters& parameters, const RelaxationWeights& weights,
                const std::string& path, const SdpOptions& options = {});

}  // namespace relufit
