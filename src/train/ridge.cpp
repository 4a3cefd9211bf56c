#include "train/ridge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>

#include "base/parallel.h"
#include "polish/constrained_polish.h"
#include "polish/revive.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

constexpr std::array kRidges = {3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};
constexpr std::size_t kPatience = 3;      // ridges in a row that are no better than the best: the path ends
constexpr Index kSamplesOfFolds = 5000;   // with more, one held-out part
constexpr double kWorthwhile = 1 - 1e-3;  // a smaller ridge must predict better by this factor

/// The problem on some of its samples alone, without bounds on outputs.
LiftedProblem on_samples(const LiftedProblem& problem, const std::vector<Index>& samples) {
  LiftedProblem part = problem;
  part.output_lower.resize(0, 0);
  part.output_upper.resize(0, 0);
  part.output_terms.clear();
  part.inputs = problem.inputs(Eigen::all, samples);
  part.targets = problem.targets(Eigen::all, samples);
  if (problem.sample_weights.size() > 0) part.sample_weights = problem.sample_weights(samples);
  const double share = static_cast<double>(samples.size()) / static_cast<double>(problem.samples());
  for (WeightTerm& term : part.weight_terms) {
    if (!is_constraint(term.kind)) term.size *= share;
  }
  return part;
}

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

/// One part of the samples held out, and the path of networks on the others.
class Fold {
 public:
  Fold(const ScaledProblem& scaled, Index samples, const std::vector<Index>& held_out, const TrainOptions& options,
       const TrainPlan& plan)
      : options_(options),
        plan_(plan),
        scaled_{on_samples(scaled.problem, others(samples, held_out)), scaled.input_scaling, scaled.target_scaling},
        test_(on_samples(scaled.problem, held_out)),
        path_(scaled_.problem, loss_terms(options.loss, scaled_.problem.samples(), scaled_.problem.targets.rows()),
              start_seed(options.seed, 0)) {
    test_.ridge = 0;
    test_.weight_terms.clear();
  }

  /// Whether samples that count are on both sides.
  bool is_of_use() const {
    const auto counts = [](const LiftedProblem& problem) {
      return problem.sample_weights.size() == 0 || problem.sample_weights.maxCoeff() > 0;
    };
    return counts(scaled_.problem) && counts(test_);
  }

  double values() const { return loss_terms(options_.loss, test_.samples(), test_.targets.rows()); }

  /// The loss of the held-out samples for this ridge, smaller than those before.
  double loss(double ridge, const std::function<bool()>& should_stop) {
    if (path_.layers().empty()) {
      SequenceOptions relaxation = relaxation_for(scaled_.problem, plan_);
      relaxation.max_iterations = std::min(relaxation.max_iterations, options_.candidate_iterations);
      relaxation.threads = 1;
      relaxation.subproblem.should_stop = should_stop;
      path_.begin(ridge, start_parameters(scaled_, options_, 0), relaxation);
    }
    PolishOptions polishing;
    polishing.tolerance = kPathTolerance;
    polishing.should_stop = should_stop;
    path_.follow(ridge, polishing);
    return network_loss(test_, path_.layers());
  }

 private:
  static std::vector<Index> others(Index samples, const std::vector<Index>& held_out) {
    std::vector<Index> all(static_cast<std::size_t>(samples));
    std::iota(all.begin(), all.end(), Index{0});
    std::vector<Index> rest;
    std::set_difference(all.begin(), all.end(), held_out.begin(), held_out.end(), std::back_inserter(rest));
    return rest;
  }

  const TrainOptions& options_;
  const TrainPlan& plan_;
  ScaledProblem scaled_;
  LiftedProblem test_;
  RidgePath path_;
};

std::vector<Fold> make_folds(const ScaledProblem& scaled, Index samples, const TrainOptions& options,
                             const TrainPlan& plan) {
  std::vector<std::vector<Index>> parts =
      fold_samples(samples, options.folds, options.seed, classes(scaled.problem, samples));
  if (samples > kSamplesOfFolds) parts.resize(1);
  std::vector<Fold> folds;
  for (const std::vector<Index>& held_out : parts) {
    Fold fold(scaled, samples, held_out, options, plan);
    if (fold.is_of_use()) folds.push_back(std::move(fold));
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

SequenceResult RidgePath::begin(double ridge, const RelaxationParameters& start, const SequenceOptions& options,
                                const SequenceObserver& observer) {
  set_ridge(ridge);
  relaxation_ = options;
  SequenceResult result = run_sequence(problem_, start, options, observer);
  layers_ = result.best_layers;
  return result;
}

Index RidgePath::follow(double ridge, const PolishOptions& options) {
  set_ridge(ridge);
  if (problem_.weight_terms.empty() || has_constrained_polish(problem_, options)) {
    revive_units(problem_, layers_, seed_++);
    PolishResult polished = polish(problem_, layers_, options);
    layers_ = std::move(polished.layers);
    return polished.iterations;
  }
  const RelaxationParameters start = parameters_at(lift_network(problem_, layers_));
  layers_ = run_sequence(problem_, with_scales(start, relaxation_.scales), relaxation_).best_layers;
  return 0;
}

RidgeChoice choose_ridge(const ScaledProblem& scaled, Index samples, const TrainOptions& options, const TrainPlan& plan,
                         const std::function<bool()>& should_stop) {
  std::vector<Fold> folds = make_folds(scaled, samples, options, plan);
  RidgeChoice choice{kUsualRidge, {}, {}, {}};
  if (folds.empty()) return choice;
  const auto count = static_cast<Index>(folds.size());
  Workers workers(static_cast<int>(std::min<Index>(options.threads, count)));
  Vector losses(count), values(count);
  std::size_t best = 0;
  for (const double ridge : kRidges) {
    workers.run(count, [&](Index i) {
      Fold& fold = folds[static_cast<std::size_t>(i)];
      losses(i) = fold.loss(ridge, should_stop);
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
    if (!(mean >= kWorthwhile * choice.held_out[best])) best = choice.ridges.size() - 1;
    if (choice.ridges.size() - 1 - best >= kPatience) break;
  }
  if (!choice.ridges.empty()) choice.ridge = choice.ridges[best];
  return choice;
}

}  // namespace relufit
