/// \file
/// Networks along falling ridges.
///
/// A large ridge has few local minima, and leaves few units and small weights. Followed from there, a network gets more
/// weight only where that pays: for small ridges it predicts better than one fit at once, in less time, as each fit
/// begins near its end.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "relufit/polish.h"
#include "train/plan/problem.h"

namespace relufit {

/// Ridges per value of the loss, from the largest that is of use.
inline constexpr std::array kRidges = {3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};

/// The ridges, per value of the loss, of a path that ends at `last`: half decades from the largest that is of use, the
/// given one in place of those below it.
std::vector<double> ridges_to(double last);

/// The networks of one problem for falling ridges.
class RidgePath {
 public:
  /// What is asked about every network.
  using Measure = std::function<double(const std::vector<Layer>&)>;

  /// `values`: how many the loss sums. The problem's own ridge does not count. The seed is of directions for units that
  /// have no effect. The path is kept in `piece`: after every ridge, and within one. Relaxed and revived is on `few`
  /// of the samples where there are too many, the start being theirs.
  RidgePath(LiftedProblem problem, double values, RelaxationParameters start, SequenceOptions relaxation,
            unsigned long long seed, Piece piece, SequenceObserver observer = {}, Measure measure = {},
            std::optional<LiftedProblem> few = {});

  /// What makes the best of a network: the problem, the network, and where to keep the state.
  using Refine = std::function<PolishResult(const LiftedProblem&, const std::vector<Layer>&, const Piece&)>;

  /// The network for this ridge: from a relaxation if there is none yet, or the last one is idle; else from that, with
  /// units without effect revived. It is refined, or where weight terms do not allow that, relaxed from its values.
  /// Nothing is done where the training that this one goes on with has done it, or more.
  void fit(double ridge, const Refine& refine);

  /// Whether the next call of fit has nothing to do.
  bool knows_next() const { return calls_ < done_.size(); }
  /// Of the last ridge fitted, in this training or before.
  const std::vector<Layer>& layers() const { return layers_; }
  /// Whether a hidden layer had no effect after the last call of fit.
  bool is_idle() const { return done_[calls_ - 1].idle; }
  /// The measure after the last call of fit.
  double measured() const { return done_[calls_ - 1].measured; }
  /// Of the last relaxation from the start, with all iterations of polishing.
  SequenceResult& result() { return result_; }

 private:
  struct Fitted {
    bool idle = false;
    double measured = 0;
    void visit_state(StateVisitor& visitor) { visitor(idle, measured); }
  };
  void relax(const Piece& piece);
  void improve(const Refine& refine, const Piece& piece);
  const LiftedProblem& few() const { return few_ ? *few_ : problem_; }
  Piece::Visit visit();

  LiftedProblem problem_;
  double values_;
  RelaxationParameters start_;
  SequenceOptions relaxation_;
  unsigned long long seed_;
  Piece piece_;
  SequenceObserver observer_;
  Measure measure_;
  std::optional<LiftedProblem> few_;
  std::vector<Layer> layers_;
  SequenceResult result_;
  std::vector<Fitted> done_;  // for every ridge
  std::size_t calls_ = 0;     // of fit
};

/// How fits along a path end (PolishOptions::tolerance), and the last of them.
constexpr double kPathTolerance = 1e-2;
constexpr double kLastTolerance = 1e-4;

}  // namespace relufit
