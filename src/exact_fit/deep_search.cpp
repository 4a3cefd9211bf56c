// Plain networks of any depth and activation, of the asked widths and, where these are large, of smaller ones too: half
// of every hidden layer, a quarter, and so on. A narrower network that fits is one of the asked widths with idle units,
// and its fits cost a fraction; where the data come from a narrow network, the asked widths succeed no more often.
// ReLU networks of three hidden layers or more also from units of the first layer that exact data show
// (deep/first_layer.h): with them the rest is found far more often. And those of two or more from first layers that
// robust fits show (deep/determined_layer.h).

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

#include "exact_fit/deep/determined_layer.h"
#include "exact_fit/deep/first_layer.h"
#include "exact_fit/deep/network_fit.h"
#include "exact_fit/deep/random_units.h"
#include "exact_fit/iterated_search.h"
#include "exact_fit/searches.h"
#include "exact_fit/students.h"
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

/// Whether all units of a layer are among those of another, but for their size.
bool are_among(const Layer& units, const Layer& others) {
  constexpr double kSame = 1e-10;
  for (Index i = 0; i < units.bias.size(); ++i) {
    const Vector products = others.weights * units.weights.row(i).transpose() + others.bias * units.bias(i);
    const Vector sizes = others.weights.rowwise().squaredNorm() + others.bias.cwiseAbs2();
    const double size = units.weights.row(i).squaredNorm() + std::pow(units.bias(i), 2);
    const auto is_same = products.array() > 0 && products.array().square() >= (1 - kSame) * size * sizes.array();
    if (!is_same.any()) return false;
  }
  return true;
}

class NetworkFitting {
 public:
  using Model = std::vector<Layer>;
  static constexpr Index kDraws = 5;

  NetworkFitting(const LiftedProblem& problem, const SearchOptions& options) : problem_(problem) {
    fit_options_.max_iterations = 200;
    fit_options_.race_interval = 10;
    fit_options_.race_factor = 0.9;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
    students_.emplace_back(problem, Known{{}, {}, 0, kTrials});
    while (is_determined() && can_be_halved(students_.back().problem)) {
      const LiftedProblem& narrow = narrow_.emplace_back(halved(students_.back().problem));
      students_.emplace_back(narrow, Known{{}, {}, static_cast<Index>(students_.size()), kTrials});
    }
    own_ = students_.size();
  }

  void prepare(const std::function<bool()>& stop) {
    if (!is_determined() || !shows_units(problem_)) return;
    for (Layer& units : first_layer_guesses(problem_.inputs, problem_.targets, problem_.network.widths[1], stop)) {
      auto narrowest = static_cast<Index>(own_) - 1;  // that has room for them
      while (own(narrowest).problem.network.widths[1] < units.bias.size()) --narrowest;
      add({std::move(units), {}, narrowest, 1});
    }
  }

