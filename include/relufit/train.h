/// \file
/// Training: from a data set to a model. Scales the data, runs sequential convex relaxation from one or more starts,
/// keeps the best network and verifies it on the raw data.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "relufit/train_options.h"
#include "relufit/weight_grid.h"

namespace relufit {

/// One record of one start, or before the first start one ridge tried on held-out samples, as seen by an observer.
struct TrainProgress {
  Index start = 0;  ///< 0-based
  SequenceRecord record;
  double best_value = 0;  ///< over all starts so far: loss, or fit for the exact loss
  /// The ridge just tried (RidgeChoice). The record's loss is then the mean loss of a held-out target value, the best
  /// value the least of those so far, and of the record's other values only the seconds count.
  std::optional<double> tried_ridge = {};
};

/// Called for every record, one at a time, from any thread; returns false to stop training and keep the best network.
/// Not for records of a training before, which this one goes on with.
using TrainObserver = std::function<bool(const TrainProgress&)>;

/// What is known about every start.
struct StartSummary {
  SequenceStatus status = SequenceStatus::iteration_limit;
  bool ran = false;  ///< false: not needed, an earlier start had converged
  double value = 0;  ///< best loss or fit
  Index polish_iterations = 0;
  Violations violations;
  std::vector<SequenceRecord> trace;
};

struct TrainResult {
  Model model;
  SequenceStatus status = SequenceStatus::iteration_limit;  ///< of the start that was kept
  Index best_start = 0;
  std::vector<StartSummary> starts;
  double seconds_before = 0;                ///< of the trainings that this one has gone on with (TrainOptions::resume)
  std::optional<WidthChoice> width_choice;  ///< where the units were chosen from the data
  std::optional<RidgeChoice> ridge_choice;  ///< where the ridge was chosen from the data
  Index removed_units = 0;  ///< group lasso: hidden units without input weights, which the model no longer has
  std::optional<WeightGridReport> grid;      ///< where weights were rounded
  Evaluation evaluation;                     ///< of the model on the raw training data, recomputed by plain evaluation
  std::vector<ConstraintCheck> constraints;  ///< how the model keeps the constraints, recomputed from its weights
  std::optional<ClassificationMeasures> classes;  ///< likewise, where the data have classes
};

/// Throws std::invalid_argument for data that cannot be trained on (check_trainable), options out of range, a loss that
/// does not suit the targets, their classes or the sample weights, and a checkpoint that is not of this training, or
/// damaged; std::runtime_error where it cannot be written.
TrainResult train(const Dataset& data, const TrainOptions& options, const TrainObserver& observer = {});

}  // namespace relufit
