#include "train/ridge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>

#include "base/parallel.h"
#include "polish/constrained_polish.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"
#include "train/sharing.h"

namespace relufit {

namespace {

constexpr std::array kRidges = {3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};
constexpr std::size_t kPatience = 3;      // ridges in a row that are no better than the best: the path ends
constexpr Index kSamplesPerFold = 4;      // at least, to choose a ridge
constexpr double kChoiceShare = 0.8;      // of a time limit at most for that choice
constexpr Index kSamplesOfFolds = 5000;   // with more, one held-out part
constexpr double kWorthwhile = 1 - 1e-3;  // a smaller ridge must predict better by this factor

/// For every sample the class that its targets say, so that every fold has its share of each; none for numbers.
std::vector<Index> classes(const LiftedProblem& problem, Index samples) {
  std::vector<Index> keys;
  if (!is_for_classes(problem.loss)) return keys;
  for (Index i = 0; i < samples; ++i) {
    Index largest = problem.targets(0, i) > 0 ? 1 : 0;
    if (problem.targets.rows() > 1) problem.targets.col(i).maxCoeff(&largest);
    keys.push_back(largest);
  }
  return keys;
}

std::vector<Index> others(Index samples, const std::vector<Index>& held_out) {
  std::vector<Index> all(static_cast<std::size_t>(samples));
  std::iota(all.begin(), all.end(), Index{0});
  std::vector<Index> rest;
  std::set_difference(all.begin(), all.end(), held_out.begin(), held_out.end(), std::back_inserter(rest));
  return rest;
}

/// Whether there is a sample among these that counts.
bool counts(const LiftedProblem& problem, const std::vector<Index>& samples) {
  const Vector& weights = problem.sample_weights;
  return weights.size() == 0 || std::any_of(samples.begin(), samples.end(), [&](Index i) { return weights(i) > 0; });
}

/// Samples held out, and the path of networks on others.
class Fold {
 public:
  Fold(const LiftedProblem& trained, LiftedProblem held_out, const TrainOptions& options, const TrainPlan& plan,
       const std::function<bool()>& should_stop)
      : test_(std::move(held_out)), path_(path_of({trained, {}, {}}, options, plan, should_stop)) {
    test_.ridge = 0;
    test_.weight_terms.clear();
    polishing_.tolerance = kPathTolerance;
    polishing_.should_stop = should_stop;
  }

  /// Whether the ridge is still too large for anything but a constant.
  bool is_idle() const { return path_.is_idle(); }

  double values() const { return loss_terms(test_.loss, test_.samples(), test_.targets.rows()); }

  /// The loss of the held-out samples for this ridge, smaller than those before.
  double loss(double ridge) {
    path_.fit(ridge, polishing_);
    return network_loss(test_, path_.layers());
  }

 private:
  static RidgePath path_of(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan,
                           const std::function<bool()>& should_stop) {
    const LiftedProblem& problem = scaled.problem;
    SequenceOptions relaxation = relaxation_for(problem, plan);
    relaxation.max_iterations = std::min(relaxation.max_iterations, options.candidate_iterations);
    relaxation.threads = 1;
    relaxation.subproblem.should_stop = should_stop;
    return RidgePath(problem, loss_terms(problem.loss, problem.samples(), problem.targets.rows()),
                     start_parameters(scaled, options, 0), relaxation, start_seed(options.seed, 0));
  }

