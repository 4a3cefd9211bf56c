/// \file
/// Search for a network that fits the data exactly, by many short local fits.
///
/// One run is a Levenberg-Marquardt fit, given up early where it does not fall fast. Where it ends in a local minimum,
/// one unit is replaced by a random one and the fit repeated, keeping what is better; after `patience` runs without
/// progress the search starts afresh. With one hidden layer of ReLUs the fits eliminate the output weights and, for
/// linear outputs, use some extra units and a linear term, which makes most of them succeed; the exact fit is then
/// reduced to the width asked for. See docs/method.md.
#pragma once

#include <functional>
#include <vector>

#include "relufit/lift.h"

namespace relufit {

/// How a search ended.
enum class SearchStatus {
  converged,   ///< the plain network's relative residual is at most the tolerance
  run_limit,   ///< all runs were made
  time_limit,  ///< the time limit has passed
  interrupted  ///< the observer or should_stop said stop
};

const char* to_string(SearchStatus status);

class Piece;  // src/checkpoint/checkpoint.h

struct SearchOptions {
  unsigned long long seed = 1;
  double time_limit = 0;   ///< seconds; 0: none
  Index max_runs = 10000;  ///< local fits, >= 1
  Index patience = 60;     ///< runs in a row without progress before a fresh start, >= 0 (0: every start is fresh)
  /// One hidden layer of ReLUs, linear outputs: extra units of a run, relative to the width, at least one; fewer, or
  /// none, where the data are few. 0: runs have the asked width and no linear term. Finite, >= 0.
  double extra_units = 0.2;
  double tolerance = 1e-9;            ///< on the relative residual of the plain network, > 0
  std::function<bool()> should_stop;  ///< asked at every iteration of a run; true ends the search
  const Piece* piece = nullptr;       ///< where training keeps the state, as in SequenceOptions; null: nowhere
};

/// Sees, after every run, the number of runs so far and the smallest relative residual of the models they ended in
/// (models with their extra units; a ReLU output is one-sided where it must vanish and linear elsewhere). Returns false
/// to stop.
using SearchObserver = std::function<bool(Index runs, double best_residual)>;

struct SearchResult {
  SearchStatus status = SearchStatus::run_limit;
  std::vector<Layer> layers;     ///< the best network found, of the asked widths, converged or not
  double relative_residual = 0;  ///< ||F(U) - Y||_F / ||Y||_F of that network (||Y|| = 0: the absolute norm)
  Index runs = 0;
  double seconds = 0;
};

/// Searches for an exact fit. The same seed gives the same network unless time limit or callbacks end the search.
/// Data should be scaled: inputs of size about 1.
/// Throws std::invalid_argument for a problem or options out of range, another than the exact loss, a ridge,
/// or weight terms.
SearchResult search_exact_fit(const LiftedProblem& problem, const SearchOptions& options = {},
                              const SearchObserver& observer = {});

}  // namespace relufit
