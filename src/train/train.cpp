#include "relufit/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "network/units.h"
#include "relufit/version.h"
#include "train/choice/ridge.h"
#include "train/choice/width.h"
#include "train/plan/identity.h"
#include "train/plan/sharing.h"
#include "train/plan/train_state.h"
#include "train/starts.h"

namespace relufit {

namespace {

/// Moves the target scale into the hidden layer, so that the output weights are those of the model on raw data,
/// exactly.
void move_target_scale(Model& model) {
  std::vector<Layer> layers = model.network.layers();
  layers.front().weights *= model.target_scaling.scale(0);
  layers.front().bias *= model.target_scaling.scale(0);
  model.network = model.network.with_layers(std::move(layers));
  model.target_scaling = Scaling::identity(1);
}

/// Units whose incoming weights are all zero have the same value at every sample: their effect goes into the next bias.
/// One unit per layer stays. Returns how many were removed.
Index remove_constant_units(Network& network) {
  std::vector<Layer> layers = network.layers();
  const std::vector<Index> widths = network.widths();
  Index removed = 0;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    std::vector<Index> kept;
    const Index units = widths[l + 1];
    for (Index unit = 0; unit < units; ++unit) {
      const auto rows = unit_rows(layers[l], unit, units);
      const bool last = kept.empty() && unit + 1 == units;
      if (last || !layers[l].weights(rows, Eigen::all).isZero(0)) {
        kept.push_back(unit);
        continue;
      }
      Matrix value(1, 1);
      evaluate(network.activation(), layers[l].bias(rows), value);
      layers[l + 1].bias += layers[l + 1].weights.col(unit) * value(0, 0);
      ++removed;
    }
    keep_units(layers, l, kept, units);
  }
  network = network.with_layers(std::move(layers));
  return removed;
}

std::string strategy_name(const TrainPlan& plan) {
  if (plan.method != Method::relaxation) return to_string(plan.method);
  return to_string(plan.relaxation.strategy);
}

TrainingRecord training_record(const Dataset& data, const TrainOptions& options, const TrainPlan& plan,
                               const SequenceResult& kept, double seconds) {
  TrainingRecord record;
  record.version = version;
  record.strategy = strategy_name(plan);
  record.loss = to_string(options.loss);
  if (has_parameter(options.loss)) record.loss_parameter = options.loss.parameter;
  record.ridge = plan.ridge;
  record.status = to_string(kept.status);
  record.seed = options.seed;
  record.samples = data.total_samples();
  if (!kept.trace.empty()) record.iterations = kept.trace.back().iteration;
  record.seconds = seconds;
  record.pair_violation = kept.violations.pair;
  record.product_violation = kept.violations.product;
  return record;
}

/// Units and, where none is given, the ridge become those that are chosen.
WidthChoice choose_units(const Dataset& data, TrainOptions& options, const Clock& clock, const RidgeObserver& tried,
                         const Piece& piece) {
  WidthChoice choice =
      by_first_rank(options.ranks, [&] { return choose_width(data, options, clock, tried, piece.alone()); });
  options.automatic_width = false;
  options.hidden = {choice.width};
  if (!options.ridge && !choice.widths.empty()) options.ridge = choice.ridge.ridge;
  return choice;
}

/// A network on the grid of weights.
struct Rounded {
  std::vector<Layer> layers;
  WeightGridReport report;
  void visit_state(StateVisitor& visitor) {
    visitor(layers, report.step, report.before, report.rounded, report.repaired);
  }
};

void round_model(const Dataset& data, const TrainOptions& options, const Piece& piece, TrainResult& result) {
  Rounded rounded = piece.once([&] {
    const WeightGridResult grid =
        round_to_grid(result.model, data, options.loss, options.weight_grid, options.constraints);
    return Rounded{grid.model.network.layers(), grid.report};
  });
  Model& model = result.model;
  model.network = model.network.with_layers(std::move(rounded.layers));
  model.input_scaling = Scaling::identity(model.network.input_size());
  model.target_scaling = Scaling::identity(model.network.output_size());
  result.grid = rounded.report;
}

/// Of samples that lie with several ranks, one on rank 0; of starts that are dealt out, one each.
std::unique_ptr<Checkpoint> open_checkpoint(const Dataset& data, const TrainOptions& options) {
  std::unique_ptr<Checkpoint> checkpoint;
  if (options.checkpoint.empty()) return checkpoint;
  Checkpoint::Identity identity = identity_of(data, options);
  const int rank = options.ranks ? options.ranks->rank() : 0;
  collectively(options.ranks, [&] {
    if (rank > 0 && data.share.ranks) return;
    checkpoint = std::make_unique<Checkpoint>(options.checkpoint, options.checkpoint_interval, options.resume,
                                              std::move(identity), rank);
  });
  return checkpoint;
}

/// The model of the network that was kept, with what the options ask of it at the end.
void finish_model(const Dataset& data, const TrainOptions& options, const TrainPlan& plan, const ScaledProblem& scaled,
                  const SequenceResult& kept, double seconds, TrainResult& result) {
  result.model = {network_of(scaled.problem, kept.best_layers),
                  scaled.input_scaling,
                  scaled.target_scaling,
                  data.input_names,
                  data.target_names,
                  training_record(data, options, plan, kept, seconds),
                  data.classification,
                  data.categories};
  if (has_fixed_output(options)) move_target_scale(result.model);
  if (options.group_lasso > 0 && !options.constraints.names_units()) {
    result.removed_units = remove_constant_units(result.model.network);
  }
  if (!options.constraints.hidden.empty()) keep_hidden_bounds(options.constraints, data.inputs, result.model);
}

/// Fit, constraints and classes of the model on the raw data.
void evaluate_model(const Dataset& data, const TrainOptions& options, TrainResult& result) {
  const Matrix outputs = gathered_columns(data.share.ranks, result.model.predict(data.inputs));
  const Matrix targets = gathered_columns(data.share.ranks, data.targets);
  result.evaluation = evaluate(outputs, targets);
  result.model.training.relative_residual =
      is_for_classes(options.loss) ? std::numeric_limits<double>::quiet_NaN() : result.evaluation.all.relative_residual;
  if (!options.constraints.empty()) {
    result.constraints = check_constraints(options.constraints, result.model, data.inputs);
  }
  if (!data.classification.empty()) result.classes = evaluate_classes(data.classification, outputs, targets);
}

}  // namespace

