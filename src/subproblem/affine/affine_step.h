/// \file
/// The affine step: the least-squares problem over all unknowns x = (W, b, H, S, Z) between two proximal maps,
///
///     minimize  f(x) + sum over copies of rho/2 ||A x - target||^2   subject to  W_1 U + b_1 1' = H_1 - S_1,
///
/// f being the ridge and, where Z has no copy, the loss.
#pragma once

#include <memory>

#include "base/parallel.h"
#include "subproblem/copies/copies.h"

namespace relufit {

/// Contract of all implementations. Per iteration: accumulate() for all chunks of samples, solve() once, recover() for
/// all chunks. Chunks may run concurrently; sums over chunks are taken in their order.
class AffineStep {
 public:
  virtual ~AffineStep() = default;

  /// Factorizes for new parameters or penalties. Keeps a reference to the parameters.
  virtual void prepare(const RelaxationParameters& parameters, const Penalties& penalties) = 0;

  /// What the samples of chunk `slot` contribute to the equations of the weights.
  virtual void accumulate(const Copies& target, Range samples, Index slot) = 0;

  /// Solves for weights and biases.
  virtual void solve(const Copies& target) = 0;

  /// The image A x on the samples of a chunk.
  virtual void recover(const Copies& target, Range samples, Index slot, Copies& image) = 0;

  /// Weights and biases, layers 1..L.
  virtual const std::vector<Layer>& layers() const = 0;
};

/// Constant factorizations, linear in the samples; scalar scales V1, V2. See affine_step_structured.cpp.
std::unique_ptr<AffineStep> make_structured_affine_step(const LiftedProblem& problem, const Chunks& chunks);

/// No hidden layer. See affine_step_linear.cpp.
std::unique_ptr<AffineStep> make_linear_affine_step(const LiftedProblem& problem, const Chunks& chunks);

/// Any V1, V2, through a Cholesky factorization of all unknowns. See affine_step_dense.cpp.
std::unique_ptr<AffineStep> make_dense_affine_step(const LiftedProblem& problem);

}  // namespace relufit
