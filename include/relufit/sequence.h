/// \file
/// Sequential convex relaxation: the outer loop, from one start, on scaled data.
///
///     repeat   solve the relaxation for the parameters (X, Y);   X <- -A,  Y <- -B   at its solution
///
/// or what another strategy makes of the solution (strategy.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relufit/strategy.h"
#include "relufit/subproblem.h"

namespace relufit {

class Piece;  // src/checkpoint/checkpoint.h

/// How a sequence ended.
enum class SequenceStatus {
  converged,        ///< every violation is below tolerance (but exact loss: and the objective has settled)
  stalled,          ///< no progress over the last records
  iteration_limit,  ///< max_iterations outer iterations were made
  time_limit,       ///< the time limit has passed
  interrupted       ///< the observer said stop
};

const char* to_string(SequenceStatus status);

struct SequenceOptions {
  RelaxationWeights weights;
  RelaxationScales scales;
  Strategy strategy = Strategy::converged;  ///< by set_strategy, which sets `subproblem` too
  StrategyOptions strategies;
  Penalties penalties;
  SubproblemOptions subproblem;  ///< max_iterations small: X and Y are updated early, multipliers kept
  Index max_iterations = 100;    ///< outer iterations, >= 1
  double tolerance = 1e-8;       ///< on the largest violation, > 0
  Index stall_window = 20;       ///< records without progress before giving up; 0: never give up
  Index record_interval = 1;     ///< outer iterations between records of the trace, >= 1
  double time_limit = 0;         ///< seconds (training: of all starts together); 0: none
  int threads = 1;               ///< over the samples; the result does not depend on it
  const Piece* piece = nullptr;  ///< where training keeps the state, and finds that to go on from; null: nowhere
};

/// One line of the trace.
struct SequenceRecord {
  Index iteration = 0;   ///< outer iterations so far
  double objective = 0;  ///< of the relaxation just solved, at its solution
  double merit = 0;      ///< exact penalty with the options' weights and scales
  double loss = 0;       ///< loss and ridge of the plain network with the solution's weights
  double pair = 0;       ///< largest |h s|
  double product = 0;    ///< largest |W H - C|
  double fit = 0;        ///< of the plain network: ||F(U) - Y||_F / ||Y||_F; error_rate (loss.h) for losses of classes
  Index inner_iterations = 0;  ///< in all so far
  double seconds = 0;          ///< since the sequence began
};

/// Sees every record and the network it is about; returns false to stop.
using SequenceObserver = std::function<bool(const SequenceRecord&, const std::vector<Layer>&)>;

struct SequenceResult {
  SequenceStatus status = SequenceStatus::iteration_limit;
  LiftedPoint point;               ///< the last solution (not of training, where best_layers are what counts)
  Violations violations;           ///< of that solution, recomputed from the data
  std::vector<Layer> best_layers;  ///< the recorded network with the smallest loss (exact loss: smallest fit)
  double best_value = 0;           ///< that loss or fit
  Index polish_iterations = 0;     ///< training only: of the local refinement of best_layers (polish.h)
  std::vector<SequenceRecord> trace;
};

/// Sets the strategy and how it solves each subproblem: `inner_iterations` of them without acceleration and with fixed
/// penalties, or to the tolerance, as the source does, for 0. `projection` also sets over-relaxation (none), penalties,
/// and the products' weight, which decide whether it succeeds (docs/strategies.md). Throws std::invalid_argument for a
/// negative number, or for `projection` with 0 (its subproblems are not convex).
void set_strategy(SequenceOptions& options, Strategy strategy, Index inner_iterations);

/// The number that suits the strategy: 0 (to the end) for converged, extrapolated, reweighted and safeguarded; 5 for
/// inexact and continuation; 1 for projection.
Index default_inner_iterations(Strategy strategy);

/// Throws std::invalid_argument for options out of range, or parameters that do not fit the problem.
SequenceResult run_sequence(const LiftedProblem& problem, RelaxationParameters start, const SequenceOptions& options,
                            const SequenceObserver& observer = {});

}  // namespace relufit
