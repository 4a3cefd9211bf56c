#include "train/start_run.h"

#include <fmt/format.h>

#include "constraints/rounding.h"
#include "relufit/fit.h"
#include "train/plan/problem.h"
#include "train/plan/train_state.h"

namespace relufit {

namespace {

constexpr double kExactFit = 1e-9;  // relative residual at which a polished network counts as an exact fit

}  // namespace

bool is_better(const LiftedProblem& problem, const std::vector<Layer>& candidate, double value,
               const std::vector<Layer>& kept, double kept_value) {
  constexpr double kKept = 1e-7;  // scaled units, far above rounding
  const bool keeps = output_bound_violation(problem, candidate) <= kKept;
  if (keeps != (output_bound_violation(problem, kept) <= kKept)) return keeps;
  return value < kept_value;
}

SequenceResult StartRun::run() {
  if (plan_.method == Method::search) return run_search();
  if (plan_.method == Method::fixed_output) return run_fixed_output();
  if (follows_path()) return run_path();
  if (races()) return run_race();
  if (plan_.exact_race) return run_exact_race();
  SequenceResult result = run_relaxation(number_, sequence_, piece_);
  refine(result, piece_);
  return result;
}

/// From the random point of this number.
SequenceResult StartRun::run_relaxation(Index point, const SequenceOptions& sequence, const Piece& parent) {
  const Piece piece = parent.part("relaxation").with([this](StateVisitor& visitor) { progress_.visit_best(visitor); });
  SequenceOptions relaxation = sequence;
  relaxation.piece = &piece;
  return piece.once(
      [&] { return run_sequence(problem_, start_parameters(scaled_, options_, point), relaxation, observer()); });
}

/// Polishes the best network if asked to, and makes it keep the output bounds: before the polish, which does not know
/// them, and after it. What is better is the result, being its own lifted solution.
void StartRun::refine(SequenceResult& result, const Piece& piece) {
  const bool exact = problem_.loss == Loss::exact;
  std::vector<std::vector<Layer>> networks;
  if (problem_.constrains_outputs()) networks.push_back(within_bounds(result.best_layers));
  std::vector<std::vector<Layer>> begun;  // to be polished
  if (plan_.polish) begun.push_back(result.best_layers);
  const Model* given = std::get_if<Model>(&options_.init);
  if (plan_.polish && given && problem_.weight_terms.empty() && !problem_.constrains_outputs()) {
    begun.push_back(scaled_layers(*given, scaled_));  // which few iterations of the relaxation may leave for worse
  }
  for (std::size_t i = 0; i < begun.size(); ++i) {
    const Piece part = piece.part(fmt::format("polish {}", i));
    PolishResult polished = part.once([&] { return polish(problem_, begun[i], polish_options(&part)); });
    result.polish_iterations += polished.iterations;
    networks.push_back(problem_.constrains_outputs() ? within_bounds(polished.layers) : std::move(polished.layers));
  }
  bool first = problem_.constrains_outputs();  // any that keeps them, rather than the relaxation's own
  for (const std::vector<Layer>& layers : networks) {
    const double value = exact ? relative_residual(problem_, layers) : network_loss(problem_, layers);
    if (!first && !is_better(problem_, layers, value, result.best_layers, result.best_value)) continue;
    keep(problem_, layers, value, result);
    first = false;
  }
  if (exact && result.best_value <= kExactFit) result.status = SequenceStatus::converged;
}

/// The network with another output layer, of least loss within the bounds on outputs.
std::vector<Layer> StartRun::within_bounds(const std::vector<Layer>& layers) const {
  PolishOptions refitting;  // without an end: even when interrupted
  refitting.input_sizes = scaled_sizes(scaled_.input_scaling, scaled_.input_scaling.invert(problem_.inputs));
  refitting.output_offset = scaled_.target_scaling.offset.cwiseAbs().cwiseQuotient(scaled_.target_scaling.scale);
  return refit_output(problem_, layers, refitting).layers;
}

PolishOptions StartRun::polish_options(const Piece* piece) const {
  PolishOptions polishing;
  polishing.piece = piece;
  polishing.threads = sequence_.threads;
  polishing.should_stop = [this] { return progress_.out_of_time() || progress_.stops(number_); };
  return polishing;
}

/// Makes a refined network, being its own lifted solution, the result.
void StartRun::keep(const LiftedProblem& problem, const std::vector<Layer>& layers, double value,
                    SequenceResult& result) {
  result.best_layers = layers;
  result.best_value = value;
  result.violations = violations(problem, layers);
}

SequenceObserver StartRun::observer() {
  return [this](const SequenceRecord& record, const std::vector<Layer>&) { return progress_.observe(number_, record); };
}

/// Whether there is no more to do, whoever has the samples.
bool StartRun::ended() const { return agreed(ranks(), progress_.needless(number_) || progress_.out_of_time()); }

}  // namespace relufit
