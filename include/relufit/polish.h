/// \file
/// Local refinement of a network that is nearly right: from the activation pattern it has, to machine precision.
#pragma once

#include <functional>
#include <vector>

#include "relufit/lift.h"

namespace relufit {

class Piece;  // src/checkpoint/checkpoint.h

struct PolishOptions {
  Index max_iterations = 500;  ///< >= 1
  /// Relative decrease of the loss over 10 iterations at which descent ends, >= 0; 0: goes on to a local minimum.
  double tolerance = 0;
  int threads = 1;                    ///< over the samples, >= 1; the result does not depend on them
  Index largest_dense = 5000000;      ///< entries of the Jacobian up to which Levenberg-Marquardt is used, >= 0
  std::function<bool()> should_stop;  ///< asked at every iteration; true ends the refinement
  /// refit_output: what rounding of raw inputs and outputs is relative to, in scaled units (constraints/rounding.h).
  Matrix input_sizes = {};       ///< (|u| + |offset|) / scale, inputs x samples; empty: |inputs|
  Vector output_offset = {};     ///< |offset| / scale of the targets; empty: 0
  const Piece* piece = nullptr;  ///< polish: where training keeps the state, as in SequenceOptions; null: nowhere
};

struct PolishResult {
  std::vector<Layer> layers;  ///< the refined network, or the given one where nothing better was found
  double before = 0;          ///< network_loss (exact loss: half the squared error) of the given network
  double after = 0;           ///< the same of `layers`, never larger; both by plain evaluation
  Index iterations = 0;
  bool interrupted = false;
};

/// Minimizes the loss of the plain network, with its ridge, over all weights and (where the problem has them) biases:
/// L-BFGS (libLBFGS), and from there, for unweighted squares where the Jacobian is small, Levenberg-Marquardt, which
/// makes exact fits exact (not with a tolerance); each for at most max_iterations. Where a ReLU output must vanish its
/// error is max(Z, 0), elsewhere Z - Y, so that an output wrongly off has a gradient. With a ridge, and an activation
/// that allows it, the result is balanced: incoming and outgoing weights of every unit have the same norm. Throws
/// std::invalid_argument when the layers do not fit the problem or an option is out of range.
///
/// With weight terms: where the Jacobian is small, and for losses but absolute, quantile and hinge, by
/// Levenberg-Marquardt whose steps are convex problems under these terms; the given layers must satisfy the
/// constraints, which hold in the result to rounding. Otherwise the given layers. Output bounds are left out
/// (refit_output).
PolishResult polish(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options = {});

/// Minimizes the loss over the output layer alone, whose inputs the other layers make: a convex problem, solved to its
/// optimum whatever the loss, with the ridge, that layer's weight terms and the output bounds. Bounds are tightened
/// where there is room, so that they hold in spite of rounding on every processor; what the convex problem still misses
/// is made up for by the least change of the weights (refit_output.cpp). The result is the given network where that is
/// at least as good: no larger violation of the tightened bounds and no larger loss. Throws as polish.
PolishResult refit_output(const LiftedProblem& problem, const std::vector<Layer>& layers,
                          const PolishOptions& options = {});

}  // namespace relufit
