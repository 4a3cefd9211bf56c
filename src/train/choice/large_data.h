/// \file
/// Training on more rows than are worth a pass for every step: a descent on batches of them
/// (polish/stochastic_descent.h) takes the place of polish, in the choice of the ridge and after it, and begins with a
/// relaxation on few rows.
#pragma once

#include "relufit/polish.h"
#include "train/plan/sharing.h"

namespace relufit {

constexpr Index kRelaxedRows = 5000;   // drawn at random
constexpr Index kChoiceRows = 200000;  // at most, likewise, for the choice of a ridge
constexpr Index kChoiceSteps = 1000;   // of the descent for each ridge tried

/// Whether a training with this plan is one of these.
inline bool is_large(Index total_samples, const TrainPlan& plan) { return plan.path && total_samples > kSampledRows; }

/// A network to descend from, with the values of this one: incoming weights of hidden units get one norm where the
/// activation allows that, so that steps of one size suit all. Those of a relaxation are up to a hundred times less.
std::vector<Layer> with_even_units(const LiftedProblem& problem, std::vector<Layer> layers);

/// The network after a descent, or the given one where that is no better. With several ranks all call it together.
PolishResult descend_on_all(const LiftedProblem& problem, const std::vector<Layer>& layers, unsigned long long seed,
                            const PolishOptions& options, const Piece& piece);

}  // namespace relufit
