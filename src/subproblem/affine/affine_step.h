/// \file
/// The affine step: the least-squares problem over all unknowns x = (W, b, H, S, Z) between two proximal maps,
///
///     minimize  f(x) + sum over copies of rho/2 ||A x - target||^2   subject to  W_1 U + b_1 1' = H_1 - S_1,
///
/// f being the ridge and, where Z has no copy, the loss.
#pragma once

#include <memory>

#include "parallel/chunks.h"
#include "subproblem/copies/copies.h"

namespace relufit {

/// Contract of all implementations. Per iteration: clear() for all chunks of samples and accumulate() for all their
/// blocks, solve() once, recover() for all blocks. Chunks may run concurrently; sums over chunks are taken in their
/// order.
class AffineStep {
 public:
  virtual ~AffineStep() = default;

  /// New parameters or penalties: set(), clear() for all chunks and accumulate_parameters() for all their blocks, then
  /// factorize(). Keeps a reference to the parameters.
  virtual void set(const RelaxationParameters& parameters, const Penalties& penalties) = 0;
  virtual void accumulate_parameters(const Block& block) = 0;
  virtual void factorize() = 0;

  /// Forgets what the samples of a chunk contributed.
  virtual void clear(Index chunk) = 0;

  /// Adds what a block of samples contributes to the equations of the weights.
  virtual void accumulate(const Copies& target, const Block& block) = 0;

  /// Solves for weights and biases.
  virtual void solve(const Copies& target) = 0;

  /// The image A x on a block of samples, in the first columns of `image`.
  virtual void recover(const Copies& target, const Block& block, Copies& image) = 0;

  /// The parts of A x whose columns are not samples.
  virtual void recover_shared(Copies& image) = 0;

  /// Weights and biases, layers 1..L.
  virtual const std::vector<Layer>& layers() const = 0;
};

/// `workers`: as many threads may call it at once. Constant factorizations, linear in the samples; scalar scales V1,
/// V2. See structured_step.cpp.
std::unique_ptr<AffineStep> make_structured_affine_step(const LiftedProblem& problem, const Chunks& chunks,
                                                        Index workers);

/// No hidden layer. See linear_step.cpp.
std::unique_ptr<AffineStep> make_linear_affine_step(const LiftedProblem& problem, const Chunks& chunks, Index workers);

/// Any V1, V2, through a Cholesky factorization of all unknowns. See dense_step.cpp.
std::unique_ptr<AffineStep> make_dense_affine_step(const LiftedProblem& problem);

}  // namespace relufit
