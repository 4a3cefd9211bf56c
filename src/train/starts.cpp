#include "train/starts.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>

#include "constraints/rounding.h"
#include "parallel/workers.h"
#include "polish/constrained_polish.h"
#include "polish/revive.h"
#include "relufit/fit.h"
#include "relufit/fixed_output.h"
#include "relufit/polish.h"
#include "relufit/search.h"
#include "train/large_data.h"
#include "train/ridge.h"
#include "train/train_state.h"

namespace relufit {

namespace {

SequenceStatus sequence_status(SearchStatus status) {
  switch (status) {
    case SearchStatus::converged:
      return SequenceStatus::converged;
    case SearchStatus::time_limit:
      return SequenceStatus::time_limit;
    case SearchStatus::interrupted:
      return SequenceStatus::interrupted;
    case SearchStatus::run_limit:
      break;
  }
  return SequenceStatus::iteration_limit;
}

constexpr int kDescents = 6;        // below a ridge at which the network is idle, each by a factor of 3
constexpr double kExactFit = 1e-9;  // relative residual at which a polished network counts as an exact fit

bool on_weights_alone(const Constraints& constraints) {
  return !constraints.empty() && constraints.outputs.empty() && constraints.hidden.empty();
}

/// Runs the starts and keeps the best of them, whatever the order in which they end.
class Starts {
 public:
  Starts(const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan, const Clock& clock,
         const TrainObserver& observer, const Piece& piece)
      : scaled_(scaled),
        options_(options),
        plan_(plan),
        clock_(clock),
        observer_(observer),
        piece_(piece),
        results_(static_cast<std::size_t>(options.starts)),
        first_solved_(options.starts) {
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
    if (first_solved_ < options_.starts) return first_solved_;
    Index best = 0;
    for (Index i = 1; i < options_.starts; ++i) {
      const SequenceResult& candidate = results_[static_cast<std::size_t>(i)];
      const SequenceResult& kept = results_[static_cast<std::size_t>(best)];
      if (candidate.best_layers.empty()) continue;
      if (kept.best_layers.empty() || is_better(candidate, measure(candidate), kept, measure(kept))) best = i;
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
      } catch (...) {  // an option that only the method itself checks; not to leave a thread
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
        stopped_ = true;
      }
    });
    if (error_) std::rethrow_exception(error_);
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
    if (options_.loss != Loss::exact) return;
    for (Index start = options_.starts; start-- > 0;) {
      if (results_[static_cast<std::size_t>(start)].status == SequenceStatus::converged) first_solved_ = start;
    }
  }

  /// What starts are compared by.
  double measure(const SequenceResult& start) const {
    return validation_ ? network_loss(*validation_, start.best_layers) : start.best_value;
  }

  /// A network that keeps bounds on outputs is better than one that does not.
  bool is_better(const SequenceResult& candidate, double value, const SequenceResult& kept, double kept_value) const {
    constexpr double kKept = 1e-7;  // scaled units, far above rounding
    const bool keeps = output_bound_violation(scaled_.problem, candidate.best_layers) <= kKept;
    if (keeps != (output_bound_violation(scaled_.problem, kept.best_layers) <= kKept)) return keeps;
    return value < kept_value;
  }

  double seconds_left() const { return options_.time_limit - clock_.seconds(); }
  bool out_of_time() const { return options_.time_limit > 0 && seconds_left() <= 0; }
  /// Whether a start has no more to do, whoever has its samples.
  bool ended(Index start) const { return agreed(shared(), needless(start) || out_of_time()); }
  bool needless(Index start) const { return stopped_ || first_solved_ < start; }

  void run_start(Index start, int threads) {
    const auto stopped = [this, start] {
      return needless(start) || out_of_time() || (options_.should_stop && options_.should_stop());
    };
    const Piece piece = piece_.part(fmt::format("start {}", start), stopped);
    if (agreed(shared(), !piece.begun() && (needless(start) || (start > 0 && out_of_time())))) return;
    SequenceOptions sequence = relaxation_for(scaled_.problem, plan_);
    sequence.threads = threads;
    if (sequence.time_limit > 0) sequence.time_limit = agreed(shared(), std::max(seconds_left(), 1e-3));
    sequence.subproblem.should_stop = [this, start, ask = options_.should_stop] {
      return needless(start) || (ask && ask());
    };
    SequenceResult& result = results_[static_cast<std::size_t>(start)];
    result = piece.once([&] { return run_method(start, sequence, piece); });
    for (const SequenceRecord& record : result.trace) note(record);  // where another training has made it
    if (options_.loss != Loss::exact || result.status != SequenceStatus::converged) return;
    Index solved = first_solved_;
    while (start < solved && !first_solved_.compare_exchange_weak(solved, start)) {
    }
  }

