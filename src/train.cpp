#include "relufit/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <stdexcept>

#include "clock.h"
#include "parallel.h"
#include "relufit/fixed_output.h"
#include "relufit/polish.h"
#include "relufit/search.h"
#include "relufit/version.h"
#include "train_options.h"

namespace relufit {

namespace {

/// The network of `model`, which works on its own scaled data, in the scaled units of this problem.
std::vector<Layer> rescaled_layers(const Model& model, const ScaledProblem& scaled) {
  std::vector<Layer> layers = model.folded().layers();
  Layer& first = layers.front();
  first.bias += first.weights * scaled.input_scaling.offset;
  first.weights *= scaled.input_scaling.scale.asDiagonal();
  Layer& last = layers.back();
  const auto inverse = scaled.target_scaling.scale.cwiseInverse().asDiagonal();
  last.bias = inverse * (last.bias - scaled.target_scaling.offset);
  last.weights = inverse * last.weights;
  return layers;
}

/// Moves the target scale into the hidden layer, so that the output weights are those of the model on raw data,
/// exactly.
void move_target_scale(Model& model) {
  std::vector<Layer> layers = model.network.layers();
  layers.front().weights *= model.target_scaling.scale(0);
  layers.front().bias *= model.target_scaling.scale(0);
  model.network = Network(std::move(layers), model.network.output_activation());
  model.target_scaling = Scaling::identity(1);
}

/// One stream of seeds per start; the odd constant keeps neighbouring seeds apart.
unsigned long long start_seed(unsigned seed, Index start) {
  return seed * 0x9E3779B97F4A7C15ULL + static_cast<unsigned long long>(start);
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

/// Runs the starts and keeps the best of them, whatever the order in which they end.
class Starts {
 public:
  Starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainObserver& observer)
      : scaled_(scaled),
        options_(options),
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
      if (kept.best_layers.empty() || candidate.best_value < kept.best_value) best = i;
    }
    return best;
  }

 private:
  double seconds_left() const { return options_.sequence.time_limit - clock_.seconds(); }
  bool out_of_time() const { return options_.sequence.time_limit > 0 && seconds_left() <= 0; }
  bool needless(Index start) const { return stopped_ || first_solved_ < start; }

  void run_start(Index start, int threads) {
    if (needless(start) || (start > 0 && out_of_time())) return;
    SequenceOptions sequence = options_.sequence;
    sequence.threads = threads;
    if (sequence.time_limit > 0) sequence.time_limit = std::max(seconds_left(), 1e-3);
    sequence.subproblem.should_stop = [this, start, ask = options_.sequence.subproblem.should_stop] {
      return needless(start) || (ask && ask());
    };
    SequenceResult& result = results_[static_cast<std::size_t>(start)];
    if (options_.method == Method::search) {
      result = run_search(start, sequence);
    } else if (options_.method == Method::fixed_output) {
      result = run_fixed_output(start, sequence);
    } else {
      result =
          run_sequence(scaled_.problem, start_parameters(scaled_, options_, start), sequence,
                       [&](const SequenceRecord& record, const std::vector<Layer>&) { return observe(start, record); });
      if (options_.polish) refine(result, sequence);
    }
    if (options_.loss != Loss::exact || result.status != SequenceStatus::converged) return;
    Index solved = first_solved_;
    while (start < solved && !first_solved_.compare_exchange_weak(solved, start)) {
    }
  }

  // Both exact fits are told as sequences: runs, or iterations, of a search are those of the sequence, the network
  // found is its own lifted solution.

  SequenceResult run_search(Index start, const SequenceOptions& sequence) {
    SearchOptions search;
    search.seed = start_seed(options_.seed, start);
    search.time_limit = sequence.time_limit;
    search.max_runs = options_.search_runs;
    search.tolerance = options_.fit_tolerance;
    search.should_stop = sequence.subproblem.should_stop;
    return run_fit(start, [&](const auto& record) { return search_exact_fit(scaled_.problem, search, record); });
  }

