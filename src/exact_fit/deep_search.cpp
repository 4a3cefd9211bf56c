// Plain networks of any depth and activation, of the asked widths and, where these are large, of smaller ones too: half
// of every hidden layer, a quarter, and so on. A narrower network that fits is one of the asked widths with idle units,
// and its fits cost a fraction; where the data come from a narrow network, the asked widths succeed no more often.
// ReLU networks of three hidden layers or more also from units of the first layer that exact data show
// (deep/first_layer.h): with them the rest is found far more often.

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

#include "exact_fit/deep/first_layer.h"
#include "exact_fit/deep/network_fit.h"
#include "exact_fit/deep/random_units.h"
#include "exact_fit/iterated_search.h"
#include "exact_fit/searches.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

LiftedProblem halved(LiftedProblem problem) {
  std::vector<Index>& widths = problem.network.widths;
  for (std::size_t l = 1; l + 1 < widths.size(); ++l) widths[l] = (widths[l] + 1) / 2;
  return problem;
}

bool can_be_halved(const LiftedProblem& problem) {
  const std::vector<Index>& widths = problem.network.widths;
  return std::all_of(widths.begin() + 1, widths.end() - 1, [](Index width) { return width > 2; });
}

/// Networks of some widths, and how their fits went.
struct Students {
  /// `of_widths` must stay. `units`: the first of their first layer, that they keep.
  Students(const LiftedProblem& of_widths, Layer units)
      : problem(of_widths), given(std::move(units)), fit(of_widths, given.bias.size()) {}