  SequenceResult run_method(Index start, const SequenceOptions& sequence, const Piece& piece) {
    if (plan_.method == Method::search) return run_search(start, sequence, piece.part("search"));
    if (plan_.method == Method::fixed_output) return run_fixed_output(start, sequence, piece.part("fixed output"));
    if (follows_path()) return run_path(start, sequence, piece.part("path"));
    if (races()) return run_race(start, sequence, piece);
    if (plan_.exact_race) return run_exact_race(start, sequence, piece);
    SequenceResult result = relax(start, start, sequence, piece);
    refine(result, sequence, piece);
    return result;
  }

  /// The relaxation from the random point of this number.
  SequenceResult relax(Index start, Index number, SequenceOptions sequence, const Piece& parent) {
    const Piece piece = parent.part("relaxation").with([this](StateVisitor& visitor) { visit_best(visitor); });
    sequence.piece = &piece;
    return piece.once([&] {
      return run_sequence(scaled_.problem, start_parameters(scaled_, options_, number), sequence, observer_of(start));
    });
  }

  /// Whether starts are races (TrainOptions::candidates).
  bool races() const {
    const LiftedProblem& problem = scaled_.problem;
    return plan_.polish && options_.loss != Loss::exact && !options_.hidden.empty() &&
           std::holds_alternative<RandomStart>(options_.init) && on_weights_alone(options_.constraints) &&
           has_constrained_polish(problem, PolishOptions());
  }

  /// Whether starts follow a path of ridges: where signs alone are constrained, those whose ridge is chosen by such
  /// paths. A ridge that is given states an objective, and races end lower; more rows than paths are followed on are a
  /// race's.
  bool follows_path() const {
    return plan_.path || (races() && !options_.ridge && !options_.candidates &&
                          constrains_signs_alone(scaled_.problem) && scaled_.problem.total_samples() <= kSampledRows);
  }

  SequenceResult run_race(Index start, SequenceOptions sequence, const Piece& piece) {
    sequence.max_iterations = std::min(sequence.max_iterations, options_.candidate_iterations);
    std::vector<SequenceResult> candidates;
    std::vector<std::vector<Layer>> networks;
    for (Index i = 0; i < plan_.candidates; ++i) {
      if (i > 0 && ended(start)) break;
      const Index number = start * plan_.candidates + i;
      candidates.push_back(relax(start, number, sequence, piece.part(fmt::format("candidate {}", i))));
      networks.push_back(candidates.back().best_layers);
    }
    const Piece polishes = piece.part("race");
    const RaceResult won = race(scaled_.problem, networks, polish_options(sequence, &polishes), sequence.threads);
    SequenceResult result = std::move(candidates[static_cast<std::size_t>(won.winner)]);
    result.polish_iterations = won.polish.iterations;
    keep(scaled_.problem, won.polish.layers, won.polish.after, result);
    return result;
  }

  /// TrainPlan::exact_race: the first candidate whose polish is exact, or the best one.
  SequenceResult run_exact_race(Index start, const SequenceOptions& sequence, const Piece& parent) {
    const Piece piece = parent.part("race");
    SequenceResult best;
    Index i = 0;
    const auto visit = [&](StateVisitor& visitor) { visitor(i, best); };
    piece.restore(visit);
    while (i < plan_.candidates && best.status != SequenceStatus::converged) {
      if (i > 0 && ended(start)) break;
      const Piece part = piece.part(fmt::format("candidate {}", i));
      SequenceResult candidate = relax(start, start * plan_.candidates + i, sequence, part);
      refine(candidate, sequence, part);
      if (i == 0 || candidate.best_value < best.best_value) best = std::move(candidate);
      ++i;
      piece.advance(visit);
    }
    return best;
  }