  LiftedProblem test_;
  RidgePath path_;
  PolishOptions polishing_;
};

std::vector<Fold> make_folds(const ScaledProblem& scaled, Index samples, const TrainOptions& options,
                             const TrainPlan& plan, const std::function<bool()>& should_stop) {
  std::vector<Fold> folds;
  if (options.validation) {
    folds.emplace_back(on_samples(scaled.problem, others(samples, {})), validation_problem(scaled, *options.validation),
                       options, plan, should_stop);
    return folds;
  }
  std::vector<std::vector<Index>> parts =
      fold_samples(samples, options.folds, options.seed, classes(scaled.problem, samples));
  if (samples > kSamplesOfFolds) parts.resize(1);
  for (const std::vector<Index>& held_out : parts) {
    const std::vector<Index> trained = others(samples, held_out);
    if (!counts(scaled.problem, held_out) || !counts(scaled.problem, trained)) continue;
    folds.emplace_back(on_samples(scaled.problem, trained), on_samples(scaled.problem, held_out), options, plan,
                       should_stop);
  }
  return folds;
}

}  // namespace

std::vector<double> ridges_to(double last) {
  std::vector<double> ridges;
  for (const double ridge : kRidges) {
    if (ridge > last) ridges.push_back(ridge);
  }
  ridges.push_back(last);
  return ridges;
}

void RidgePath::fit(double ridge, const PolishOptions& options) {
  problem_.ridge = ridge * values_;
  const bool polishes = problem_.weight_terms.empty() || has_constrained_polish(problem_, options);
  if (!layers_.empty()) revive_units(problem_, layers_, seed_++);
  if (layers_.empty() || is_idle()) {
    const Index polished = result_.polish_iterations;
    result_ = run_sequence(problem_, start_, relaxation_, observer_);
    result_.polish_iterations = polished;
    layers_ = result_.best_layers;
    if (polishes) revive_units(problem_, layers_, seed_++);
  } else if (!polishes) {
    const RelaxationParameters values = parameters_at(lift_network(problem_, layers_));
    layers_ = run_sequence(problem_, with_scales(values, relaxation_.scales), relaxation_).best_layers;
  }
  if (!polishes) return;
  PolishResult polished = polish(problem_, layers_, options);
  layers_ = std::move(polished.layers);
  result_.polish_iterations += polished.iterations;
}

RidgeChoice choose_ridge(const ScaledProblem& scaled, Index samples, const TrainOptions& options, const TrainPlan& plan,
                         const std::function<bool()>& should_stop, const RidgeObserver& tried) {
  std::vector<Fold> folds = make_folds(scaled, samples, options, plan, should_stop);
  const auto count = static_cast<Index>(folds.size());
  RidgeChoice choice{kUsualRidge, {}, {}, {}, count, options.validation.has_value()};
  if (folds.empty()) return choice;
  Workers workers(static_cast<int>(std::min<Index>(options.threads, count)));
  Vector losses(count), values(count);
  std::size_t best = 0;
  const std::vector<double> ridges =
      options.ridge ? ridges_to(*options.ridge) : std::vector<double>(kRidges.begin(), kRidges.end());
  for (const double ridge : ridges) {
    workers.run(count, [&](Index i) {
      Fold& fold = folds[static_cast<std::size_t>(i)];
      losses(i) = fold.loss(ridge);
      values(i) = fold.values();
    });
    if (should_stop && should_stop()) break;
    const Vector means = losses.cwiseQuotient(values);
    const double mean = losses.sum() / values.sum();
    choice.ridges.push_back(ridge);
    choice.held_out.push_back(mean);
    const double folds_less_one = std::max(1.0, static_cast<double>(count) - 1);
    const double deviation = std::sqrt((means.array() - means.mean()).square().sum() / folds_less_one);
    choice.standard_error.push_back(deviation / std::sqrt(static_cast<double>(count)));
    const bool idle = std::all_of(folds.begin(), folds.end(), [](const Fold& fold) { return fold.is_idle(); });
    if (idle || !(mean >= kWorthwhile * choice.held_out[best])) best = choice.ridges.size() - 1;
    tried(ridge, mean, choice.held_out[best]);
    if (!options.ridge && choice.ridges.size() - 1 - best >= kPatience) break;
  }
  if (!choice.ridges.empty()) choice.ridge = options.ridge ? choice.ridges.back() : choice.ridges[best];
  return choice;
}

std::optional<RidgeChoice> ridge_from(const Dataset& data, const ScaledProblem& scaled, const TrainOptions& options,
                                      const TrainPlan& plan, const Clock& clock, const RidgeObserver& tried) {
  if (!options.validation && data.total_samples() < kSamplesPerFold * options.folds) return std::nullopt;
  const auto should_stop = [&] {
    return (options.time_limit > 0 && clock.seconds() > kChoiceShare * options.time_limit) ||
           (options.should_stop && options.should_stop());
  };
  const Index samples = std::min(data.total_samples(), kSampledRows);
  // Of rows drawn at random: the ridge for all rows is the same in all, and less per row.
  const double share = static_cast<double>(samples) / static_cast<double>(data.total_samples());
  TrainOptions for_these = options;
  if (options.ridge) for_these.ridge = *options.ridge / share;
  std::optional<ScaledProblem> some;
  if (share < 1 || data.share.ranks) {
    some = {sampled(scaled.problem, samples, options.seed), scaled.input_scaling, scaled.target_scaling};
  }
  const auto told = [&](double ridge, double held_out, double least) { tried(ridge * share, held_out, least); };
  RidgeChoice choice = by_first_rank(
      options.ranks, [&] { return choose_ridge(some ? *some : scaled, samples, for_these, plan, should_stop, told); });
  choice.ridge *= share;
  for (double& ridge : choice.ridges) ridge *= share;
  return choice;
}

}  // namespace relufit
