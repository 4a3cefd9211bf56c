/// \file
/// Sequential convex relaxation: the outer loop, from one start, on scaled data.
///
///     repeat   solve the relaxation for the parameters (X, Y);   X <- -A,  Y <- -B   at its solution
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relufit/subproblem.h"

namespace relufit {

/// How a sequence ended.
enum class SequenceStatus {
  converged,        ///< every violation is below tolerance (squared loss: and the objective has settled)
  stalled,          ///< no progress over the last records
  iteration_limit,  ///< max_iterations outer iterations were made
  time_limit,       ///< the time limit has passed
  interrupted       ///< the observer said stop
};

const char* to_string(SequenceStatus status);

/// Scales of the relaxation (relaxation.h). Small scales keep the next solution close to the last one, like a trust
/// region.
struct RelaxationScales {
  double relu = 1;           ///< w of every complementarity, > 0
  double product_left = 1;   ///< V1 = product_left I, > 0
  double product_right = 1;  ///< V2 = product_right I, > 0
};

/// The source's reweighting: with the bilinear residual E at the last solution, V1 = (E E' + g I)^-1, V2 = (E'E + g
/// I)^-1, for a complementarity w = 1 / (e^2 + g).
struct Reweighting {
  bool enabled = false;
  Index from_iteration = 3;  ///< first outer iteration (counted from 1) that uses it
  double g = 0.2;            ///< > 0
};

struct SequenceOptions {
  RelaxationWeights weights;
  RelaxationScales scales;
  Reweighting reweighting;
  Penalties penalties;
  SubproblemOptions subproblem;  ///< max_iterations small: X and Y are updated early, multipliers kept
  Index max_iterations = 100;    ///< outer iterations, >= 1
  double tolerance = 1e-8;       ///< on the largest violation, > 0
  Index stall_window = 20;       ///< records without progress before giving up; 0: never give up
  Index record_interval = 1;     ///< outer iterations between records of the trace, >= 1
  double time_limit = 0;         ///< seconds (training: of all starts together); 0: none
  int threads = 1;               ///< over the samples; the result does not depend on it
};

/// One line of the trace.
struct SequenceRecord {
  Index iteration = 0;         ///< outer iterations so far
  double objective = 0;        ///< of the relaxation just solved, at its solution
  double loss = 0;             ///< loss and ridge of the plain network with the solution's weights
  double complementarity = 0;  ///< largest |h s|
  double product = 0;          ///< largest |W H - C|
  double fit = 0;              ///< ||F(U) - Y||_F / ||Y||_F of the plain network with the solution's weights
  Index inner_iterations = 0;  ///< in all so far
  double seconds = 0;          ///< since the sequence began
};

/// Sees every record and the network it is about; returns false to stop.
using SequenceObserver = std::function<bool(const SequenceRecord&, const std::vector<Layer>&)>;

struct SequenceResult {
  SequenceStatus status = SequenceStatus::iteration_limit;
  LiftedPoint point;               ///< the last solution
  Violations violations;           ///< of that solution, recomputed from the data
  std::vector<Layer> best_layers;  ///< the recorded network with the smallest loss (exact loss: smallest fit)
  double best_value = 0;           ///< that loss or fit
  std::vector<SequenceRecord> trace;
};

/// Updates X and Y every `iterations` inner iterations, multipliers kept, penalties and step fixed; 0: solves every
/// subproblem to its tolerance, as the source does. Throws std::invalid_argument for a negative number.
void set_inner_iterations(SequenceOptions& options, Index iterations);

/// Throws std::invalid_argument for options out of range, or parameters that do not fit the problem.
SequenceResult run_sequence(const LiftedProblem& problem, const RelaxationParameters& start,
                            const SequenceOptions& options, const SequenceObserver& observer = {});

/// The update: X = -A, Y = -B at a point, with the options' scales, or reweighted ones from outer iteration `iteration`
/// on.
RelaxationParameters updated_parameters(const LiftedProblem& problem, const LiftedPoint& point,
                                        const SequenceOptions& options, Index iteration);

/// Parameters whose entries are those of a random guess (W, H, S), independent normal with standard deviation `scale`.
/// The same seed gives the same guess on every platform.
RelaxationParameters random_parameters(const LiftedProblem& problem, double scale, unsigned long long seed);

/// `parameters` with the given scales.
RelaxationParameters with_scales(RelaxationParameters parameters, const RelaxationScales& scales);

/// ||F(U) - Y||_F / ||Y||_F of the plain network with these layers (||Y|| = 0: the absolute norm).
double relative_residual(const LiftedProblem& problem, const std::vector<Layer>& layers);

/// Loss and ridge of the plain network: 1/2 ||F(U) - Y||_F^2 + ridge/2 sum ||W||^2.
double network_loss(const LiftedProblem& problem, const std::vector<Layer>& layers);

}  // namespace relufit
