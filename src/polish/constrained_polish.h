/// \file
/// Local refinement under weight terms.
#pragma once

#include "problem/network_errors.h"
#include "relufit/polish.h"

namespace relufit {

/// Whether there is one for the problem: weight terms, a loss with a curvature, a small Jacobian.
bool has_constrained_polish(const LiftedProblem& problem, const PolishOptions& options);

/// Decreases network_loss of a problem with weight terms and a loss that has a curvature from `layers`, which should
/// satisfy its constraints; those of the result hold to rounding. See constrained_polish.cpp.
PolishResult polish_constrained(const LiftedProblem& problem, const std::vector<Layer>& layers,
                                const PolishOptions& options);

/// The same with the corners of the activations first rounded off a little, which leads past kinks near `layers`.
PolishResult polish_past_kinks(const LiftedProblem& problem, const std::vector<Layer>& layers,
                               const PolishOptions& options);

struct RaceResult {
  Index winner = 0;  ///< of the given networks, counted from 0
  PolishResult polish;
};

/// The same for several networks, of which only the best are followed to the end, and with the corners of the
/// activations first rounded off, which leads past many local minima: the networks may end far from where they began.
/// The result does not depend on the threads.
RaceResult race(const LiftedProblem& problem, const std::vector<std::vector<Layer>>& networks,
                const PolishOptions& options, int threads);

}  // namespace relufit
