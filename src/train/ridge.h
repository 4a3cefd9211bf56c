/// \file
/// Networks along falling ridges, and the ridge that predicts held-out samples best.
///
/// A large ridge has few local minima, and leaves few units and small weights. Followed from there, a network gets more
/// weight only where that pays: for small ridges it predicts better than one fit at once, in less time, as each fit
/// begins near its end.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "polish/revive.h"
#include "relufit/polish.h"
#include "train/problem.h"

namespace relufit {

/// The ridges, per value of the loss, of a path that ends at `last`: half decades from the largest that is of use, the
/// given one in place of those below it.
std::vector<double> ridges_to(double last);

/// The networks of one problem for falling ridges.
class RidgePath {
 public:
  /// What is asked about every network.
  using Measure = std::function<double(const std::vector<Layer>&)>;

  /// `values`: how many the loss sums. The problem's own ridge does not count. The seed is of directions for units that
  /// have no effect. The path is kept in `piece`: after every ridge, and within one.
  RidgePath(LiftedProblem problem, double values, RelaxationParameters start, SequenceOptions relaxation,
            unsigned long long seed, Piece piece, SequenceObserver observer = {}, Measure measure = {});

  /// The network for this ridge: from a relaxation if there is none yet, or the last one is idle; else from that, with
  /// units without effect revived. It is polished, or where weight terms do not allow that, relaxed from its values.
  /// Under weight terms the last network is led past kinks. Nothing is done where the training that this one goes on
  /// with has done it, or more.
  void fit(double ridge, const PolishOptions& options, bool last = false);

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
  void improve(const PolishOptions& options, bool last, const Piece& piece);
  Piece::Visit visit();

  LiftedProblem problem_;
  double values_;
  RelaxationParameters start_;
  SequenceOptions relaxation_;
  unsigned long long seed_;
  Piece piece_;
  SequenceObserver observer_;
  Measure measure_;
  std::vector<Layer> layers_;
  SequenceResult result_;
  std::vector<Fitted> done_;  // for every ridge
  std::size_t calls_ = 0;     // of fit
};

/// How fits along a path end (PolishOptions::tolerance), and the last of them.
constexpr double kPathTolerance = 1e-2;
constexpr double kLastTolerance = 1e-4;

/// Sees every ridge tried, its mean loss of held-out samples, and the least so far.
using RidgeObserver = std::function<void(double ridge, double held_out, double least)>;

/// Throws what the relaxation throws. `should_stop` ends the path early, with the best ridge so far. With a ridge in
/// the options that ends the path, and is chosen.
RidgeChoice choose_ridge(const ScaledProblem& scaled, Index samples, const TrainOptions& options, const TrainPlan& plan,
                         const std::function<bool()>& should_stop, const RidgeObserver& tried, const Piece& piece);

/// The same within the options' time limit, and kept in `piece`; nothing where there are too few samples to choose by.
/// The clock began with the training.
std::optional<RidgeChoice> ridge_from(const Dataset& data, const ScaledProblem& scaled, const TrainOptions& options,
                                      const TrainPlan& plan, const Clock& clock, const RidgeObserver& tried,
                                      const Piece& piece);

}  // namespace relufit