TrainResult train(const Dataset& given, const TrainOptions& asked, const TrainObserver& observer) {
  TrainPlan planned = plan(asked);
  std::optional<Dataset> shared;
  if (asked.ranks) shared = shared_data(given, asked, planned);
  const Dataset& data = shared ? *shared : given;
  check_trainable(data, asked.output_activation);
  check_suits(data, asked);
  check_validation(data, asked);
  const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(data, asked);
  const Clock clock(checkpoint ? checkpoint->seconds_before() : 0);
  std::atomic<bool> stopped{false};  // by the user, or by the observer of the ridges, before the first start
  TrainOptions options = asked;
  options.should_stop = [&] {
    if (!stopped && asked.should_stop && asked.should_stop()) stopped = true;
    return stopped.load();
  };
  planned = plan(options);
  const Piece whole(checkpoint.get(), options.should_stop, data.share);
  const RidgeObserver tried = [&](double ridge, double loss, double least) {
    TrainProgress progress;
    progress.tried_ridge = ridge;
    progress.record.loss = loss;
    progress.record.seconds = clock.seconds();
    progress.best_value = least;
    if (observer && !observer(progress)) stopped = true;
  };
  TrainResult result;
  if (checkpoint) result.seconds_before = checkpoint->seconds_before();
  if (options.automatic_width) {
    result.width_choice = choose_units(data, options, clock, tried, whole);
    if (!asked.ridge && !result.width_choice->widths.empty()) result.ridge_choice = result.width_choice->ridge;
    planned = plan(options);
  }
  ScaledProblem scaled = scaled_problem(data, options);
  check(scaled.problem);
  if (!planned.ridge) {
    result.ridge_choice = choose_ridge(data, scaled, options, planned, clock, tried, whole);
    planned.ridge = result.ridge_choice ? result.ridge_choice->ridge : kUsualRidge;
    scaled.problem.ridge = *planned.ridge * loss_terms(options.loss, data.total_samples(), data.targets.rows());
  }
  stopped = agreed(options.ranks, stopped.load());
  const FinishedStarts starts = run_starts(scaled, options, planned, clock, observer, whole);

  result.best_start = starts.best;
  const SequenceResult& kept = starts.results[static_cast<std::size_t>(result.best_start)];
  result.status = kept.status;
  for (const SequenceResult& start : starts.results) {
    result.starts.push_back(
        {start.status, !start.trace.empty(), start.best_value, start.polish_iterations, start.violations, start.trace});
  }
  finish_model(data, options, planned, scaled, kept, clock.seconds(), result);
  if (options.weight_grid > 0) round_model(data, options, whole.part("grid"), result);
  if (checkpoint) checkpoint->write();
  evaluate_model(data, options, result);
  return result;
}

}  // namespace relufit
