/// \file
/// One start of a training, by the planned method.
#pragma once

#include <utility>
#include <vector>

#include "relufit/polish.h"
#include "train/progress.h"

namespace relufit {

/// Whether a network of this value is to be kept rather than another: one that keeps the problem's bounds on outputs is
/// better than one that does not, then the one of less value.
bool is_better(const LiftedProblem& problem, const std::vector<Layer>& candidate, double value,
               const std::vector<Layer>& kept, double kept_value);

/// Refers to its arguments. Those that take samples from several ranks are run by all of them together.
class StartRun {
 public:
  StartRun(Index number, const ScaledProblem& scaled, const TrainOptions& options, const TrainPlan& plan,
           Progress& progress, SequenceOptions sequence, const Piece& piece)
      : number_(number),
        scaled_(scaled),
        problem_(scaled.problem),
        options_(options),
        plan_(plan),
        progress_(progress),
        sequence_(std::move(sequence)),
        piece_(piece) {}

  SequenceResult run();

 private:
  // start_run.cpp: the relaxation and what refines its network.
  SequenceResult run_relaxation(Index point, const SequenceOptions& sequence, const Piece& piece);
  void refine(SequenceResult& result, const Piece& piece);
  std::vector<Layer> within_bounds(const std::vector<Layer>& layers) const;
  PolishOptions polish_options(const Piece* piece = nullptr) const;
  static void keep(const LiftedProblem& problem, const std::vector<Layer>& layers, double value,
                   SequenceResult& result);
  SequenceObserver observer();
  const Ranks* ranks() const { return problem_.share.ranks; }
  bool ended() const;

  // start_paths.cpp: races of relaxations, and paths of ridges.
  bool races() const;
  bool follows_path() const;
  SequenceResult run_race();
  SequenceResult run_exact_race();
  SequenceResult run_path();
  SequenceResult run_path_on_all(double last_ridge, const SequenceOptions& sequence, const Piece& piece);

  // start_exact.cpp: exact fits without a relaxation.
  SequenceResult run_search();
  SequenceResult run_fixed_output();
  template <class Options, class Fit>
  SequenceResult run_fit(const char* name, Options options, Fit&& fit);

  Index number_;
  const ScaledProblem& scaled_;
  const LiftedProblem& problem_;
  const TrainOptions& options_;
  const TrainPlan& plan_;
  Progress& progress_;
  SequenceOptions sequence_;
  const Piece& piece_;
};

}  // namespace relufit