  /// Of a step, and of about as many steps as a start takes.
  double step_cost() const { return std::pow(static_cast<double>(fit.free_count()), 2); }
  double start_cost() const { return 1000 * step_cost(); }

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor(starts, cost, best);
  }

  const LiftedProblem& problem;
  Layer given;
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
    students_.emplace_back(problem, Layer{});
    while (is_determined() && can_be_halved(students_.back().problem)) {
      students_.emplace_back(narrow_.emplace_back(halved(students_.back().problem)), Layer{});
    }
    own_ = students_.size();
  }

  void prepare(const std::function<bool()>& stop) {
    if (!is_determined() || !shows_units(problem_)) return;
    add_guesses(first_layer_guesses(problem_.inputs, problem_.targets, problem_.network.widths[1], stop));
  }

  /// The students of the start that follows: those that have cost least, others than those of the asked widths at a
  /// part of their cost, and only as long as they are promising.
  void begin_start() {
    constexpr double kNarrowShare = 3;
    constexpr double kGuessShare = 9;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < students_.size(); ++i) {
      const double share = i == 0 ? 1 : i < own_ ? kNarrowShare : kGuessShare;
      const double cost = (students_[i].cost + students_[i].start_cost()) / share;
      if (!is_promising(i) || !(cost < least)) continue;
      least = cost;
      current_ = static_cast<Index>(i);
    }
    ++students().starts;
  }

  /// Somewhat worse networks help where units are given; all in all the others do better without.
  double accepted() { return students().given.bias.size() > 0 ? 1.5 : 1; }

  std::vector<Layer> random_model(Random& random) {
    return random_network(students().problem, random, students().given);
  }

  void replace_random_unit(Random& random, std::vector<Layer>& layers) {
    const std::vector<Index>& widths = students().problem.network.widths;
    const Index given = students().given.bias.size();
    Index units = -given;
    for (std::size_t l = 1; l + 1 < widths.size(); ++l) units += widths[l];
    Index unit = given + random.index(units);
    std::size_t l = 0;
    for (; unit >= widths[l + 1]; ++l) unit -= widths[l + 1];
    replace_unit(students().problem, students().fit.errors(), l, unit, random, layers);
  }

  /// Given up where it stays far above the network that a unit was replaced of.
  double fit(std::vector<Layer>& layers, double residual, const std::function<bool()>& stop) {
    constexpr double kHopeless = 2;
    fit_options_.should_stop = stop;
    const Index before = students().fit.steps();
    Vector parameters = students().fit.errors().pack(layers);
    double reached = students().fit.run(parameters, fit_options_, kHopeless * residual);
    if (reached < kNearly && reached > fit_options_.tolerance) reached = fit_again(parameters, reached);
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
    return widened(polish(students().problem, layers).layers, problem_.network);
  }

  std::vector<Layer> nearest(const std::vector<Layer>& layers, bool in_haste) const {
    const std::vector<Layer> wide = widened(layers, problem_.network);
    return in_haste ? wide : polish(problem_, wide).layers;
  }

  /// Between two starts' fits.
  void visit_state(StateVisitor& visitor) {
    std::vector<Layer> guesses;
    for (std::size_t i = own_; i < students_.size(); ++i) guesses.push_back(students_[i].given);
    visitor(guesses, current_);
    if (visitor.restores()) add_guesses(std::move(guesses));
    for (Students& each : students_) each.visit_state(visitor);
  }

 private:
  static constexpr double kWidths[] = {1, 0.3, 0.09, 0.027};
  static constexpr Index kSmoothIterations = 10;  // for each width
  static constexpr double kNearly = 2e-3;         // relative residual below which a fit is tried again
  static constexpr double kFitTolerance = 1e-11;
  static constexpr double kFitShare = 1e-2;

  /// From a fit without the largest errors, which may leave a minimum that a few samples hold.
  double fit_again(Vector& parameters, double reached) {
    constexpr double kLargest = 0.05;  // share of the errors
    Vector trial = parameters;
    students().fit.run_without_largest(trial, fit_options_, kLargest);
    const double again = students().fit.run(trial, fit_options_);
    if (again < reached) parameters.swap(trial);
    return std::min(again, reached);
  }

  /// Whether the data determine a network of the asked widths.
  bool is_determined() const { return students_[0].fit.free_count() < problem_.targets.size(); }

  /// Whether data can show units of the first layer, and are worth the time: with two hidden layers the search does as
  /// well without.
  static bool shows_units(const LiftedProblem& problem) {
    constexpr Index kMostUnits = 12;
    constexpr Index kMostSamples = 5000;
    const Architecture& network = problem.network;
    return network.activation == Activation::relu && network.output == OutputActivation::linear &&
           !network.skip_connections && problem.bias && network.widths.size() > 4 && network.widths[1] <= kMostUnits &&
           problem.samples() <= kMostSamples;
  }

  /// Students that keep what the data show of the first layer, as narrow as can be.
  void add_guesses(std::vector<Layer> guesses) {
    for (Layer& layer : guesses) {
      std::size_t i = own_ - 1;
      while (students_[i].problem.network.widths[1] < layer.bias.size()) --i;
      students_.emplace_back(students_[i].problem, std::move(layer));
    }
  }

  /// Narrower ones while their best fit is good, and no worse than those of wider ones; guesses while none is better.
  bool is_promising(std::size_t i) const {
    constexpr double kPromising = 0.02;
    constexpr Index kTrials = 4;
    const Students& each = students_[i];
    if (i == 0 || each.starts < (i < own_ ? kTrials : 1)) return true;
    const auto end = i < own_ ? students_.begin() + static_cast<std::ptrdiff_t>(i) : students_.end();
    const bool none_better =
        std::none_of(students_.begin(), end, [&](const Students& other) { return other.best < each.best; });
    return none_better && (i >= own_ || each.best <= kPromising);
  }

  Students& students() { return students_[static_cast<std::size_t>(current_)]; }

  const LiftedProblem& problem_;
  UnitFitOptions fit_options_;
  std::deque<LiftedProblem> narrow_;  // of halved widths
  std::deque<Students> students_;     // from the asked widths down, then guesses
  std::size_t own_ = 1;               // of these without given units
  Index current_ = 0;
};

}  // namespace

SearchResult search_networks(const LiftedProblem& problem, const SearchOptions& options,
                             const SearchObserver& observer) {
  NetworkFitting fitting(problem, options);
  return IteratedSearch<NetworkFitting>(problem, options, observer, fitting).run();
}

}  // namespace relufit
