/// \file
/// The starts of a training.
#pragma once

#include <vector>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "relufit/train.h"

namespace relufit {

struct FinishedStarts {
  std::vector<SequenceResult> results;
  Index best = 0;
};

/// Runs all starts by the planned method (plan.ridge is chosen) and finds the best of them. The clock began with the
/// training, which is kept in `piece`.
FinishedStarts run_starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan,
                          const Clock& clock, const TrainObserver& observer, const Piece& piece);

}  // namespace relufit
