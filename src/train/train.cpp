#include "relufit/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <stdexcept>

#include "base/clock.h"
#include "base/parallel.h"
#include "constraints/rounding.h"
#include "polish/constrained_polish.h"
#include "relufit/fit.h"
#include "relufit/fixed_output.h"
#include "relufit/polish.h"
#include "relufit/search.h"
#include "relufit/version.h"
#include "train/problem.h"

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

SequenceStatus sequence_status(SearchStatus status) {
  switch (status) {
    case SearchStatus::converged:
      return SequenceStatus::converged;
    case SearchStatus::time_limit:
      return SequenceStatus::time_limit;
    case SearchStatus::interrupted:
      return SequenceStatus::interrupted;
    case SearchStatus::run_limit:
      break;
  }
  return SequenceStatus::iteration_limit;
}

constexpr double kExactFit = 1e-9;  // relative residual at which a polished network counts as an exact fit

/// Units whose incoming weights are all zero have the same value at every sample: their effect goes into the next bias.
/// One unit per layer stays. Returns how many were removed.
Index remove_constant_units(Network& network) {
  std::vector<Layer> layers = network.layers();
  const std::vector<Index> widths = network.widths();
  const Index arguments = arguments_per_unit(network.activation());
  Index removed = 0;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    std::vector<Index> kept;  // units, then the rows of their further arguments
    const Index units = widths[l + 1];
    const auto rows_of = [&](Index unit) { return Eigen::seqN(unit, arguments, units); };
    for (Index unit = 0; unit < units; ++unit) {
      const bool last = kept.empty() && unit + 1 == units;
      if (last || !layers[l].weights(rows_of(unit), Eigen::all).isZero(0)) {
        kept.push_back(unit);
        continue;
      }
      Matrix value(1, 1);
      evaluate(network.activation(), layers[l].bias(rows_of(unit)), value);
      layers[l + 1].bias += layers[l + 1].weights.col(unit) * value(0, 0);
      ++removed;
    }
    std::vector<Index> columns = kept;
    if (network.skip_connections()) {
      for (Index input = 0; input < widths[0]; ++input) columns.push_back(units + input);
    }
    layers[l + 1].weights = layers[l + 1].weights(Eigen::all, columns).eval();
    const std::size_t count = kept.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(arguments - 1) * count; ++i) kept.push_back(kept[i] + units);
    layers[l].weights = layers[l].weights(kept, Eigen::all).eval();
    layers[l].bias = layers[l].bias(kept).eval();
  }
  network = network.with_layers(std::move(layers));
  return removed;
}

bool on_weights_alone(const Constraints& constraints) {
  return !constraints.empty() && constraints.outputs.empty() && constraints.hidden.empty();
}

