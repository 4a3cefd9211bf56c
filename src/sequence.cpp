#include "relufit/sequence.h"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "clock.h"
#include "random.h"

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

void check(const SequenceOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const auto positive = [&](double value, const char* name) {
    if (!(std::isfinite(value) && value > 0)) fail(fmt::format("{}: {}, expected a number > 0", name, value));
  };
  positive(options.scales.relu, "scales.relu");
  positive(options.scales.product_left, "scales.product_left");
  positive(options.scales.product_right, "scales.product_right");
  positive(options.reweighting.g, "reweighting.g");
  positive(options.tolerance, "tolerance");
  if (options.max_iterations < 1) fail(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  if (options.record_interval < 1)
    fail(fmt::format("record_interval: {}, expected at least 1", options.record_interval));
  if (options.stall_window < 0) fail(fmt::format("stall_window: {}, expected at least 0", options.stall_window));
  if (!(options.time_limit >= 0)) fail(fmt::format("time_limit: {}, expected a number >= 0", options.time_limit));
}

double worst_violation(const SequenceRecord& record) { return std::max(record.complementarity, record.product); }

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

Network plain_network(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  return Network(layers, problem.output);
}

SequenceRecord make_record(const LiftedProblem& problem, const RelaxationParameters& parameters,
                           const SequenceOptions& options, const LiftedPoint& point) {
  SequenceRecord record;
  record.objective = relaxation_objective(problem, parameters, options.weights, point);
  const Violations violation = violations(problem, point);
  record.complementarity = violation.complementarity;
  record.product = violation.product;
  record.fit = relative_residual(problem, point.layers);
  record.loss = network_loss(problem, point.layers);
  return record;
}

}  // namespace

void set_inner_iterations(SequenceOptions& options, Index iterations) {
  if (iterations < 0) throw std::invalid_argument(fmt::format("inner_iterations: {}, expected at least 0", iterations));
  const SubproblemOptions defaults;
  const bool early = iterations > 0;
  options.subproblem.max_iterations = early ? iterations : defaults.max_iterations;
  options.subproblem.tolerance = early ? 0 : defaults.tolerance;
  options.subproblem.accelerate = !early;
  options.subproblem.adapt_penalties = !early;
}

SequenceResult run_sequence(const LiftedProblem& problem, const RelaxationParameters& start,
                            const SequenceOptions& options, const SequenceObserver& observer) {
  check(options);
  if (options.reweighting.enabled) check_general_scales(problem);
  const Clock clock;
  SubproblemSolver solver(problem, options.weights, options.penalties, options.threads);
  SequenceResult result;
  bool stop = false;
  SubproblemOptions inner_options = options.subproblem;
  inner_options.should_stop = [&] {
    return (options.time_limit > 0 && clock.seconds() >= options.time_limit) ||
           (options.subproblem.should_stop && options.subproblem.should_stop());
  };

  RelaxationParameters parameters = start;
  Index inner_iterations = 0;
  for (Index iteration = 1; !stop; ++iteration) {
    solver.set_parameters(parameters);
    const SubproblemResult inner = solver.solve(inner_options);
    inner_iterations += inner.iterations;

    const bool cut_short = inner.status == SubproblemStatus::interrupted;
    if (cut_short || iteration % options.record_interval == 0 || iteration == options.max_iterations) {
      SequenceRecord record = make_record(problem, parameters, options, solver.point());
      record.iteration = iteration;
      record.inner_iterations = inner_iterations;
      record.seconds = clock.seconds();
      result.trace.push_back(record);

      const double value = problem.loss == Loss::exact ? record.fit : record.loss;
      if (result.best_layers.empty() || value < result.best_value) {
        result.best_layers = solver.point().layers;
        result.best_value = value;
      }
      const auto reason = stop_reason(problem, options, result.trace);
      if (reason) result.status = *reason;
      const bool go_on = !observer || observer(record, solver.point().layers);
      if (!reason && (!go_on || cut_short)) result.status = SequenceStatus::interrupted;
      stop = reason || !go_on || cut_short;
    }
    if (!stop) parameters = updated_parameters(problem, solver.point(), options, iteration + 1);
  }
  result.point = solver.point();
  result.violations = violations(problem, result.point);
  return result;
}

RelaxationParameters updated_parameters(const LiftedProblem& problem, const LiftedPoint& point,
                                        const SequenceOptions& options, Index iteration) {
  RelaxationParameters parameters = with_scales(parameters_at(point), options.scales);
  if (!options.reweighting.enabled || iteration < options.reweighting.from_iteration) return parameters;
  const double g = options.reweighting.g;
  const auto inverse = [](const Matrix& matrix) {
    return Matrix(matrix.llt().solve(Matrix::Identity(matrix.rows(), matrix.cols())));
  };
  for (const BilinearEquality& equality : bilinear_equalities(problem)) {
    const Matrix e = bilinear_residual(point, equality);
    if (equality.kind == BilinearEquality::Kind::complementarity) {
      parameters.complementarity[static_cast<std::size_t>(equality.layer - 1)].scale =
          (e.array().square() + g).inverse();
      continue;
    }
    ProductParameters& product = parameters.product[static_cast<std::size_t>(equality.layer - 2)];
    product.left_matrix = inverse(e * e.transpose() + g * Matrix::Identity(e.rows(), e.rows()));
    product.right_matrix = inverse(e.transpose() * e + g * Matrix::Identity(e.cols(), e.cols()));
  }
  return parameters;
}

RelaxationParameters random_parameters(const LiftedProblem& problem, double scale, unsigned long long seed) {
  Random random(seed);
  LiftedPoint guess = zero_point(problem);
  for (std::size_t l = 0; l < guess.active.size(); ++l) {
    const Index rows = guess.active[l].rows();
    guess.layers[l + 1].weights = scale * random.normal(problem.widths[l + 2], rows);
    guess.active[l] = scale * random.normal(rows, problem.samples());
    guess.slack[l] = scale * random.normal(rows, problem.samples());
  }
  return parameters_at(guess);
}

RelaxationParameters with_scales(RelaxationParameters parameters, const RelaxationScales& scales) {
  for (ComplementarityParameters& pair : parameters.complementarity) pair.scale.setConstant(scales.relu);
  for (ProductParameters& product : parameters.product) {
    product.left_scale = scales.product_left;
    product.right_scale = scales.product_right;
  }
  return parameters;
}

double relative_residual(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const double size = problem.targets.norm();
  const double error = (plain_network(problem, layers).forward(problem.inputs) - problem.targets).norm();
  return size > 0 ? error / size : error;
}

double network_loss(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  double loss = 0.5 * (plain_network(problem, layers).forward(problem.inputs) - problem.targets).squaredNorm();
  for (const Layer& layer : layers) loss += 0.5 * problem.ridge * layer.weights.squaredNorm();
  return loss;
}

}  // namespace relufit
