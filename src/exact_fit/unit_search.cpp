// One hidden layer of ReLUs. A model's local fit eliminates its output weights; with linear outputs models have some
// extra units and a linear term, which makes most fits succeed, and one that fits is reduced to the width asked for.

#include <algorithm>
#include <cmath>
#include <limits>

#include "exact_fit/iterated_search.h"
#include "exact_fit/one_layer/unit_fit.h"
#include "exact_fit/one_layer/unit_merge.h"
#include "exact_fit/searches.h"

namespace relufit {

namespace {

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
  const Index inputs = problem.network.widths[0];
  const Index asked = problem.network.widths[1];
  const Index outputs = problem.network.widths[2];
  const Shape plain{asked, false};
  if (problem.network.output == OutputActivation::relu || extra_units == 0 || inputs * outputs < asked) return plain;
  const auto equations = static_cast<double>(problem.samples() * outputs);
  Index extra = std::max<Index>(1, std::lround(extra_units * static_cast<double>(asked)));
  for (; extra >= 0; --extra) {
    const Index units = asked + extra;
    const Index unknowns = units * (inputs + bias - 1) + outputs * (units + bias + inputs);
    if (static_cast<double>(unknowns) <= kLargestShare * equations) return {units, true};
  }
  return plain;
}

class UnitFitting {
 public:
  using Model = UnitModel;
  static constexpr Index kDraws = 1;
  static constexpr double accepted() { return 1; }

  UnitFitting(const LiftedProblem& problem, const SearchOptions& options)
      : asked_(problem.network.widths[1]),
        tolerance_(options.tolerance),
        units_(problem.inputs, problem.targets, problem.network.output, problem.bias),
        fit_(units_),
        shape_(shape_of_runs(problem, options.extra_units)) {
    fit_options_.max_iterations = 150;
    fit_options_.race_interval = 5;
    fit_options_.race_factor = 0.8;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
  }

  void prepare(const std::function<bool()>&) {}
  void begin_start() {}

  UnitModel random_model(Random& random) const { return units_.random_model(shape_.units, shape_.skip, random); }

  void replace_random_unit(Random& random, UnitModel& model) const {
    constexpr double kOutputSize = 0.1;
    const Index unit = random.index(model.units());
    const double size = kOutputSize * model.output.norm() / std::sqrt(static_cast<double>(model.output.size()));
    units_.randomize_unit(random, unit, model);
    for (Index o = 0; o < model.output.rows(); ++o) model.output(o, unit) = size * random.normal();
  }

  double fit_random(UnitModel& model, const std::function<bool()>& stop) {
    fit_options_.should_stop = stop;
    return fit_.run(model, fit_options_);
  }

  double fit(UnitModel& model, double, const std::function<bool()>& stop) { return fit_random(model, stop); }

  std::vector<Layer> exact(const UnitModel& model) {
    if (!shape_.skip) return units_.layers(model);
    UnitMergeOptions merge(asked_);
    merge.polish.tolerance = merge.prune.tolerance = fit_options_.tolerance;
    merge.largest_wide = std::max(merge.largest_wide, tolerance_);
    UnitModel plain;
    if (!std::isfinite(merge_units(fit_, model, merge, plain))) return {};
    return units_.layers(plain);
  }

  void visit_state(StateVisitor&) {}

  /// Forced to the asked width.
  std::vector<Layer> nearest(const UnitModel& model, bool in_haste) {
    if (!shape_.skip) return units_.layers(model);
    UnitMergeOptions merge(asked_);
    merge.largest_wide = std::numeric_limits<double>::infinity();
    merge.polish.max_iterations = fit_options_.max_iterations;
    if (in_haste) {
      constexpr double kSeconds = 0.3;
      merge.prune.should_stop = [clock = Clock()] { return clock.seconds() > kSeconds; };
      merge.polish.should_stop = merge.prune.should_stop;
    }
    UnitModel plain;
    merge_units(fit_, model, merge, plain);
    return units_.layers(plain);
  }

 private:
  static constexpr double kFitTolerance = 1e-11;  // of a run: well below kSolved, convergence is quadratic in the end
  static constexpr double kFitShare = 1e-2;

  Index asked_;
  double tolerance_;
  UnitProblem units_;
  UnitFit fit_;
  UnitFitOptions fit_options_;
  Shape shape_;
};

}  // namespace

SearchResult search_units(const LiftedProblem& problem, const SearchOptions& options, const SearchObserver& observer) {
  UnitFitting fitting(problem, options);
  return IteratedSearch<UnitFitting>(problem, options, observer, fitting).run();
}

}  // namespace relufit
