/// \file
/// The width of one hidden layer that predicts held-out samples best.
#pragma once

#include "base/clock.h"
#include "train/ridge.h"

namespace relufit {

/// Units where there are too few samples to choose by, and the fewest that are tried.
constexpr Index kUsualWidth = 10;

/// Throws std::invalid_argument for options that an automatic width does not go with.
void check_automatic_width(const TrainOptions& options);

/// By the ridge's own choice (choose_ridge), with the options' ridge at the end of its path where one is given. The
/// clock began with the training, whose time limit it keeps to. `tried` sees every ridge, of every width.
WidthChoice choose_width(const Dataset& data, const TrainOptions& options, const Clock& clock,
                         const RidgeObserver& tried, const Piece& piece);

}  // namespace relufit
