#include "relufit/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "clock.h"
#include "relufit/sequence.h"
#include "unit_fit.h"
#include "unit_merge.h"

namespace relufit {

const char* to_string(SearchStatus status) {
  switch (status) {
    case SearchStatus::converged:
      return "converged";
    case SearchStatus::run_limit:
      return "run limit";
    case SearchStatus::time_limit:
      return "time limit";
    case SearchStatus::interrupted:
      return "interrupted";
  }
  return "unknown";
}

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(const LiftedProblem& problem, const SearchOptions& options) {
  check(problem);
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (problem.hidden_layers() != 1) {
    fail(fmt::format("widths: {} hidden layers, the search for an exact fit expects 1", problem.hidden_layers()));
  }
  if (problem.loss != Loss::exact) fail(fmt::format("loss: {}, the search expects exact", to_string(problem.loss)));
  if (problem.ridge != 0) fail(fmt::format("ridge: {}, the search for an exact fit expects 0", problem.ridge));
  if (!problem.weight_terms.empty()) {
    fail(fmt::format("weight_terms: {}, the search for an exact fit expects none", problem.weight_terms.size()));
  }
  if (!(options.time_limit >= 0)) fail(fmt::format("time_limit: {}, expected a number >= 0", options.time_limit));
  if (options.max_runs < 1) fail(fmt::format("max_runs: {}, expected at least 1", options.max_runs));
  if (options.patience < 0) fail(fmt::format("patience: {}, expected at least 0", options.patience));
  if (!(std::isfinite(options.extra_units) && options.extra_units >= 0)) {
    fail(fmt::format("extra_units: {}, expected a number >= 0", options.extra_units));
  }
  if (!(std::isfinite(options.tolerance) && options.tolerance > 0)) {
    fail(fmt::format("tolerance: {}, expected a number > 0", options.tolerance));
  }
}

/// Shape of the models of the runs.
struct Shape {
  Index units;
  bool skip;
};

/// Extra units and a skip only where the data still determine the model: unknowns, less one scale per unit, at most 0.8
/// of the equations (a model that fits anything tells nothing about the plain network); and where the skip determines
/// which units to turn around (unit_merge.h).
Shape shape_of_runs(const LiftedProblem& problem, double extra_units) {
  constexpr double kLargestShare = 0.8;
  const Index bias = problem.bias ? 1 : 0;
  const Index inputs = problem.widths[0];
  const Index asked = problem.widths[1];
  const Index outputs = problem.widths[2];
  const Shape plain{asked, false};
  if (problem.output == OutputActivation::relu || extra_units == 0 || inputs * outputs < asked) return plain;
  const auto equations = static_cast<double>(problem.samples() * outputs);
  Index extra = std::max<Index>(1, std::lround(extra_units * static_cast<double>(asked)));
  for (; extra >= 0; --extra) {
    const Index units = asked + extra;
    const Index unknowns = units * (inputs + bias - 1) + outputs * (units + bias + inputs);
    if (static_cast<double>(unknowns) <= kLargestShare * equations) return {units, true};
  }
  return plain;
}

class Search {
 public:
  Search(const LiftedProblem& problem, const SearchOptions& options, const SearchObserver& observer)
      : problem_(problem),
        options_(options),
        observer_(observer),
        units_(problem.inputs, problem.targets, problem.output, problem.bias),
        fit_(units_),
        random_(options.seed),
        shape_(shape_of_runs(problem, options.extra_units)),
        solved_(std::max(kSolved, options.tolerance)) {
    fit_options_.max_iterations = 150;
    fit_options_.race_interval = 5;
    fit_options_.race_factor = 0.8;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
    fit_options_.should_stop = [this] { return out_of_time() || (options_.should_stop && options_.should_stop()); };
  }

