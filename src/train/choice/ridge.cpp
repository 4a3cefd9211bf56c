#include "train/choice/ridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <memory>
#include <numeric>

#include "parallel/workers.h"
#include "polish/stochastic_descent.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"
#include "train/choice/large_data.h"
#include "train/choice/ridge_path.h"
#include "train/plan/train_state.h"

namespace relufit {

namespace {

constexpr std::array kLargeRidges = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};  // for large data
constexpr std::size_t kPatience = 3;      // ridges in a row that are no better than the best: the path ends
constexpr Index kSamplesPerFold = 4;      // at least, to choose a ridge
constexpr double kChoiceShare = 0.8;      // of a time limit at most for that choice
constexpr Index kSamplesOfFolds = 5000;   // with more, one held-out part:
constexpr Index kWorkOfFolds = 20000000;  // samples x outputs x weights, likewise
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
       const std::function<bool()>& should_stop, const Piece& piece)
      : test_(loss_alone(std::move(held_out))),
        path_(path_of({trained, {}, {}}, options, plan, should_stop, piece)),
        refine_(refinement(trained, options, plan, should_stop)) {}

  /// Whether the ridge is still too large for anything but a constant.
  bool is_idle() const { return path_.is_idle(); }
  bool knows_next() const { return path_.knows_next(); }

  double values() const { return loss_terms(test_->loss, test_->samples(), test_->targets.rows()); }

  /// The loss of the held-out samples for this ridge, smaller than those before.
  double loss(double ridge) {
    path_.fit(ridge, refine_);
    return path_.measured();
  }

 private:
  /// Where it stays, however the fold is moved.
  static std::unique_ptr<LiftedProblem> loss_alone(LiftedProblem problem) {
    problem.ridge = 0;
    problem.weight_terms.clear();
    return std::make_unique<LiftedProblem>(std::move(problem));
  }

  static RidgePath::Refine refinement(const LiftedProblem& trained, const TrainOptions& options, const TrainPlan& plan,
                                      const std::function<bool()>& should_stop) {
    if (is_large(trained.samples(), plan)) {
      return [should_stop, seed = start_seed(options.seed, 0), threads = options.threads](
                 const LiftedProblem& problem, const std::vector<Layer>& layers, const Piece& piece) {
        const StochasticOptions descent{kChoiceSteps, seed, threads, should_stop, piece};
        return PolishResult{descend(problem, with_even_units(problem, layers), descent), 0, 0, kChoiceSteps};
      };
    }
    return [should_stop](const LiftedProblem& problem, const std::vector<Layer>& layers, const Piece& piece) {
      PolishOptions polishing;
      polishing.tolerance = kPathTolerance;
      polishing.should_stop = should_stop;
      polishing.piece = &piece;
      return polish(problem, layers, polishing);
    };
  }

  RidgePath path_of(ScaledProblem scaled, const TrainOptions& options, const TrainPlan& plan,
                    const std::function<bool()>& should_stop, const Piece& piece) const {
    LiftedProblem problem = std::move(scaled.problem);
    SequenceOptions relaxation = relaxation_for(problem, plan);
    relaxation.max_iterations = std::min(relaxation.max_iterations, options.candidate_iterations);
    relaxation.threads = 1;
    relaxation.subproblem.should_stop = should_stop;
    std::optional<LiftedProblem> few;
    if (is_large(problem.samples(), plan)) few = sampled(problem, kRelaxedRows, options.seed);
    scaled.problem = few ? *few : problem;
    RelaxationParameters start = start_parameters(scaled, options, 0);
    const double values = loss_terms(problem.loss, problem.samples(), problem.targets.rows());
    return RidgePath(
        std::move(problem), values, std::move(start), relaxation, start_seed(options.seed, 0), piece, {},
        [test = test_.get()](const std::vector<Layer>& layers) { return network_loss(*test, layers); }, std::move(few));
  }

  std::unique_ptr<LiftedProblem> test_;
  RidgePath path_;
  RidgePath::Refine refine_;
};

