/// \file
/// relufit's own updates on the problems of the source, by convex steps alone (docs/strategies.md, "From random and
/// zero starts" and "From perturbed values").
#pragma once

#include <optional>

#include "relufit/sequence.h"

namespace relufit::cli {

struct EarlyRaceOptions {
  Index starts = 30;                ///< until one succeeds, >= 1
  Index kicks = 0;                  ///< in a row without progress that end a start, >= 0
  double size = 0.05;               ///< of the random guess of X and Y (random_parameters), > 0
  std::optional<LiftedPoint> from;  ///< where all starts begin, without an early phase; none: at random guesses
};

struct EarlyRaceResult {
  bool solved = false;                ///< the network's outputs are the targets to `kSameOutputs`, relative
  std::vector<Layer> layers;          ///< the best of all problems solved to the end; empty: there were none
  double fit = 1;                     ///< its relative residual
  Index starts = 0;                   ///< made
  Index kicks = 0;                    ///< made, in all starts
  Index early_iterations = 0;         ///< of all starts; X and Y follow each
  Index inner_iterations = 0;         ///< of all starts, those among them
  std::vector<SequenceRecord> trace;  ///< of the problems solved to the end that led to it
};

constexpr double kSameOutputs = 1e-6;

/// A start has two phases. First X and Y follow every inner iteration, for 6000 at most. Where that has come near, at
/// most 50 problems are solved to the end, with extrapolated updates; where these stall, again from there with noise (a
/// kick), and so on from the best. Targets are scaled to size 1. Every other start has the constants that did best in
/// a random search on other problems; those between vary them and the size of the guess. Ends early where `go_on` says
/// so.
EarlyRaceResult race_early_updates(const LiftedProblem& problem, const EarlyRaceOptions& options,
                                   unsigned long long seed, const std::function<bool()>& go_on);

}  // namespace relufit::cli
