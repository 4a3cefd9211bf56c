/// \file
/// Networks along falling ridges, and the ridge that predicts held-out samples best.
///
/// A large ridge has few local minima, and leaves few units and small weights. Followed from there, a network gets more
/// weight only where that pays: for small ridges it predicts better than one fit at once, in less time, as each fit
/// begins near its end.
#pragma once

#include <functional>
#include <vector>

#include "relufit/polish.h"
#include "train/problem.h"

namespace relufit {

/// The ridges, per value of the loss, of a path that ends at `last`: half decades from the largest that is of use, the
/// given one in place of those below it.
std::vector<double> ridges_to(double last);

/// The networks of one problem for falling ridges.
class RidgePath {
 public:
  /// `values`: how many the loss sums. The problem's own ridge does not count. The seed is of directions for units that
  /// have no effect.
  RidgePath(LiftedProblem problem, double values, unsigned long long seed)
      : problem_(std::move(problem)), values_(values), seed_(seed) {}

  /// The network for a first ridge: a relaxation from the given start.
  SequenceResult begin(double ridge, const RelaxationParameters& start, const SequenceOptions& options,
                       const SequenceObserver& observer = {});
  /// The network for this ridge, from the last one: units without effect revived, polished, or where weight terms do
  /// not allow that by the relaxation from its values. Returns iterations of the polish.
  Index follow(double ridge, const PolishOptions& options);

  const std::vector<Layer>& layers() const { return layers_; }
  const LiftedProblem& problem() const { return problem_; }

 private:
  void set_ridge(double ridge) { problem_.ridge = ridge * values_; }

  LiftedProblem problem_;
  double values_;
  unsigned long long seed_;
  SequenceOptions relaxation_;
  std::vector<Layer> layers_;
};

/// How fits along a path end but the last: whatever they are for, their last digits do not matter.
constexpr double kPathTolerance = 1e-3;

/// Throws what the relaxation throws. `should_stop` ends the path early, with the best ridge so far.
RidgeChoice choose_ridge(const ScaledProblem& scaled, Index samples, const TrainOptions& options, const TrainPlan& plan,
                         const std::function<bool()>& should_stop);

}  // namespace relufit