  /// Along falling ridges (TrainPlan::path); on large data from a relaxation on few rows down by descents on batches.
  SequenceResult run_path(Index start, SequenceOptions sequence, const Piece& piece) {
    const LiftedProblem& problem = scaled_.problem;
    if (!plan_.path) sequence.max_iterations = std::min(sequence.max_iterations, options_.candidate_iterations);
    if (!is_large(problem.total_samples(), plan_)) return run_path(*plan_.ridge, start, sequence, piece);
    ScaledProblem few{sampled(problem, kRelaxedRows, options_.seed), scaled_.input_scaling, scaled_.target_scaling};
    few.problem.ridge *= static_cast<double>(kRelaxedRows) / static_cast<double>(problem.total_samples());
    const unsigned long long seed = start_seed(options_.seed, start);
    const Piece begin = piece.alone().part("relaxation");
    SequenceResult result = by_first_rank(shared(), [&] {
      return begin.once([&] {
        SequenceOptions relaxation = sequence;
        relaxation.piece = &begin;
        SequenceResult relaxed =
            run_sequence(few.problem, start_parameters(few, options_, start), relaxation, observer_of(start));
        revive_units(few.problem, relaxed.best_layers, seed);
        relaxed.best_layers = with_even_units(few.problem, relaxed.best_layers);
        return relaxed;
      });
    });
    const PolishResult refined =
        descend_on_all(problem, result.best_layers, seed, polish_options(sequence), piece.part("descent"));
    result.polish_iterations = refined.iterations;
    keep(problem, refined.layers, refined.after, result);
    return result;
  }