  SearchResult run() {
    while (!status_) run_from_fresh_start();
    if (*status_ != SearchStatus::converged) settle_for_best();
    result_.status = *status_;
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  static constexpr double kSolved = 1e-8;         // relative residual from which on a run's model counts as exact
  static constexpr double kFitTolerance = 1e-11;  // of a run: well below, convergence is quadratic in the end
  static constexpr double kFitShare = 1e-2;
  static constexpr double kProgress = 0.999;

  double seconds() const { return clock_.seconds(); }
  bool out_of_time() const { return options_.time_limit > 0 && seconds() >= options_.time_limit; }

  /// Iterated local search: replaces one random unit at a time. Ends solved, out of patience, or stopped.
  void run_from_fresh_start() {
    current_ = units_.random_model(shape_.units, shape_.skip, random_);
    double residual = attempt(current_);
    Index failures = 0;
    while (!status_ && residual > solved_ && failures < options_.patience) {
      candidate_ = current_;
      replace_random_unit(candidate_);
      const double next = attempt(candidate_);
      failures = next < kProgress * residual ? 0 : failures + 1;
      if (!(next < residual)) continue;
      std::swap(current_, candidate_);
      residual = next;
    }
  }

  void replace_random_unit(UnitModel& model) {
    constexpr double kOutputSize = 0.1;
    const Index unit = random_.index(model.units());
    const double size = kOutputSize * model.output.norm() / std::sqrt(static_cast<double>(model.output.size()));
    units_.randomize_unit(random_, unit, model);
    for (Index o = 0; o < model.output.rows(); ++o) model.output(o, unit) = size * random_.normal();
  }

  /// One run and what follows from it; sets status_ where the search is over. Returns the run's relative residual.
  double attempt(UnitModel& model) {
    const double residual = fit_.run(model, fit_options_);
    ++result_.runs;
    if (residual < best_residual_ || best_.units() == 0) {
      best_residual_ = residual;
      best_ = model;
    }
    if (residual <= solved_) reduce(model);
    const bool go_on = !observer_ || observer_(result_.runs, best_residual_);
    if (!result_.layers.empty() && result_.relative_residual <= options_.tolerance) {
      status_ = SearchStatus::converged;
    } else if (!go_on || (options_.should_stop && options_.should_stop())) {
      status_ = SearchStatus::interrupted;
    } else if (out_of_time()) {
      status_ = SearchStatus::time_limit;
    } else if (result_.runs >= options_.max_runs) {
      status_ = SearchStatus::run_limit;
    }
    return residual;
  }

  /// Keeps the plain network that an exact model reduces to, if that is the best so far.
  void reduce(const UnitModel& model) {
    if (!shape_.skip) return keep(model);
    UnitMergeOptions merge(problem_.widths[1]);
    merge.polish.tolerance = merge.prune.tolerance = fit_options_.tolerance;
    merge.largest_wide = std::max(merge.largest_wide, options_.tolerance);
    UnitModel plain;
    if (std::isfinite(merge_units(fit_, model, merge, plain))) keep(plain);
  }

  /// Nothing solved: the best model, forced to the asked width.
  void settle_for_best() {
    if (!shape_.skip) return keep(best_);
    UnitMergeOptions merge(problem_.widths[1]);
    merge.largest_wide = kInfinity;
    merge.polish.max_iterations = fit_options_.max_iterations;
    if (*status_ != SearchStatus::run_limit) {  // stopped: what is left to do must not take long
      constexpr double kSeconds = 0.3;
      merge.prune.should_stop = [clock = Clock()] { return clock.seconds() > kSeconds; };
      merge.polish.should_stop = merge.prune.should_stop;
    }
    UnitModel plain;
    merge_units(fit_, best_, merge, plain);
    keep(plain);
  }

  void keep(const UnitModel& plain) {
    std::vector<Layer> layers = units_.layers(plain);
    const double residual = relufit::relative_residual(problem_, layers);
    if (!result_.layers.empty() && !(residual < result_.relative_residual)) return;
    result_.layers = std::move(layers);
    result_.relative_residual = residual;
  }

  const LiftedProblem& problem_;
  const SearchOptions& options_;
  const SearchObserver& observer_;
  Clock clock_;
  UnitProblem units_;
  UnitFit fit_;
  UnitFitOptions fit_options_;
  Random random_;
  Shape shape_;
  double solved_;
  UnitModel current_;
  UnitModel candidate_;
  UnitModel best_;
  double best_residual_ = kInfinity;
  std::optional<SearchStatus> status_;
  SearchResult result_;
};

}  // namespace

SearchResult search_exact_fit(const LiftedProblem& problem, const SearchOptions& options,
                              const SearchObserver& observer) {
  check(problem, options);
  return Search(problem, options, observer).run();
}

}  // namespace relufit
