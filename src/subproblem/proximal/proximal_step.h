/// \file
/// The proximal step: the minimum over the copies, each on its own, between two affine steps,
///
///     z = prox_{g/rho}(state)        pairs, rank blocks, weights with terms, outputs.
#pragma once

#include <vector>

#include "parallel/chunks.h"
#include "subproblem/copies/copies.h"
#include "subproblem/copies/unit_copies.h"
#include "subproblem/proximal/rank_block_prox.h"

namespace relufit {

/// Rank blocks are mapped by a product from the left, T M (rank_block_prox.h), T depending on the Gram matrix of all of
/// M: per iteration reflect() for all blocks of the state; once the state has changed, clear() for all chunks,
/// accumulate() for all their blocks, and set_thresholds(). Chunks may run concurrently; sums over chunks are taken in
/// their order.
class ProximalStep {
 public:
  ProximalStep(const LiftedProblem& problem, const Copies& state, const Chunks& chunks);

  /// Keeps a reference to the parameters of pairs; null until there are any.
  void prepare(const RelaxationParameters* parameters, const RelaxationWeights& weights, const Penalties& penalties);
  /// Whether pairs are projected instead (SubproblemOptions::project_pairs).
  void project_pairs(bool project) { project_pairs_ = project; }

  void clear(Index chunk);
  void accumulate(const Copies& state, const Block& block);
  void set_thresholds(const Copies& state);

  /// reflected = 2 z - state on a block of samples.
  void reflect(const Copies& state, Range block, Copies& reflected) const;
  /// Likewise the parts whose columns are not samples.
  void reflect_shared(const Copies& state, Copies& reflected) const;

  /// 2 T - I of one rank block, by which its parts are reflected from the left.
  const Matrix& reflection(std::size_t index) const { return reflections_[index]; }

  /// W_l of one of the problem's weight terms, which satisfies it.
  Matrix weights(const Copies& state, std::size_t term) const;

 private:
  void reflect_shared_pairs(const Copies& state, std::size_t i, Range block, Copies& reflected) const;
  void reflect_pairs(const Copies& state, std::size_t i, Range block, Copies& reflected) const;
  void reflect_output(const Copies& state, Range block, Copies& reflected) const;
  void set_threshold(const Copies& state, std::size_t i);

  const LiftedProblem& problem_;
  Chunks chunks_;
  UnitCopies units_;
  /// The scales of the pairs of a block.
  const double* scales(std::size_t i, Index offset) const;

  const RelaxationParameters* parameters_ = nullptr;
  std::vector<Vector> uniform_scales_;  // of a block, where one is of all
  RelaxationWeights weights_;
  Penalties penalties_;
  bool project_pairs_ = false;
  std::vector<ThresholdMap> thresholds_;
  std::vector<Matrix> reflections_, grams_;  // 2 T - I, lower triangle of M M'
  std::vector<ChunkSums> partial_grams_;     // per product
};

}  // namespace relufit
