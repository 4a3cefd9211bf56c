#include "relufit/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"
#include "sequence/sequence_state.h"
#include "sequence/update_rule.h"

namespace relufit {

const char* to_string(SequenceStatus status) {
  switch (status) {
    case SequenceStatus::converged:
      return "converged";
    case SequenceStatus::stalled:
      return "stalled";
    case SequenceStatus::iteration_limit:
      return "iteration limit";
    case SequenceStatus::time_limit:
      return "time limit";
    case SequenceStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

namespace {

void check(const StrategyOptions& options) {
  const auto require = [](bool fits, const char* name, double value, const char* expected) {
    if (!fits) throw std::invalid_argument(fmt::format("strategies.{}: {}, expected {}", name, value, expected));
  };
  const auto in = [](double value, double low, double high) { return value >= low && value <= high; };
  constexpr double kTiny = std::numeric_limits<double>::min();
  constexpr double kHuge = std::numeric_limits<double>::max();
  require(in(options.momentum, 0, 1), "momentum", options.momentum, "a number in [0, 1]");
  require(options.reweight_from >= 1, "reweight_from", static_cast<double>(options.reweight_from), "at least 1");
  require(in(options.reweight_floor, kTiny, kHuge), "reweight_floor", options.reweight_floor, "a number > 0");
  require(in(options.continuation_start, kTiny, 1), "continuation_start", options.continuation_start,
          "a number in (0, 1]");
  require(options.continuation_growth > 1 && options.continuation_growth <= kHuge, "continuation_growth",
          options.continuation_growth, "a number > 1");
  require(in(options.smallest_scale, kTiny, 1), "smallest_scale", options.smallest_scale, "a number in (0, 1]");
}

void check(const SequenceOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const auto positive = [&](double value, const char* name) {
    if (!(std::isfinite(value) && value > 0)) fail(fmt::format("{}: {}, expected a number > 0", name, value));
  };
  positive(options.scales.pair, "scales.pair");
  positive(options.scales.left, "scales.left");
  positive(options.scales.right, "scales.right");
  check(options.strategies);
  positive(options.tolerance, "tolerance");
  if (options.max_iterations < 1) fail(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  if (options.record_interval < 1)
    fail(fmt::format("record_interval: {}, expected at least 1", options.record_interval));
  if (options.stall_window < 0) fail(fmt::format("stall_window: {}, expected at least 0", options.stall_window));
  if (!(options.time_limit >= 0)) fail(fmt::format("time_limit: {}, expected a number >= 0", options.time_limit));
}

double worst_violation(const SequenceRecord& record) { return std::max(record.pair, record.product); }

bool settled(const std::vector<SequenceRecord>& trace, double tolerance) {
  if (trace.size() < 2) return false;
  const double last = trace.back().objective;
  return std::abs(last - trace[trace.size() - 2].objective) <= tolerance * std::max(1.0, std::abs(last));
}

/// Progress over the window: the worst violation, the loss or the fit has improved by a hundredth.
bool stalled(const std::vector<SequenceRecord>& trace, Index window) {
  const auto size = static_cast<Index>(trace.size());
  if (window == 0 || size <= window) return false;
  const auto improved = [&](auto value) {
    const auto split = trace.end() - window;
    const auto less = [&](const auto& a, const auto& b) { return value(a) < value(b); };
    const double before = value(*std::min_element(trace.begin(), split, less));
    const double after = value(*std::min_element(split, trace.end(), less));
    return after < 0.99 * before;
  };
  return !improved(worst_violation) && !improved([](const SequenceRecord& r) { return r.fit; }) &&
         !improved([](const SequenceRecord& r) { return r.loss; });
}

/// Why to stop after the last record, if at all.
std::optional<SequenceStatus> stop_reason(const LiftedProblem& problem, const SequenceOptions& options,
                                          const std::vector<SequenceRecord>& trace) {
  const SequenceRecord& last = trace.back();
  if (worst_violation(last) <= options.tolerance &&
      (problem.loss == Loss::exact || settled(trace, options.tolerance))) {
    return SequenceStatus::converged;
  }
  if (options.time_limit > 0 && last.seconds >= options.time_limit) return SequenceStatus::time_limit;
  if (last.iteration >= options.max_iterations) return SequenceStatus::iteration_limit;
  if (stalled(trace, options.stall_window)) return SequenceStatus::stalled;
  return std::nullopt;
}

/// How well the plain network fits, whatever the loss is.
double fit(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  if (!is_for_classes(problem.loss)) return relative_residual(problem, layers);
  const Network network = network_of(problem, layers);
  const double wrong = sum_over(Chunks::of(problem), [&](Range samples) {
    const Matrix outputs = network.forward(problem.inputs.middleCols(samples.begin, samples.size));
    const Matrix targets = problem.targets.middleCols(samples.begin, samples.size);
    return error_rate(problem.loss, outputs, targets) * static_cast<double>(samples.size);
  });
  return wrong / static_cast<double>(problem.total_samples());
}

SequenceRecord make_record(const LiftedProblem& problem, const SequenceOptions& options, const LiftedPoint& point,
                           const std::vector<Layer>& network) {
  SequenceRecord record;
  record.merit = exact_penalty(problem, options.weights, options.scales, point);
  const Violations violation = violations(problem, point);
  record.pair = violation.pair;
  record.product = violation.product;
  record.fit = fit(problem, network);
  record.loss = network_loss(problem, network);
  return record;
}

/// Keeps the network of the last record if it is the best so far.
void keep_best(const LiftedProblem& problem, const std::vector<Layer>& network, SequenceResult& result) {
  const SequenceRecord& record = result.trace.back();
  const double value = problem.loss == Loss::exact ? record.fit : record.loss;
  if (!result.best_layers.empty() && !(value < result.best_value)) return;
  result.best_layers = network;
  result.best_value = value;
}

/// Where a sequence is. What is visited before a solve, or within one, is all that the rest of it depends on.
struct Progress {
  Relaxation relaxation;
  std::unique_ptr<UpdateRule> rule;
  SubproblemSolver solver;
  Clock clock = Clock();
  Index iteration = 1;
  Index inner_iterations = 0;
  std::vector<Layer> network = {};
  SequenceResult result = {};

  void refer_to_relaxation() { solver.refer_to(relaxation.parameters, relaxation.weights); }

  /// A time limit is what was left when the sequence went on.
  void visit_state(StateVisitor& visitor, double& time_limit) {
    double seconds = clock.seconds();
    visitor(seconds, iteration, inner_iterations, network, result, relaxation.weights, relaxation.parameters, *rule);
    solver.visit_state(visitor, relaxation.parameters, relaxation.weights);
    if (!visitor.restores()) return;
    clock = Clock(seconds);
    if (time_limit > 0) time_limit += seconds;
  }

  /// What is to be said about `current`, whose network is the one here.
  void add_record(const LiftedProblem& problem, const SequenceOptions& options, const LiftedPoint& current,
                  double objective) {
    SequenceRecord& record = result.trace.emplace_back(make_record(problem, options, current, network));
    record.objective = objective;
    record.iteration = iteration;
    record.inner_iterations = inner_iterations;
    record.seconds = clock.seconds();
    keep_best(problem, network, result);
  }
};

}  // namespace

Index default_inner_iterations(Strategy strategy) {
  constexpr Index kEarly = 5;
  switch (strategy) {
    case Strategy::inexact:
    case Strategy::continuation:
      return kEarly;
    case Strategy::projection:
      return 1;
    case Strategy::converged:
    case Strategy::extrapolated:
    case Strategy::reweighted:
    case Strategy::safeguarded:
      break;
  }
  return 0;
}

void set_strategy(SequenceOptions& options, Strategy strategy, Index inner_iterations) {
  const bool projection = strategy == Strategy::projection;
  if (inner_iterations < (projection ? 1 : 0)) {
    throw std::invalid_argument(
        fmt::format("inner_iterations: {}, expected at least {}", inner_iterations, projection ? 1 : 0));
  }
  const SubproblemOptions defaults;
  const bool early = inner_iterations > 0;
  options.strategy = strategy;
  options.subproblem.max_iterations = early ? inner_iterations : defaults.max_iterations;
  options.subproblem.tolerance = early ? 0 : defaults.tolerance;
  options.subproblem.accelerate = !early;
  options.subproblem.adapt_penalties = !early;
  options.subproblem.project_pairs = projection;
  if (!projection) return;
  options.subproblem.over_relaxation = 1;
  options.penalties = {1, 0.01, 1};
  options.weights.product = 0.003;
}

SequenceResult run_sequence(const LiftedProblem& problem, RelaxationParameters start, const SequenceOptions& asked,
                            const SequenceObserver& observer) {
  check(asked);
  SequenceOptions options = asked;
  Relaxation first{std::move(start), options.weights};
  std::unique_ptr<UpdateRule> rule = make_update_rule(problem, options, first);
  Progress at{std::move(first), std::move(rule),
              SubproblemSolver(problem, options.weights, options.penalties, options.threads)};
  check(at.relaxation.parameters, problem);

  const Piece piece = Piece::at(options.piece);
  const auto visit = [&](StateVisitor& visitor) { at.visit_state(visitor, options.time_limit); };
  bool goes_on = piece.restore(visit);
  SubproblemOptions inner_options = options.subproblem;
  const Ranks* ranks = problem.share.ranks;
  inner_options.should_stop = [&] {
    return agreed(ranks, (options.time_limit > 0 && at.clock.seconds() >= options.time_limit) ||
                             (options.subproblem.should_stop && options.subproblem.should_stop()));
  };
  if (piece.keeps()) inner_options.keep_state = [&](bool last) { piece.offer(last, visit); };

  for (;; ++at.iteration) {
    if (!std::exchange(goes_on, false)) at.refer_to_relaxation();
    const SubproblemResult inner = at.solver.solve(inner_options);
    at.inner_iterations += inner.iterations;
    const LiftedPoint& solution = at.solver.point();
    const bool cut_short = inner.status == SubproblemStatus::interrupted;
    const bool recording =
        cut_short || at.iteration % options.record_interval == 0 || at.iteration == options.max_iterations;
    const double objective =
        recording ? relaxation_objective(problem, at.relaxation.parameters, at.relaxation.weights, solution) : 0;
    const LiftedPoint& current = at.rule->update(solution, at.relaxation);
    if (&current == &solution) at.network = at.solver.network();
    if (!recording) continue;

    at.add_record(problem, options, current, objective);
    SequenceResult& result = at.result;
    const auto reason = stop_reason(problem, options, result.trace);
    const bool go_on = agreed(ranks, !observer || observer(result.trace.back(), at.network));
    if (!reason && go_on && !cut_short) continue;
    result.status = reason.value_or(SequenceStatus::interrupted);
    result.violations = violations(problem, current);
    if (piece.keeps() && !cut_short && is_cut_short(result)) {  // after a whole iteration: the next one can be next
      ++at.iteration;
      at.refer_to_relaxation();
      piece.offer(true, visit);
    }
    if (&current == &solution) {
      result.point = std::move(at.solver).take_point();
    } else {
      result.point = current;
    }
    return std::move(result);
  }
}

}  // namespace relufit
