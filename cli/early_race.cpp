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

/// The point of the problem so scaled.
LiftedPoint scaled(LiftedPoint point, double size) {
  point.layers.back().weights /= size;
  point.layers.back().bias /= size;
  point.output /= size;
  for (std::size_t l = point.layers.size() - 1; l < point.active.size(); ++l) {
    point.active[l] /= size;
    point.slack[l] /= size;
  }
  return point;
}

double size_of(const Matrix& targets) {
  const double size = targets.norm() / std::sqrt(static_cast<double>(targets.size()));
  return size > 0 ? size : 1;
}

class EarlyRace {
 public:
  EarlyRace(const LiftedProblem& problem, const EarlyRaceOptions& options, unsigned long long seed,
            const std::function<bool()>& go_on)
      : size_(size_of(problem.targets)),
        problem_(scaled(problem, size_)),
        options_(options),
        seed_(seed),
        random_(seed),
        go_on_(go_on) {
    if (options_.from) options_.from = scaled(std::move(*options_.from), size_);
  }

  EarlyRaceResult run() {
    while (result_.starts < options_.starts && !result_.solved && go_on_()) {
      ++result_.starts;
      if (options_.from) {
        solve_from(*options_.from);
      } else if (const SequenceResult near = early(); near.trace.back().fit <= kNear && go_on_()) {
        solve_from(near.point);
      }
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
  static constexpr double kLate = 1e-2;      // after kTrial problems: given up
  static constexpr Index kTrial = 15;
  static constexpr double kProgress = 0.9;  // of a kick
  static constexpr double kExact = 1e-8;
  static constexpr double kSpread = 0.7;  // of logarithms of what varies

  double varied(double value) { return value * std::exp(kSpread * random_.normal()); }

  unsigned long long next_seed() { return 1000 * seed_ + static_cast<unsigned long long>(guesses_++); }

  SequenceResult early() {
    const bool vary = result_.starts % 2 == 0;
    const auto about = [&](double value) { return vary ? varied(value) : value; };
    const SequenceOptions options = early_options(about);
    SequenceResult found = run_sequence(
        problem_, with_scales(random_parameters(problem_, about(options_.size), next_seed()), options.scales), options,
        [&](const SequenceRecord& record, const std::vector<Layer>&) { return record.fit > kVeryNear && go_on_(); });
    result_.early_iterations += found.trace.back().inner_iterations;
    result_.inner_iterations += found.trace.back().inner_iterations;
    return found;
  }

  /// From a point, then from where the best so far has stalled, with noise.
  void solve_from(const LiftedPoint& point) {
    SequenceResult best = solve(parameters_at(point));
    Index failures = 0;
    while (!result_.solved && go_on_() && failures < options_.kicks) {
      ++result_.kicks;
      SequenceResult next = solve(kicked(best.point));
      failures = next.best_value < kProgress * best.best_value ? 0 : failures + 1;
      if (next.best_value < best.best_value) best = std::move(next);
    }
  }

  RelaxationParameters kicked(const LiftedPoint& point) {
    constexpr double kKick = 0.03;
    RelaxationParameters parameters = parameters_at(point);
    const RelaxationParameters noise = random_parameters(problem_, varied(kKick), next_seed());
    for (std::size_t l = 0; l < noise.pair.size(); ++l) {
      parameters.pair[l].x += noise.pair[l].x;
      parameters.pair[l].y += noise.pair[l].y;
    }
    for (std::size_t l = 0; l < noise.product.size(); ++l) parameters.product[l].x += noise.product[l].x;
    return parameters;
  }

  SequenceResult solve(const RelaxationParameters& parameters) {
    SequenceResult found = run_sequence(problem_, parameters, converged_options(),
                                        [&](const SequenceRecord& record, const std::vector<Layer>&) {
                                          const bool late = record.iteration == kTrial && record.fit > kLate;
                                          return record.fit > kExact && !late && go_on_();
                                        });
    result_.inner_iterations += found.trace.back().inner_iterations;
    if (result_.layers.empty() || found.best_value < result_.fit) {
      result_.layers = found.best_layers;
      result_.fit = found.best_value;
      result_.trace = found.trace;
      result_.solved = result_.fit <= kSameOutputs;
    }
    return found;
  }

  double size_;
  LiftedProblem problem_;
  EarlyRaceOptions options_;
  unsigned long long seed_;
  Random random_;
  Index guesses_ = 0;
  const std::function<bool()>& go_on_;
  EarlyRaceResult result_;
};

}  // namespace

EarlyRaceResult race_early_updates(const LiftedProblem& problem, const EarlyRaceOptions& options,
                                   unsigned long long seed, const std::function<bool()>& go_on) {
  return EarlyRace(problem, options, seed, go_on).run();
}

}  // namespace relufit::cli
