/// \file
/// Least squares of an affine map of the input data, regularized, with the targets changing:
///
///     minimize over (W, b)   1/2 weight ||W U + b 1' - T||^2 + 1/2 ridge ||W||^2,
///
/// whose solution is a shrunken projection onto the row space of the data (row_space.h): W U + b 1' = T Q diag(gamma)
/// Q'. Copies of W (weight terms) add p/2 ||W - mean||^2: the same for W - W* with W* = p mean / (ridge + p), with the
/// ridge ridge + p, and T Q - P, P = W* (U - u 1') Q, in the place of T Q.
#pragma once

#include "linear_algebra/products.h"
#include "parallel/chunks.h"
#include "subproblem/affine/row_space.h"
#include "subproblem/copies/copies.h"

namespace relufit {

/// The map is that of the problem's first layer. Per solution: clear() and add() for all chunks, then solve().
class LinearFit {
 public:
  LinearFit(const LiftedProblem& problem, const Chunks& chunks);

  void prepare(double weight, const Penalties& penalties);
  void clear(Index chunk) { partial_.clear(chunk); }

  /// The targets T of a block of samples.
  template <class Columns>
  void add(const Columns& targets, const Block& block) {
    Eigen::Map<Matrix> sum(partial_.data(block.chunk), projected_.rows(), projected_.cols());
    add_product(sum, targets, rows_.basis().middleCols(block.begin, block.size).transpose());
  }

  /// `copies`: for the targets of the copies of W.
  void solve(const Copies& copies);

  /// W U + b 1' for a block of samples.
  template <class Columns>
  void evaluate(Range block, Columns&& values) const {
    set_product(values, shrunk_, rows_.basis().middleCols(block.begin, block.size));
  }

  const Layer& layer() const { return layer_; }

 private:
  const LiftedProblem& problem_;
  double alpha_ = 0;
  RowSpace rows_;
  Vector gamma_;
  Layer layer_;
  ChunkSums partial_;  // T Q
  Matrix projected_, shrunk_;
  WeightPull pull_;  // its mean being W*
  Matrix pull_q_;    // P
};

}  // namespace relufit
