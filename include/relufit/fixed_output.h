/// \file
/// Exact fit of one hidden layer whose output weights are given:  sum over units of s_i relu(w_i u + b_i) = y. The
/// output has no bias; whether the units have is LiftedProblem::bias.
///
/// With D = T X the units' arguments (X the inputs, and a row of ones with biases) and E standing for |D|, what is
/// sought lies in two sets, onto both of which one can project exactly:
///
///     A = { (D, E): the rows of D lie in the row space of X,  s'(D + E) / 2 = y }     affine
///     B = { (D, E): E = |D| }                                                         each entry on its own
///
/// Douglas-Rachford iteration between them, with some more units than asked, comes near a fit; merging units and a
/// Levenberg-Marquardt fit make it exact. See docs/method.md.
#pragma once

#include <functional>
#include <vector>

#include "relufit/search.h"

namespace relufit {

struct FixedOutputOptions {
  unsigned long long seed = 1;
  Vector output_weights;              ///< s, one per hidden unit, finite and not 0; empty: ones
  double extra_units = 0.2;           ///< more units while iterating, relative to the width (rounded up), finite, >= 0
  double relaxation = 1;              ///< of the Douglas-Rachford iteration, in (0, 2)
  Index max_iterations = 6000;        ///< of one start, >= 1
  Index max_starts = 3;               ///< >= 1
  double coarse_tolerance = 0.01;     ///< relative residual at which iterating ends and the fit begins, > 0
  double tolerance = 1e-9;            ///< on the relative residual of the plain network, > 0
  double time_limit = 0;              ///< seconds; 0: none
  std::function<bool()> should_stop;  ///< asked now and then; true ends the search
  const Piece* piece = nullptr;       ///< where training keeps the state, as in SequenceOptions; null: nowhere
};

struct FixedOutputResult {
  SearchStatus status = SearchStatus::run_limit;
  std::vector<Layer> layers;     ///< the best network found, of the asked widths, converged or not
  double relative_residual = 0;  ///< ||F(U) - Y||_F / ||Y||_F of that network (||Y|| = 0: the absolute norm)
  Index starts = 0;
  Index iterations = 0;  ///< of Douglas-Rachford, in all
  double seconds = 0;
};

/// Sees, every 50 iterations and at the end of a start, the iterations so far (all starts together) and the relative
/// residual of the present network, which has the extra units. Returns false to stop.
using FixedOutputObserver = std::function<bool(Index iterations, double residual)>;

/// Fits `problem` (one hidden layer, one linear output, exact loss, no ridge) with the options' output weights. The
/// same seed gives the same network unless time limit or should_stop end the search. Iterates in single precision.
/// Throws std::invalid_argument for other problems, or options out of range.
FixedOutputResult fit_fixed_output(const LiftedProblem& problem, const FixedOutputOptions& options = {},
                                   const FixedOutputObserver& observer = {});

}  // namespace relufit