/// Runs the starts and keeps the best of them, whatever the order in which they end.
class Starts {
 public:
  Starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan, const TrainObserver& observer)
      : scaled_(scaled),
        options_(options),
        plan_(plan),
        observer_(observer),
        results_(static_cast<std::size_t>(options.starts)),
        first_solved_(options.starts) {}

  void run() {
    const int teams = static_cast<int>(std::min<Index>(options_.threads, options_.starts));
    Workers workers(teams);
    workers.run(options_.starts, [&](Index start) {
      try {
        run_start(start, options_.threads / teams);
      } catch (...) {  // an option that only the method itself checks; not to leave a thread
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
        stopped_ = true;
      }
    });
    if (error_) std::rethrow_exception(error_);
  }

  const std::vector<SequenceResult>& results() const { return results_; }

  /// The first start that solved the problem (later ones may have been cut short), else the one with the least value.
  Index best() const {
    if (first_solved_ < options_.starts) return first_solved_;
    Index best = 0;
    for (Index i = 1; i < options_.starts; ++i) {
      const SequenceResult& candidate = results_[static_cast<std::size_t>(i)];
      const SequenceResult& kept = results_[static_cast<std::size_t>(best)];
      if (candidate.best_layers.empty()) continue;
      if (kept.best_layers.empty() || is_better(candidate, kept)) best = i;
    }
    return best;
  }

 private:
  /// A network that keeps bounds on outputs is better than one that does not.
  bool is_better(const SequenceResult& candidate, const SequenceResult& kept) const {
    constexpr double kKept = 1e-7;  // scaled units, far above rounding
    const bool keeps = output_bound_violation(scaled_.problem, candidate.best_layers) <= kKept;
    if (keeps != (output_bound_violation(scaled_.problem, kept.best_layers) <= kKept)) return keeps;
    return candidate.best_value < kept.best_value;
  }

  double seconds_left() const { return options_.time_limit - clock_.seconds(); }
  bool out_of_time() const { return options_.time_limit > 0 && seconds_left() <= 0; }
  bool needless(Index start) const { return stopped_ || first_solved_ < start; }

  void run_start(Index start, int threads) {
    if (needless(start) || (start > 0 && out_of_time())) return;
    SequenceOptions sequence = plan_.relaxation;
    sequence.threads = threads;
    const double slope = loss_slope(scaled_.problem);
    sequence.weights = {slope * sequence.weights.pair, slope * sequence.weights.product};
    for (double* penalty : {&sequence.penalties.pair, &sequence.penalties.product, &sequence.penalties.output}) {
      *penalty *= slope;
    }
    if (sequence.time_limit > 0) sequence.time_limit = std::max(seconds_left(), 1e-3);
    sequence.subproblem.should_stop = [this, start, ask = options_.should_stop] {
      return needless(start) || (ask && ask());
    };
    SequenceResult& result = results_[static_cast<std::size_t>(start)];
    if (plan_.method == Method::search) {
      result = run_search(start, sequence);
    } else if (plan_.method == Method::fixed_output) {
      result = run_fixed_output(start, sequence);
    } else if (races()) {
      result = run_race(start, sequence);
    } else {
      result =
          run_sequence(scaled_.problem, start_parameters(scaled_, options_, start), sequence,
                       [&](const SequenceRecord& record, const std::vector<Layer>&) { return observe(start, record); });
      refine(result, sequence);
    }
    if (options_.loss != Loss::exact || result.status != SequenceStatus::converged) return;
    Index solved = first_solved_;
    while (start < solved && !first_solved_.compare_exchange_weak(solved, start)) {
    }
  }

  /// Whether starts are races (TrainOptions::candidates).
  bool races() const {
    const LiftedProblem& problem = scaled_.problem;
    return plan_.polish && options_.loss != Loss::exact && !options_.hidden.empty() &&
           std::holds_alternative<RandomStart>(options_.init) && on_weights_alone(options_.constraints) &&
           has_constrained_polish(problem, PolishOptions());
  }

  SequenceResult run_race(Index start, SequenceOptions sequence) {
    sequence.max_iterations = std::min(sequence.max_iterations, options_.candidate_iterations);
    std::vector<SequenceResult> candidates;
    std::vector<std::vector<Layer>> networks;
    for (Index i = 0; i < options_.candidates; ++i) {
      if (i > 0 && (needless(start) || out_of_time())) break;
      const Index number = start * options_.candidates + i;
      candidates.push_back(run_sequence(
          scaled_.problem, start_parameters(scaled_, options_, number), sequence,
          [&](const SequenceRecord& record, const std::vector<Layer>&) { return observe(start, record); }));
      networks.push_back(candidates.back().best_layers);
    }
    const RaceResult won = race(scaled_.problem, networks, polish_options(sequence), sequence.threads);
    SequenceResult result = std::move(candidates[static_cast<std::size_t>(won.winner)]);
    result.polish_iterations = won.polish.iterations;
    keep(won.polish.layers, won.polish.after, result);
    return result;
  }

  // Both exact fits are told as sequences: runs, or iterations, of a search are those of the sequence, the network
  // found is its own lifted solution.

  SequenceResult run_search(Index start, const SequenceOptions& sequence) {
    SearchOptions search;
    search.seed = start_seed(options_.seed, start);
    search.time_limit = sequence.time_limit;
    search.max_runs = plan_.iterations;
    search.tolerance = plan_.tolerance;
    search.should_stop = sequence.subproblem.should_stop;
    return run_fit(start, [&](const auto& record) { return search_exact_fit(scaled_.problem, search, record); });
  }

  SequenceResult run_fixed_output(Index start, const SequenceOptions& sequence) {
    FixedOutputOptions fit;
    fit.seed = start_seed(options_.seed, start);
    fit.output_weights = options_.fixed_output.row(0).transpose();
    fit.max_iterations = plan_.iterations;
    fit.tolerance = plan_.tolerance;
    fit.time_limit = sequence.time_limit;
    fit.should_stop = sequence.subproblem.should_stop;
    return run_fit(start, [&](const auto& record) { return fit_fixed_output(scaled_.problem, fit, record); });
  }

  template <class Fit>
  SequenceResult run_fit(Index start, Fit&& fit) {
    const Clock clock;
    SequenceResult result;
    const auto describe = [&](SequenceRecord& record, double residual) {
      record.fit = residual;
      record.loss = 0.5 * std::pow(residual * scaled_.problem.targets.norm(), 2);
      record.seconds = clock.seconds();
    };
    const auto found = fit([&](Index iterations, double residual) {
      SequenceRecord& record = result.trace.emplace_back();
      record.iteration = iterations;
      describe(record, residual);
      return observe(start, record);
    });
    describe(result.trace.back(), found.relative_residual);  // of the network kept, not of the last one tried
    result.status = sequence_status(found.status);
    result.best_layers = found.layers;
    result.best_value = found.relative_residual;
    result.point = lift_network(scaled_.problem, found.layers);
    result.violations = violations(scaled_.problem, result.point);
    return result;
  }

  /// Polishes the best network if asked to, and makes it keep the output bounds. What is better is the result, being
  /// its own lifted solution.
  void refine(SequenceResult& result, const SequenceOptions& sequence) {
    const LiftedProblem& problem = scaled_.problem;
    if (!plan_.polish && !problem.constrains_outputs()) return;
    std::vector<Layer> refined = result.best_layers;
    if (plan_.polish) {
      PolishResult polished = polish(problem, refined, polish_options(sequence));
      result.polish_iterations = polished.iterations;
      if (polished.after < polished.before) refined = std::move(polished.layers);
    }
    if (problem.constrains_outputs()) {
      PolishOptions refitting;  // without an end: even when interrupted
      refitting.input_sizes = scaled_sizes(scaled_.input_scaling, scaled_.input_scaling.invert(problem.inputs));
      refitting.output_offset = scaled_.target_scaling.offset.cwiseAbs().cwiseQuotient(scaled_.target_scaling.scale);
      refined = refit_output(problem, refined, refitting).layers;
    }
    const bool exact = problem.loss == Loss::exact;
    const double value = exact ? relative_residual(problem, refined) : network_loss(problem, refined);
    if (!problem.constrains_outputs() && !(value < result.best_value)) return;
    keep(refined, value, result);
    if (exact && value <= kExactFit) result.status = SequenceStatus::converged;
  }

  PolishOptions polish_options(const SequenceOptions& sequence) const {
    PolishOptions polishing;
    polishing.should_stop = [this, ask = sequence.subproblem.should_stop] { return out_of_time() || ask(); };
    return polishing;
  }

  /// Makes a refined network, being its own lifted solution, the result.
  void keep(const std::vector<Layer>& layers, double value, SequenceResult& result) const {
    result.best_layers = layers;
    result.best_value = value;
    result.point = lift_network(scaled_.problem, layers);
    result.violations = violations(scaled_.problem, result.point);
  }

  bool observe(Index start, const SequenceRecord& record) {
    const std::lock_guard lock(mutex_);
    const double value = options_.loss == Loss::exact ? record.fit : record.loss;
    best_value_ = std::min(best_value_, value);
    if (observer_ && !observer_({start, record, best_value_})) stopped_ = true;
    return !needless(start);
  }

  const ScaledProblem& scaled_;
  const TrainOptions& options_;
  const TrainPlan& plan_;
  const TrainObserver& observer_;
  std::vector<SequenceResult> results_;
  std::atomic<Index> first_solved_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  Clock clock_;
  double best_value_ = std::numeric_limits<double>::infinity();
};