std::vector<Fold> make_folds(const ScaledProblem& scaled, Index samples, const TrainOptions& options,
                             const TrainPlan& plan, const std::function<bool()>& should_stop, const Piece& piece) {
  std::vector<Fold> folds;
  const auto next = [&] { return piece.part(fmt::format("fold {}", folds.size()), should_stop); };
  if (options.validation) {
    folds.emplace_back(on_samples(scaled.problem, others(samples, {})), validation_problem(scaled, *options.validation),
                       options, plan, should_stop, next());
    return folds;
  }
  std::vector<std::vector<Index>> parts =
      fold_samples(samples, options.folds, options.seed, classes(scaled.problem, samples));
  if (samples > kSamplesOfFolds ||
      samples * scaled.problem.targets.rows() * parameter_count(scaled.problem.network, false) > kWorkOfFolds) {
    parts.resize(1);
  }
  for (const std::vector<Index>& held_out : parts) {
    const std::vector<Index> trained = others(samples, held_out);
    if (!counts(scaled.problem, held_out) || !counts(scaled.problem, trained)) continue;
    folds.emplace_back(on_samples(scaled.problem, trained), on_samples(scaled.problem, held_out), options, plan,
                       should_stop, next());
  }
  return folds;
}

RidgeChoice best_along_path(const ScaledProblem& scaled, Index samples, const TrainOptions& options,
                            const TrainPlan& plan, const std::function<bool()>& should_stop, const RidgeObserver& tried,
                            const Piece& piece) {
  std::vector<Fold> folds = make_folds(scaled, samples, options, plan, should_stop, piece);
  const auto count = static_cast<Index>(folds.size());
  RidgeChoice choice{kUsualRidge, {}, {}, {}, count, options.validation.has_value()};
  if (folds.empty()) return choice;
  Workers workers(static_cast<int>(std::min<Index>(options.threads, count)));
  Vector losses(count), values(count);
  std::size_t best = 0;
  std::vector<double> ridges(kRidges.begin(), kRidges.end());
  if (is_large(samples, plan)) ridges.assign(kLargeRidges.begin(), kLargeRidges.end());
  if (options.ridge) ridges = ridges_to(*options.ridge);
  for (const double ridge : ridges) {
    const bool known = std::all_of(folds.begin(), folds.end(), [](const Fold& fold) { return fold.knows_next(); });
    workers.run(count, [&](Index i) {
      Fold& fold = folds[static_cast<std::size_t>(i)];
      losses(i) = fold.loss(ridge);
      values(i) = fold.values();
    });
    if (!known && should_stop && should_stop()) break;
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

}  // namespace

std::optional<RidgeChoice> choose_ridge(const Dataset& data, const ScaledProblem& scaled, const TrainOptions& options,
                                        const TrainPlan& plan, const Clock& clock, const RidgeObserver& tried,
                                        const Piece& piece) {
  if (!options.validation && data.total_samples() < kSamplesPerFold * options.folds) return std::nullopt;
  const auto should_stop = [&] {
    return (options.time_limit > 0 && clock.seconds() > kChoiceShare * options.time_limit) ||
           (options.should_stop && options.should_stop());
  };
  const Index samples =
      std::min(data.total_samples(), is_large(data.total_samples(), plan) ? kChoiceRows : kSampledRows);
  // Of rows drawn at random: the ridge for all rows is the same in all, and less per row.
  const double share = static_cast<double>(samples) / static_cast<double>(data.total_samples());
  TrainOptions for_these = options;
  if (options.ridge) for_these.ridge = *options.ridge / share;
  std::optional<ScaledProblem> some;
  if (share < 1 || data.share.ranks) {
    some = {sampled(scaled.problem, samples, options.seed), scaled.input_scaling, scaled.target_scaling};
  }
  const auto told = [&](double ridge, double held_out, double least) { tried(ridge * share, held_out, least); };
  RidgeChoice choice = by_first_rank(options.ranks, [&] {
    const Piece part = piece.alone().part("ridge", should_stop);
    return part.once(
        [&] { return best_along_path(some ? *some : scaled, samples, for_these, plan, should_stop, told, part); });
  });
  choice.ridge *= share;
  for (double& ridge : choice.ridges) ridge *= share;
  return choice;
}

}  // namespace relufit