  SequenceResult run_fixed_output(Index start, const SequenceOptions& sequence) {
    FixedOutputOptions fit;
    fit.seed = start_seed(options_.seed, start);
    fit.output_weights = options_.output_weights.row(0).transpose();
    fit.max_iterations = options_.fixed_output_iterations;
    fit.tolerance = options_.fit_tolerance;
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

  /// Polishes the best network; where that is better, it is the result, being its own lifted solution.
  void refine(SequenceResult& result, const SequenceOptions& sequence) {
    const LiftedProblem& problem = scaled_.problem;
    PolishOptions polishing;
    polishing.should_stop = [this, ask = sequence.subproblem.should_stop] { return out_of_time() || ask(); };
    const PolishResult polished = polish(problem, result.best_layers, polishing);
    result.polish_iterations = polished.iterations;
    if (!(polished.after < polished.before)) return;
    const bool exact = problem.loss == Loss::exact;
    const double value = exact ? relative_residual(problem, polished.layers) : polished.after;
    if (!(value < result.best_value)) return;
    result.best_layers = polished.layers;
    result.best_value = value;
    result.point = lift_network(problem, polished.layers);
    result.violations = violations(problem, result.point);
    if (exact && value <= options_.fit_tolerance) result.status = SequenceStatus::converged;
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
  const TrainObserver& observer_;
  std::vector<SequenceResult> results_;
  std::atomic<Index> first_solved_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  Clock clock_;
  double best_value_ = std::numeric_limits<double>::infinity();
};

std::string strategy_name(const TrainOptions& training) {
  if (training.method != Method::relaxation) return to_string(training.method);
  return to_string(training.sequence.strategy);
}

TrainingRecord training_record(const Dataset& data, const TrainOptions& options, const SequenceResult& kept) {
  TrainingRecord record;
  record.version = version;
  record.strategy = strategy_name(options);
  record.loss = to_string(options.loss);
  record.status = to_string(kept.status);
  record.seed = options.seed;
  record.samples = data.samples();
  if (!kept.trace.empty()) {
    record.iterations = kept.trace.back().iteration;
    record.seconds = kept.trace.back().seconds;
  }
  record.complementarity_violation = kept.violations.complementarity;
  record.product_violation = kept.violations.product;
  return record;
}

}  // namespace

ScaledProblem scaled_problem(const Dataset& data, const TrainOptions& options) {
  ScaledProblem scaled;
  // An offset needs a bias that takes it up.
  const bool output_bias = options.bias && !has_fixed_output(options) && options.output == OutputActivation::linear;
  scaled.input_scaling = options.bias ? Scaling::standardize(data.inputs) : Scaling::normalize(data.inputs);
  scaled.target_scaling = output_bias ? Scaling::standardize(data.targets) : Scaling::normalize(data.targets);
  LiftedProblem& problem = scaled.problem;
  problem.inputs = scaled.input_scaling.apply(data.inputs);
  problem.targets = scaled.target_scaling.apply(data.targets);
  problem.widths = {data.inputs.rows()};
  problem.widths.insert(problem.widths.end(), options.hidden.begin(), options.hidden.end());
  problem.widths.push_back(data.targets.rows());
  problem.output = options.output;
  problem.loss = options.loss;
  problem.bias = options.bias;
  problem.ridge = options.ridge * static_cast<double>(data.targets.size());
  return scaled;
}

RelaxationParameters start_parameters(const ScaledProblem& scaled, const TrainOptions& options, Index start) {
  const LiftedProblem& problem = scaled.problem;
  RelaxationParameters parameters = parameters_at(zero_point(problem));
  if (options.initialization == Initialization::random) {
    parameters = random_parameters(problem, options.random_scale, start_seed(options.seed, start));
  } else if (options.initialization == Initialization::network) {
    if (options.start->network.widths() != problem.widths) {
      throw std::invalid_argument(fmt::format("start: the model's layers are {}, expected {}",
                                              fmt::join(options.start->network.widths(), "-"),
                                              fmt::join(problem.widths, "-")));
    }
    parameters = parameters_at(lift_network(problem, rescaled_layers(*options.start, scaled)));
  }
  return with_scales(std::move(parameters), options.sequence.scales);
}

TrainResult train(const Dataset& data, const TrainOptions& options, const TrainObserver& observer) {
  check(options);
  check_trainable(data, options.output);
  check_output_weights(data, options);
  const ScaledProblem scaled = scaled_problem(data, options);
  check(scaled.problem);
  Starts starts(scaled, options, observer);
  starts.run();

  TrainResult result;
  result.best_start = starts.best();
  const SequenceResult& kept = starts.results()[static_cast<std::size_t>(result.best_start)];
  result.status = kept.status;
  for (const SequenceResult& start : starts.results()) {
    result.starts.push_back(
        {start.status, !start.trace.empty(), start.best_value, start.polish_iterations, start.violations, start.trace});
  }
  result.model = {Network(kept.best_layers, options.output),
                  scaled.input_scaling,
                  scaled.target_scaling,
                  data.input_names,
                  data.target_names,
                  training_record(data, options, kept)};
  if (has_fixed_output(options)) move_target_scale(result.model);
  result.fit = evaluate(result.model.predict(data.inputs), data.targets);
  result.model.training.relative_residual = result.fit.all.relative_residual;
  return result;
}

}  // namespace relufit