std::string strategy_name(const TrainPlan& plan) {
  if (plan.method != Method::relaxation) return to_string(plan.method);
  return to_string(plan.relaxation.strategy);
}

TrainingRecord training_record(const Dataset& data, const TrainOptions& options, const TrainPlan& plan,
                               const SequenceResult& kept) {
  TrainingRecord record;
  record.version = version;
  record.strategy = strategy_name(plan);
  record.loss = to_string(options.loss);
  if (has_parameter(options.loss)) record.loss_parameter = options.loss.parameter;
  record.status = to_string(kept.status);
  record.seed = options.seed;
  record.samples = data.samples();
  if (!kept.trace.empty()) {
    record.iterations = kept.trace.back().iteration;
    record.seconds = kept.trace.back().seconds;
  }
  record.pair_violation = kept.violations.pair;
  record.product_violation = kept.violations.product;
  return record;
}

}  // namespace

TrainResult train(const Dataset& data, const TrainOptions& options, const TrainObserver& observer) {
  const TrainPlan planned = plan(options);
  check_trainable(data, options.output_activation);
  check_suits(data, options);
  const ScaledProblem scaled = scaled_problem(data, options);
  check(scaled.problem);
  Starts starts(scaled, options, planned, observer);
  starts.run();

  TrainResult result;
  result.best_start = starts.best();
  const SequenceResult& kept = starts.results()[static_cast<std::size_t>(result.best_start)];
  result.status = kept.status;
  for (const SequenceResult& start : starts.results()) {
    result.starts.push_back(
        {start.status, !start.trace.empty(), start.best_value, start.polish_iterations, start.violations, start.trace});
  }
  result.model = {network_of(scaled.problem, kept.best_layers),
                  scaled.input_scaling,
                  scaled.target_scaling,
                  data.input_names,
                  data.target_names,
                  training_record(data, options, planned, kept),
                  data.classification};
  if (has_fixed_output(options)) move_target_scale(result.model);
  if (options.group_lasso > 0 && !options.constraints.names_units())
    result.removed_units = remove_constant_units(result.model.network);
  if (!options.constraints.hidden.empty()) {
    keep_hidden_bounds(options.constraints.hidden, data.inputs, result.model);
  }
  if (options.weight_grid > 0) {
    WeightGridResult grid = round_to_grid(result.model, data, options.loss, options.weight_grid, options.constraints);
    result.model = std::move(grid.model);
    result.grid = grid.report;
  }
  const Matrix outputs = result.model.predict(data.inputs);
  result.evaluation = evaluate(outputs, data.targets);
  result.model.training.relative_residual = result.evaluation.all.relative_residual;
  if (is_for_classes(options.loss)) {
    result.model.training.relative_residual = std::numeric_limits<double>::quiet_NaN();
  }
  if (!options.constraints.empty()) {
    result.constraints = check_constraints(options.constraints, result.model, data.inputs);
  }
  if (!data.classification.empty()) result.classes = evaluate_classes(data.classification, outputs, data.targets);
  return result;
}

}  // namespace relufit
