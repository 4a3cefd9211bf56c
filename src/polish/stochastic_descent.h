/// \file
/// Descent on batches of samples drawn at random: for data so large that a batch says nearly as much as all of them.
///
///     minimize    the loss of the plain network, with its ridge, over all weights and biases
///     cost        that of `kDescentBatch` samples a step, whatever their number N
///
/// Of every layer, weights and bias are one matrix W, with gradient G. Its steps are those of Adam (Kingma and Ba 2015)
/// in the basis where running means of G G' and G' G are diagonal, which Vyas et al. (2024) call SOAP:
///
///     P = Q_l' G Q_r,    M <- mean of G,    V <- mean of P o P,    W <- W - rate Q_l ((Q_l' M Q_r) / sqrt(V)) Q_r'
///
/// with Q_l, Q_r the eigenvectors, brought up to date by one orthogonal iteration every few steps. The units of a layer
/// share one output, so that G' G is far from diagonal, and Adam in the weights' own basis needs several times the
/// steps. The rate falls to 0 along a cosine.
///
/// Batches are drawn from the samples of all ranks, some at a time; rank 0 steps, and all get what it finds.
#pragma once

#include <functional>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "relufit/lift.h"

namespace relufit {

constexpr Index kDescentBatch = 512;

struct StochasticOptions {
  Index steps = 1000;                      ///< >= 1
  unsigned long long seed = 0;             ///< of the samples drawn
  int threads = 1;                         ///< >= 1; the result does not depend on them
  std::function<bool()> should_stop = {};  ///< asked now and then; true ends the descent where it is
  Piece piece = {};                        ///< where its state is kept
};

/// The network at the end of the descent, which may be no better than the given one. For problems without weight terms.
std::vector<Layer> descend(const LiftedProblem& problem, const std::vector<Layer>& layers,
                           const StochasticOptions& options);

}  // namespace relufit