  /// The students of the start that follows: those that have cost least, others than those of the asked widths at a
  /// part of their cost, and only as long as they are promising.
  void begin_start() {
    constexpr double kNarrowShare = 3;
    constexpr double kKnownShare = 9;
    for (Known& known : learned_) add(std::move(known));
    learned_.clear();
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < students_.size(); ++i) {
      const double share = i == 0 ? 1 : i < own_ ? kNarrowShare : kKnownShare;
      const double cost = (students_[i].cost + students_[i].start_cost()) / share;
      if (!is_promising(i) || !(cost < least)) continue;
      least = cost;
      current_ = static_cast<Index>(i);
    }
    ++students().starts;
  }

  /// Somewhat worse networks help where units are given; all in all the others do better without.
  double accepted() { return students().known.units.bias.size() > 0 ? 1.5 : 1; }

  std::vector<Layer> random_model(Random& random) { return students().random_model(random); }

  void replace_random_unit(Random& random, std::vector<Layer>& layers) {
    students().replace_random_unit(random, layers);
  }

  /// Given up where it stays far above the network that a unit was replaced of.
  double fit(std::vector<Layer>& layers, double residual, const std::function<bool()>& stop) {
    constexpr double kHopeless = 2;
    fit_options_.should_stop = stop;
    NetworkFit& fitting = students().fit;
    const Index before = fitting.steps();
    Vector parameters = students().pack(layers);
    double reached = fitting.run(parameters, fit_options_, kHopeless * residual);
    const bool goes_on = reached < kNearly && reached < accepted() * residual;
    if (goes_on && reached > fit_options_.tolerance) reached = fit_robustly(parameters, reached);
    layers = students().unpack(parameters);
    students().cost += static_cast<double>(fitting.steps() - before) * students().step_cost();
    students().best = std::min(students().best, reached);
    return reached;
  }

  /// First with the corners of the activations rounded off (smooth_activation.h), by widths that fall from the size of
  /// the random units' arguments to nothing: descents of the residual itself more often end in a kink.
  double fit_random(std::vector<Layer>& layers, const std::function<bool()>& stop) {
    if (!students().known.start.empty()) {
      layers = std::exchange(students().known.start, {});
      return fit(layers, std::numeric_limits<double>::infinity(), stop);
    }
    UnitFitOptions quick = fit_options_;
    quick.should_stop = stop;
    quick.max_iterations = kSmoothIterations;
    NetworkFit& fitting = students().fit;
    Vector parameters = students().pack(layers);
    for (const double width : kWidths) {
      fitting.errors().set_smoothing(width);
      fitting.run(parameters, quick);
    }
    fitting.errors().set_smoothing(0);
    layers = students().unpack(parameters);
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
    std::vector<Known> known;
    for (std::size_t i = own_; i < students_.size(); ++i) known.push_back(students_[i].known);
    visitor(known, learned_, current_);
    if (visitor.restores()) {
      for (Known& each : known) add(std::move(each));
    }
    for (Students& each : students_) each.visit_state(visitor);
  }

 private:
  static constexpr double kWidths[] = {1, 0.3, 0.09, 0.027};
  static constexpr Index kSmoothIterations = 10;  // for each width
  static constexpr double kNearly = 1e-2;         // relative residual below which a fit is tried again
  static constexpr Index kTrials = 4;             // starts of students; of units that pieces show: one
  static constexpr double kFitTolerance = 1e-11;
  static constexpr double kFitShare = 1e-2;

  /// From a robust fit, which may leave a minimum that a few samples hold.
  double fit_robustly(Vector& parameters, double reached) {
    Vector trial = parameters;
    students().fit.run_robust(trial, fit_options_);
    learn(trial);
    const double again = students().fit.run(trial, fit_options_);
    if (again < reached) parameters.swap(trial);
    return std::min(again, reached);
  }

  /// The first layer of a network that is exact on so many samples that these determine it.
  void learn(const Vector& parameters) {
    constexpr double kZero = 1e-8;     // errors, relative to the size of the targets
    constexpr std::size_t kMost = 16;  // students that know units
    NetworkFit& fitting = students().fit;
    if (!can_show_layer(students()) || students_.size() + learned_.size() >= own_ + kMost) return;
    std::vector<Layer> layers = students().unpack(parameters);
    const Index of = students().known.of;
    const auto has_it = [&](const Known& other) { return other.of == of && are_among(layers[0], other.units); };
    if (std::any_of(learned_.begin(), learned_.end(), has_it)) return;
    if (std::any_of(students_.begin(), students_.end(), [&](const Students& each) { return has_it(each.known); }))
      return;
    if (!is_first_layer_determined(fitting.errors(), parameters, kZero * fitting.target_size())) return;
    learned_.push_back({layers[0], std::move(layers), of, kTrials});
  }

  /// Whether fits can show the first layer, and are worth the time.
  static bool can_show_layer(const Students& students) {
    constexpr Index kMostParameters = 300;
    const Architecture& network = students.problem.network;
    return network.activation == Activation::relu && !network.skip_connections && network.hidden_layers() > 1 &&
           !students.above && students.fit.free_count() <= kMostParameters;
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

  /// Those of widths that units are known of.
  const Students& own(Index of) const { return students_[static_cast<std::size_t>(of)]; }
  void add(Known known) { students_.emplace_back(own(known.of).problem, std::move(known)); }

  /// Narrower ones while their best fit is good, and no worse than those of wider ones; those that know units,
  /// after their trials, while none is better.
  bool is_promising(std::size_t i) const {
    constexpr double kPromising = 0.02;
    const Students& each = students_[i];
    if (i == 0 || each.starts < each.known.trials) return true;
    const auto end = i < own_ ? students_.begin() + static_cast<std::ptrdiff_t>(i) : students_.end();
    const bool none_better =
        std::none_of(students_.begin(), end, [&](const Students& other) { return other.best < each.best; });
    return none_better && (i >= own_ || each.best <= kPromising);
  }

  Students& students() { return students_[static_cast<std::size_t>(current_)]; }

  const LiftedProblem& problem_;
  UnitFitOptions fit_options_;
  std::deque<LiftedProblem> narrow_;  // of halved widths
  std::deque<Students> students_;     // from the asked widths down, then those that know units
  std::size_t own_ = 1;               // of the former
  std::vector<Known> learned_;        // in the present start
  Index current_ = 0;
};

}  // namespace

SearchResult search_networks(const LiftedProblem& problem, const SearchOptions& options,
                             const SearchObserver& observer) {
  NetworkFitting fitting(problem, options);
  return IteratedSearch<NetworkFitting>(problem, options, observer, fitting).run();
}

}  // namespace relufit
