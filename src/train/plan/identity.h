/// \file
/// What tells a training from others whose results may differ, for its checkpoint.
#pragma once

#include "checkpoint/checkpoint.h"
#include "relufit/train_options.h"

namespace relufit {

/// Of data and options: all but the time limit, threads, callbacks, and the options of the checkpoint itself.
Checkpoint::Identity identity_of(const Dataset& data, const TrainOptions& options);

}  // namespace relufit
