/// \file
/// The width of one hidden layer that predicts held-out samples best.
#pragma once

#include "base/clock.h"
#include "train/choice/ridge.h"

namespace relufit {

/// By the ridge's own choice (choose_ridge), with the options' ridge at the end of its path where one is given. The
/// clock began with the training, whose time limit it keeps to. `tried` sees every ridge, of every width.
WidthChoice choose_width(const Dataset& data, const TrainOptions& options, const Clock& clock,
                         const RidgeObserver& tried, const Piece& piece);

}  // namespace relufit
