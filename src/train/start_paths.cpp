// Races of relaxations, and paths of falling ridges.

#include <fmt/format.h>

#include <algorithm>

#include "polish/constrained_polish.h"
#include "polish/units/revive.h"
#include "relufit/fit.h"
#include "train/choice/large_data.h"
#include "train/choice/ridge_path.h"
#include "train/plan/train_state.h"
#include "train/start_run.h"

namespace relufit {

namespace {

constexpr int kDescents = 6;  // below a ridge at which the network is idle, each by a factor of 3

bool on_weights_alone(const Constraints& constraints) {
  return !constraints.empty() && constraints.outputs.empty() && constraints.hidden.empty();
}

}  // namespace

/// Whether starts are races (TrainOptions::candidates).
bool StartRun::races() const {
  return plan_.polish && options_.loss != Loss::exact && !options_.hidden.empty() &&
         std::holds_alternative<RandomStart>(options_.init) && on_weights_alone(options_.constraints) &&
         has_constrained_polish(problem_, PolishOptions());
}

/// Whether starts follow a path of ridges: where signs alone are constrained, those whose ridge is chosen by such
/// paths. A ridge that is given states an objective, and races end lower; more rows than paths are followed on are a
/// race's.
bool StartRun::follows_path() const {
  return plan_.path || (races() && !options_.ridge && !options_.candidates && constrains_signs_alone(problem_) &&
                        problem_.total_samples() <= kSampledRows);
}

SequenceResult StartRun::run_race() {
  SequenceOptions sequence = sequence_;
  sequence.max_iterations = std::min(sequence.max_iterations, options_.candidate_iterations);
  std::vector<SequenceResult> candidates;
  std::vector<std::vector<Layer>> networks;
  for (Index i = 0; i < plan_.candidates; ++i) {
    if (i > 0 && ended()) break;
    const Piece piece = piece_.part(fmt::format("candidate {}", i));
    candidates.push_back(run_relaxation(number_ * plan_.candidates + i, sequence, piece));
    networks.push_back(candidates.back().best_layers);
  }
  const Piece polishes = piece_.part("race");
  const RaceResult won = race(problem_, networks, polish_options(&polishes), sequence.threads);
  SequenceResult result = std::move(candidates[static_cast<std::size_t>(won.winner)]);
  result.polish_iterations = won.polish.iterations;
  keep(problem_, won.polish.layers, won.polish.after, result);
  return result;
}

/// TrainPlan::exact_race: the first candidate whose polish is exact, or the best one.
SequenceResult StartRun::run_exact_race() {
  const Piece piece = piece_.part("race");
  SequenceResult best;
  Index i = 0;
  const auto visit = [&](StateVisitor& visitor) { visitor(i, best); };
  piece.restore(visit);
  while (i < plan_.candidates && best.status != SequenceStatus::converged) {
    if (i > 0 && ended()) break;
    const Piece part = piece.part(fmt::format("candidate {}", i));
    SequenceResult candidate = run_relaxation(number_ * plan_.candidates + i, sequence_, part);
    refine(candidate, part);
    if (i == 0 || candidate.best_value < best.best_value) best = std::move(candidate);
    ++i;
    piece.advance(visit);
  }
  return best;
}

/// Along falling ridges (TrainPlan::path); on large data from a relaxation on few rows down by descents on batches.
SequenceResult StartRun::run_path() {
  const Piece piece = piece_.part("path");
  SequenceOptions sequence = sequence_;
  if (!plan_.path) sequence.max_iterations = std::min(sequence.max_iterations, options_.candidate_iterations);
  if (!is_large(problem_.total_samples(), plan_)) return run_path_on_all(*plan_.ridge, sequence, piece);
  ScaledProblem few{sampled(problem_, kRelaxedRows, options_.seed), scaled_.input_scaling, scaled_.target_scaling};
  few.problem.ridge *= static_cast<double>(kRelaxedRows) / static_cast<double>(problem_.total_samples());
  const unsigned long long seed = start_seed(options_.seed, number_);
  const Piece begin = piece.alone().part("relaxation");
  SequenceResult result = by_first_rank(ranks(), [&] {
    return begin.once([&] {
      sequence.piece = &begin;
      SequenceResult relaxed =
          run_sequence(few.problem, start_parameters(few, options_, number_), sequence, observer());
      revive_units(few.problem, relaxed.best_layers, seed);
      relaxed.best_layers = with_even_units(few.problem, relaxed.best_layers);
      return relaxed;
    });
  });
  const PolishResult refined =
      descend_on_all(problem_, result.best_layers, seed, polish_options(), piece.part("descent"));
  result.polish_iterations = refined.iterations;
  keep(problem_, refined.layers, refined.after, result);
  return result;
}

SequenceResult StartRun::run_path_on_all(double last_ridge, const SequenceOptions& sequence, const Piece& piece) {
  const std::vector<double> ridges = ridges_to(last_ridge);
  const double values = loss_terms(problem_.loss, problem_.samples(), problem_.targets.rows());
  RidgePath path(problem_, values, start_parameters(scaled_, options_, number_), sequence,
                 start_seed(options_.seed, number_), piece, observer());
  const auto fit = [&](double ridge, bool last) {
    path.fit(ridge, [&](const LiftedProblem& at, const std::vector<Layer>& layers, const Piece& part) {
      PolishOptions polishing = polish_options(&part);
      polishing.tolerance = last ? kLastTolerance : kPathTolerance;
      return last && !at.weight_terms.empty() ? polish_past_kinks(at, layers, polishing)
                                              : polish(at, layers, polishing);
    });
  };
  for (const double ridge : ridges) fit(ridge, ridge == ridges.back());
  // Idle where others are not: there may be a network for a smaller ridge that lasts when the ridge grows again.
  double smaller = ridges.back();
  for (int i = 0; i < kDescents && path.is_idle(); ++i) fit(smaller /= 3, false);
  if (smaller < ridges.back()) fit(ridges.back(), true);
  SequenceResult result = std::move(path.result());
  LiftedProblem last = problem_;
  last.ridge = last_ridge * values;
  keep(last, path.layers(), network_loss(last, path.layers()), result);
  return result;
}

}  // namespace relufit
