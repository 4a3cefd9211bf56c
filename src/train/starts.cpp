#include "train/starts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "parallel/workers.h"
#include "relufit/fit.h"
#include "train/plan/problem.h"
#include "train/plan/train_state.h"
#include "train/start_run.h"

namespace relufit {

namespace {

/// Runs the starts and keeps the best of them, whatever the order in which they end.
class Starts {
 public:
  Starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan, const Clock& clock,
         const TrainObserver& observer, const Piece& piece)
      : scaled_(scaled),
        options_(options),
        plan_(plan),
        piece_(piece),
        progress_(options, clock, observer),
        results_(static_cast<std::size_t>(options.starts)) {
    if (options.validation) validation_ = validation_problem(scaled, *options.validation);
  }

  void run() {
    const Ranks* ranks = options_.ranks;
    if (shared() || ranks == nullptr) {
      run_starts(0, 1);
      return;
    }
    collectively(ranks, [&] { run_starts(ranks->rank(), ranks->size()); });
    exchange(*ranks);
  }

  std::vector<SequenceResult> results() { return std::move(results_); }

  /// The first start that solved the problem (later ones may have been cut short), else the one with the least value,
  /// with validation samples that of their loss.
  Index best() const {
    if (progress_.first_solved() < options_.starts) return progress_.first_solved();
    Index best = 0;
    for (Index i = 1; i < options_.starts; ++i) {
      const SequenceResult& candidate = results_[static_cast<std::size_t>(i)];
      const SequenceResult& kept = results_[static_cast<std::size_t>(best)];
      if (candidate.best_layers.empty()) continue;
      if (kept.best_layers.empty() ||
          is_better(scaled_.problem, candidate.best_layers, measure(candidate), kept.best_layers, measure(kept))) {
        best = i;
      }
    }
    return best;
  }

 private:
  /// Whether all ranks work on one start, each with its samples.
  const Ranks* shared() const { return scaled_.problem.share.ranks; }

  /// Starts first, first + step, ...
  void run_starts(Index first, Index step) {
    const Index count = (options_.starts - first + step - 1) / step;
    if (count <= 0) return;
    const int teams = shared() ? 1 : static_cast<int>(std::min<Index>(options_.threads, count));
    Workers workers(teams);
    workers.run(count, [&](Index i) {
      try {
        run_start(first + i * step, options_.threads / teams);
      } catch (...) {  // an option that only the method itself checks
        progress_.stop();
        throw;
      }
    });
  }

  void run_start(Index number, int threads) {
    const Piece piece = piece_.part(fmt::format("start {}", number),
                                    [this, number] { return progress_.out_of_time() || progress_.stops(number); });
    if (agreed(shared(), !piece.begun() && (progress_.needless(number) || (number > 0 && progress_.out_of_time())))) {
      return;
    }
    SequenceOptions sequence = relaxation_for(scaled_.problem, plan_);
    sequence.threads = threads;
    if (sequence.time_limit > 0) sequence.time_limit = agreed(shared(), std::max(progress_.seconds_left(), 1e-3));
    sequence.subproblem.should_stop = [this, number] { return progress_.stops(number); };
    SequenceResult& result = results_[static_cast<std::size_t>(number)];
    result = piece.once([&] { return StartRun(number, scaled_, options_, plan_, progress_, sequence, piece).run(); });
    for (const SequenceRecord& record : result.trace) progress_.note(record);  // where another training has made it
    if (is_solved(result)) progress_.solved(number);
  }

  bool is_solved(const SequenceResult& result) const {
    return options_.loss == Loss::exact && result.status == SequenceStatus::converged;
  }

  /// What every rank found, on all ranks.
  void exchange(const Ranks& ranks) {
    const auto visit_starts = [&](StateVisitor visitor, int rank) {
      for (Index start = rank; start < options_.starts; start += ranks.size()) {
        visitor(results_[static_cast<std::size_t>(start)]);
      }
    };
    std::string mine;
    visit_starts(StateVisitor(mine), ranks.rank());
    const std::vector<std::string> all = gathered_bytes(&ranks, mine);
    for (int rank = 0; rank < ranks.size(); ++rank) {
      visit_starts(StateVisitor(std::string_view(all[static_cast<std::size_t>(rank)])), rank);
    }
    for (Index start = 0; start < options_.starts; ++start) {
      if (is_solved(results_[static_cast<std::size_t>(start)])) progress_.solved(start);
    }
  }

  /// What starts are compared by.
  double measure(const SequenceResult& start) const {
    return validation_ ? network_loss(*validation_, start.best_layers) : start.best_value;
  }

  const ScaledProblem& scaled_;
  const TrainOptions& options_;
  const TrainPlan& plan_;
  const Piece& piece_;
  Progress progress_;
  std::optional<LiftedProblem> validation_;
  std::vector<SequenceResult> results_;
};

}  // namespace

FinishedStarts run_starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan,
                          const Clock& clock, const TrainObserver& observer, const Piece& piece) {
  Starts starts(scaled, options, plan, clock, observer, piece);
  starts.run();
  const Index best = starts.best();
  return {starts.results(), best};
}

}  // namespace relufit
