/// \file
/// Local refinement of a network that is nearly right: from the activation pattern it has, to machine precision.
#pragma once

#include <functional>
#include <vector>

#include "relufit/lift.h"

namespace relufit {

struct PolishOptions {
  Index max_iterations = 500;         ///< >= 1
  Index largest_dense = 5000000;      ///< entries of the Jacobian up to which Levenberg-Marquardt is used, >= 0
  std::function<bool()> should_stop;  ///< asked at every iteration; true ends the refinement
};

struct PolishResult {
  std::vector<Layer> layers;  ///< the refined network, or the given one where nothing better was found
  double before = 0;          ///< network_loss (exact loss: half the squared error) of the given network
  double after = 0;           ///< the same of `layers`, never larger; both by plain evaluation
  Index iterations = 0;
  bool interrupted = false;
};

/// Minimizes the loss of the plain network, with its ridge, over all weights and (where the problem has them) biases:
/// Levenberg-Marquardt (Eigen's port of MINPACK) where the Jacobian is small, L-BFGS (libLBFGS) beyond. Where a ReLU
/// output must vanish its error is max(Z, 0), elsewhere Z - Y, so that an output wrongly off has a gradient. Throws
/// std::invalid_argument when the layers do not fit the problem or an option is out of range.
PolishResult polish(const LiftedProblem& problem, const std::vector<Layer>& layers, const PolishOptions& options = {});

}  // namespace relufit