  SequenceResult run_path(double last_ridge, Index start, const SequenceOptions& sequence, const Piece& piece) {
    const LiftedProblem& problem = scaled_.problem;
    const std::vector<double> ridges = ridges_to(last_ridge);
    const double values = loss_terms(problem.loss, problem.samples(), problem.targets.rows());
    RidgePath path(problem, values, start_parameters(scaled_, options_, start), sequence,
                   start_seed(options_.seed, start), piece, observer_of(start));
    const auto fit = [&](double ridge, bool last) {
      path.fit(ridge, [&](const LiftedProblem& at, const std::vector<Layer>& layers, const Piece& part) {
        PolishOptions polishing = polish_options(sequence, &part);
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
    LiftedProblem last = problem;
    last.ridge = last_ridge * values;
    keep(last, path.layers(), network_loss(last, path.layers()), result);
    return result;
  }

  // Both exact fits are told as sequences: runs, or iterations, of a search are those of the sequence, the network
  // found is its own lifted solution.

  SequenceResult run_search(Index start, const SequenceOptions& sequence, const Piece& piece) {
    SearchOptions search;
    search.seed = start_seed(options_.seed, start);
    search.time_limit = sequence.time_limit;
    search.max_runs = plan_.iterations;
    search.tolerance = plan_.tolerance;
    search.should_stop = sequence.subproblem.should_stop;
    return run_fit(start, piece, [&](const Piece& kept, const auto& record) {
      search.piece = &kept;
      return search_exact_fit(scaled_.problem, search, record);
    });
  }

  SequenceResult run_fixed_output(Index start, const SequenceOptions& sequence, const Piece& piece) {
    FixedOutputOptions fit;
    fit.seed = start_seed(options_.seed, start);
    fit.output_weights = options_.fixed_output.row(0).transpose();
    fit.max_iterations = plan_.iterations;
    fit.tolerance = plan_.tolerance;
    fit.time_limit = sequence.time_limit;
    fit.should_stop = sequence.subproblem.should_stop;
    return run_fit(start, piece, [&](const Piece& kept, const auto& record) {
      fit.piece = &kept;
      return fit_fixed_output(scaled_.problem, fit, record);
    });
  }

  template <class Fit>
  SequenceResult run_fit(Index start, const Piece& piece, Fit&& fit) {
    Clock clock;
    SequenceResult result;
    const Piece kept = piece.with([&](StateVisitor& visitor) {
      double seconds = clock.seconds();
      visitor(seconds, result.trace);
      visit_best(visitor);
      if (visitor.restores()) clock = Clock(seconds);
    });
    const auto describe = [&](SequenceRecord& record, double residual) {
      record.fit = residual;
      record.loss = 0.5 * std::pow(residual * scaled_.problem.targets.norm(), 2);
      record.seconds = clock.seconds();
    };
    const auto found = fit(kept, [&](Index iterations, double residual) {
      SequenceRecord& record = result.trace.emplace_back();
      record.iteration = iterations;
      describe(record, residual);
      return observe(start, record);
    });
    describe(result.trace.back(), found.relative_residual);  // of the network kept, not of the last one tried
    result.status = sequence_status(found.status);
    result.best_layers = found.layers;
    result.best_value = found.relative_residual;
    result.violations = violations(scaled_.problem, found.layers);
    return result;
  }

  /// Polishes the best network if asked to, and makes it keep the output bounds: before the polish, which does not know
  /// them, and after it. What is better is the result, being its own lifted solution.
  void refine(SequenceResult& result, const SequenceOptions& sequence, const Piece& piece) {
    const LiftedProblem& problem = scaled_.problem;
    const bool exact = problem.loss == Loss::exact;
    std::vector<std::vector<Layer>> networks;
    if (problem.constrains_outputs()) networks.push_back(within_bounds(result.best_layers));
    std::vector<std::vector<Layer>> begun;  // to be polished
    if (plan_.polish) begun.push_back(result.best_layers);
    const Model* given = std::get_if<Model>(&options_.init);
    if (plan_.polish && given && problem.weight_terms.empty() && !problem.constrains_outputs()) {
      begun.push_back(scaled_layers(*given, scaled_));  // which few iterations of the relaxation may leave for worse
    }
    for (std::size_t i = 0; i < begun.size(); ++i) {
      const Piece part = piece.part(fmt::format("polish {}", i));
      PolishResult polished = part.once([&] { return polish(problem, begun[i], polish_options(sequence, &part)); });
      result.polish_iterations += polished.iterations;
      networks.push_back(problem.constrains_outputs() ? within_bounds(polished.layers) : std::move(polished.layers));
    }
    bool first = problem.constrains_outputs();  // any that keeps them, rather than the relaxation's own
    for (const std::vector<Layer>& layers : networks) {
      const double value = exact ? relative_residual(problem, layers) : network_loss(problem, layers);
      SequenceResult candidate;
      candidate.best_layers = layers;
      candidate.best_value = value;
      if (!first && !is_better(candidate, value, result, result.best_value)) continue;
      keep(problem, layers, value, result);
      first = false;
    }
    if (exact && result.best_value <= kExactFit) result.status = SequenceStatus::converged;
  }

  /// The network with another output layer, of least loss within the bounds on outputs.
  std::vector<Layer> within_bounds(const std::vector<Layer>& layers) const {
    const LiftedProblem& problem = scaled_.problem;
    PolishOptions refitting;  // without an end: even when interrupted
    refitting.input_sizes = scaled_sizes(scaled_.input_scaling, scaled_.input_scaling.invert(problem.inputs));
    refitting.output_offset = scaled_.target_scaling.offset.cwiseAbs().cwiseQuotient(scaled_.target_scaling.scale);
    return refit_output(problem, layers, refitting).layers;
  }

  PolishOptions polish_options(const SequenceOptions& sequence, const Piece* piece = nullptr) const {
    PolishOptions polishing;
    polishing.piece = piece;
    polishing.threads = sequence.threads;
    polishing.should_stop = [this, ask = sequence.subproblem.should_stop] { return out_of_time() || ask(); };
    return polishing;
  }

  /// Makes a refined network, being its own lifted solution, the result.
  static void keep(const LiftedProblem& problem, const std::vector<Layer>& layers, double value,
                   SequenceResult& result) {
    result.best_layers = layers;
    result.best_value = value;
    result.violations = violations(problem, layers);
  }

  SequenceObserver observer_of(Index start) {
    return [this, start](const SequenceRecord& record, const std::vector<Layer>&) { return observe(start, record); };
  }

  bool observe(Index start, const SequenceRecord& record) {
    note(record);
    const std::lock_guard lock(mutex_);
    if (observer_ && !observer_({start, record, best_value_})) stopped_ = true;
    return !needless(start);
  }

  void note(const SequenceRecord& record) {
    const std::lock_guard lock(mutex_);
    best_value_ = std::min(best_value_, options_.loss == Loss::exact ? record.fit : record.loss);
  }

  void visit_best(StateVisitor& visitor) {
    const std::lock_guard lock(mutex_);
    double value = best_value_;
    visitor(value);
    best_value_ = std::min(best_value_, value);
  }

  const ScaledProblem& scaled_;
  const TrainOptions& options_;
  const TrainPlan& plan_;
  const Clock& clock_;
  const TrainObserver& observer_;
  const Piece& piece_;
  std::optional<LiftedProblem> validation_;
  std::vector<SequenceResult> results_;
  std::atomic<Index> first_solved_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  double best_value_ = std::numeric_limits<double>::infinity();
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
