#include "early_race.h"

#include <cmath>
#include <utility>

#include "base/random.h"
#include "relufit/fit.h"

namespace relufit::cli {

namespace {

/// The best of a random search on the problems of seeds 100 to 109. A step lambda / rho of 5.5 moves a pair by about
/// its distance from h s = 0 (w^2 lambda = .8 rho); products are held far more loosely.
template <class About>
SequenceOptions early_options(const About& about) {
  SequenceOptions options;
  set_strategy(options, Strategy::inexact, 1);
  options.weights.pair = about(5.48);
  options.scales.pair = about(0.376);
  options.penalties = {1, about(0.0271), about(0.105), 1};
  options.weights.product = about(0.353) * options.penalties.product;
  options.scales.left = about(0.913);
  options.scales.right = about(2.35);
  options.subproblem.over_relaxation = 1;
  options.max_iterations = 6000;
  options.stall_window = 0;
  options.record_interval = 50;
  return options;
}

SequenceOptions converged_options() {
  SequenceOptions options;
  set_strategy(options, Strategy::extrapolated, 0);
  options.weights = {1, 0.1};
  options.subproblem.tolerance = 1e-9;
  options.subproblem.max_iterations = 3000;
  options.max_iterations = 50;
  options.stall_window = 0;
  options.tolerance = 1e-8;
  return options;
}

LiftedProblem scaled(LiftedProblem problem, double size) {
  problem.targets /= size;
  return problem;
}

class EarlyRace {
 public:
  EarlyRace(const LiftedProblem& problem, const EarlyRaceOptions& options, unsigned long long seed,
            const std::function<bool()>& go_on)
      : size_(problem.targets.norm() / std::sqrt(static_cast<double>(problem.targets.size()))),
        problem_(scaled(problem, size_ > 0 ? size_ : 1)),
        options_(options),
        seed_(seed),
        random_(seed),
        go_on_(go_on) {}

  EarlyRaceResult run() {
    while (result_.starts < options_.starts && !result_.solved && go_on_()) {
      const SequenceResult near = early();
      ++result_.starts;
      if (near.trace.back().fit <= kNear && go_on_()) converge(near.point);
    }
    if (!result_.layers.empty()) {
      result_.layers.back().weights *= size_;
      result_.layers.back().bias *= size_;
    }
    return std::move(result_);
  }

 private:
  static constexpr double kNear = 0.05;      // relative residual from which on problems are solved to the end
  static constexpr double kVeryNear = 1e-4;  // at which the early phase ends
  static constexpr double kLate = 1e-2;      // after kTrial problems: the start is given up
  static constexpr Index kTrial = 15;
  static constexpr double kExact = 1e-8;

  SequenceResult early() {
    constexpr double kSpread = 0.7;  // of logarithms
    const bool vary = result_.starts % 2 == 1;
    const auto about = [&](double value) { return vary ? value * std::exp(kSpread * random_.normal()) : value; };
    const SequenceOptions options = early_options(about);
    const auto seed = 1000 * seed_ + static_cast<unsigned long long>(result_.starts);
    SequenceResult found = run_sequence(
        problem_, with_scales(random_parameters(problem_, about(options_.size), seed), options.scales), options,
        [&](const SequenceRecord& record, const std::vector<Layer>&) { return record.fit > kVeryNear && go_on_(); });
    result_.early_iterations += found.trace.back().inner_iterations;
    result_.inner_iterations += found.trace.back().inner_iterations;
    return found;
  }

  void converge(const LiftedPoint& from) {
    SequenceResult found = run_sequence(problem_, parameters_at(from), converged_options(),
                                        [&](const SequenceRecord& record, const std::vector<Layer>&) {
                                          const bool late = record.iteration == kTrial && record.fit > kLate;
                                          return record.fit > kExact && !late && go_on_();
                                        });
    result_.inner_iterations += found.trace.back().inner_iterations;
    result_.layers = std::move(found.best_layers);
    result_.fit = found.best_value;
    result_.solved = result_.fit <= kSameOutputs;
    result_.trace = std::move(found.trace);
  }

  double size_;
  LiftedProblem problem_;
  EarlyRaceOptions options_;
  unsigned long long seed_;
  Random random_;
  const std::function<bool()>& go_on_;
  EarlyRaceResult result_;
};

}  // namespace

EarlyRaceResult race_early_updates(const LiftedProblem& problem, const EarlyRaceOptions& options,
                                   unsigned long long seed, const std::function<bool()>& go_on) {
  return EarlyRace(problem, options, seed, go_on).run();
}

}  // namespace relufit::cli
