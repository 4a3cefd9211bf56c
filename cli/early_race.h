/// \file
/// relufit's own updates on the problems of the source, by convex steps alone (docs/strategies.md, "From random and
/// zero starts").
#pragma once

#include "relufit/sequence.h"

namespace relufit::cli {

struct EarlyRaceOptions {
  Index starts = 30;   ///< random starts, until one succeeds, >= 1
  double size = 0.05;  ///< of the random guess of X and Y (random_parameters), > 0
};

struct EarlyRaceResult {
  bool solved = false;                ///< the network's outputs are the targets to `kSameOutputs`, relative
  std::vector<Layer> layers;          ///< of the last start whose problems were solved to the end; empty: of none
  double fit = 1;                     ///< its relative residual
  Index starts = 0;                   ///< made
  Index early_iterations = 0;         ///< of all starts; X and Y follow each
  Index inner_iterations = 0;         ///< of all starts, those among them
  std::vector<SequenceRecord> trace;  ///< of the problems solved to the end, in the last start that had them
};

constexpr double kSameOutputs = 1e-6;

/// A start has two phases. First X and Y follow every inner iteration, for 6000 at most. Where that has come near, at
/// most 50 problems are solved to the end, with extrapolated updates. Targets are scaled to size 1. Every other start
/// has the constants that did best in a random search on other problems; those between vary them and the size of
/// the guess. Ends early where `go_on` says so.
EarlyRaceResult race_early_updates(const LiftedProblem& problem, const EarlyRaceOptions& options,
                                   unsigned long long seed, const std::function<bool()>& go_on);

}  // namespace relufit::cli
