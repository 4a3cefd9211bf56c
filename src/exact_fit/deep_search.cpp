// Plain networks of any depth and activation, of the asked widths and, where these are large, of smaller ones too: half
// of every hidden layer, a quarter, and so on. A narrower network that fits is one of the asked widths with idle units,
// and its fits cost a fraction; where the data come from a narrow network, the asked widths succeed no more often.

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>

#include "exact_fit/deep_fit.h"
#include "exact_fit/deep_units.h"
#include "exact_fit/iterated_search.h"
#include "exact_fit/searches.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

/// Networks of some widths, and how their fits went.
struct Students {
  /// `half`: of the widths of the problem, which must stay.
  Students(const LiftedProblem& problem, bool half)
      : narrow(half ? std::optional(halved(problem)) : std::nullopt), given(problem), fit(this->problem()) {}

  const LiftedProblem& problem() const { return narrow ? *narrow : given; }
  /// Of a step, and of about as many steps as a start takes.
  double step_cost() { return std::pow(static_cast<double>(fit.errors().parameter_count()), 2); }
  double start_cost() { return 1000 * step_cost(); }

  static LiftedProblem halved(LiftedProblem problem) {
    std::vector<Index>& widths = problem.network.widths;
    for (std::size_t l = 1; l + 1 < widths.size(); ++l) widths[l] = (widths[l] + 1) / 2;
    return problem;
  }

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor(starts, cost, best);
  }

  std::optional<LiftedProblem> narrow;
  const LiftedProblem& given;
  NetworkFit fit;
  Index starts = 0;
  double cost = 0;                                        // of all steps so far
  double best = std::numeric_limits<double>::infinity();  // relative residual
};

class NetworkFitting {
 public:
  using Model = std::vector<Layer>;
  static constexpr Index kDraws = 5;

  NetworkFitting(const LiftedProblem& problem, const SearchOptions& options) : problem_(problem) {
    fit_options_.max_iterations = 200;
    fit_options_.race_interval = 10;
    fit_options_.race_factor = 0.9;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
    students_.emplace_back(problem, false);
    const bool determined = students_[0].fit.errors().parameter_count() < problem.targets.size();
    while (determined && can_be_halved(students_.back().problem()))
      students_.emplace_back(students_.back().problem(), true);
  }

  /// The widths of the start that follows: those that have cost least, narrower ones at a third of their cost as long
  /// as their best fit is good, and no worse than those of wider ones.
  void begin_start() {
    constexpr double kNarrowShare = 3;
    constexpr Index kTrials = 4;
    constexpr double kPromising = 0.02;
    double least = std::numeric_limits<double>::infinity();
    double reached = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < students_.size(); ++i) {
      Students& each = students_[i];
      const bool promising = i == 0 || each.starts < kTrials || each.best <= std::min(kPromising, reached);
      const double cost = (each.cost + each.start_cost()) / (i == 0 ? 1 : kNarrowShare);
      if (promising && cost < least) {
        least = cost;
        current_ = static_cast<Index>(i);
      }
      reached = std::min(reached, each.best);
    }
    ++students().starts;
  }

  std::vector<Layer> random_model(Random& random) { return random_network(students().problem(), random); }

  void replace_random_unit(Random& random, std::vector<Layer>& layers) {
    const std::vector<Index>& widths = students().problem().network.widths;
    Index units = 0;
    for (std::size_t l = 1; l + 1 < widths.size(); ++l) units += widths[l];
    Index unit = random.index(units);
    std::size_t l = 0;
    for (; unit >= widths[l + 1]; ++l) unit -= widths[l + 1];
    replace_unit(students().problem(), students().fit.errors(), l, unit, random, layers);
  }

  /// Given up where it stays far above the network that a unit was replaced of.
  double fit(std::vector<Layer>& layers, double residual, const std::function<bool()>& stop) {
    constexpr double kHopeless = 2;
    fit_options_.should_stop = stop;
    const Index before = students().fit.steps();
    Vector parameters = students().fit.errors().pack(layers);
    const double reached = students().fit.run(parameters, fit_options_, kHopeless * residual);
    layers = students().fit.errors().unpack(parameters);
    students().cost += static_cast<double>(students().fit.steps() - before) * students().step_cost();
    students().best = std::min(students().best, reached);
    return reached;
  }

  /// First with the corners of the activations rounded off (smooth_activation.h), by widths that fall from the size of
  /// the random units' arguments to nothing: descents of the residual itself more often end in a kink.
  double fit_random(std::vector<Layer>& layers, const std::function<bool()>& stop) {
    UnitFitOptions quick = fit_options_;
    quick.should_stop = stop;
    quick.max_iterations = kSmoothIterations;
    NetworkFit& fitting = students().fit;
    Vector parameters = fitting.errors().pack(layers);
    for (const double width : kWidths) {
      fitting.errors().set_smoothing(width);
      fitting.run(parameters, quick);
    }
    fitting.errors().set_smoothing(0);
    layers = fitting.errors().unpack(parameters);
    return fit(layers, std::numeric_limits<double>::infinity(), stop);
  }

  /// To rounding: normal equations leave about the square root of it.
  std::vector<Layer> exact(const std::vector<Layer>& layers) {
    return widened(polish(students().problem(), layers).layers, problem_.network);
  }

  std::vector<Layer> nearest(const std::vector<Layer>& layers, bool in_haste) const {
    const std::vector<Layer> wide = widened(layers, problem_.network);
    return in_haste ? wide : polish(problem_, wide).layers;
  }

  /// Between two starts' fits.
  void visit_state(StateVisitor& visitor) {
    visitor(current_);
    for (Students& each : students_) each.visit_state(visitor);
  }

 private:
  static constexpr double kWidths[] = {1, 0.3, 0.09, 0.027};
  static constexpr Index kSmoothIterations = 10;  // for each width
  static constexpr double kFitTolerance = 1e-11;
  static constexpr double kFitShare = 1e-2;

  static bool can_be_halved(const LiftedProblem& problem) {
    const std::vector<Index>& widths = problem.network.widths;
    return std::all_of(widths.begin() + 1, widths.end() - 1, [](Index width) { return width > 2; });
  }

  Students& students() { return students_[static_cast<std::size_t>(current_)]; }

  const LiftedProblem& problem_;
  UnitFitOptions fit_options_;
  std::deque<Students> students_;  // from the asked widths down
  Index current_ = 0;
};

}  // namespace

SearchResult search_networks(const LiftedProblem& problem, const SearchOptions& options,
                             const SearchObserver& observer) {
  NetworkFitting fitting(problem, options);
  return IteratedSearch<NetworkFitting>(problem, options, observer, fitting).run();
}

}  // namespace relufit
