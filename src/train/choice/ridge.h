/// \file
/// The ridge that predicts held-out samples best, along a path of them.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "train/plan/problem.h"

namespace relufit {

/// Sees every ridge tried, its mean loss of held-out samples, and the least so far.
using RidgeObserver = std::function<void(double ridge, double held_out, double least)>;

/// Of the samples, or as many as are worth it; nothing where there are too few to choose by. The options' time limit,
/// of the training that the clock began with, and should_stop end the path early, with the best ridge so far. A ridge
/// in the options ends the path, and is chosen. Throws what the relaxation throws. Kept in `piece`.
std::optional<RidgeChoice> choose_ridge(const Dataset& data, const ScaledProblem& scaled, const TrainOptions& options,
                                        const TrainPlan& plan, const Clock& clock, const RidgeObserver& tried,
                                        const Piece& piece);

}  // namespace relufit
