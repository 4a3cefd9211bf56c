/// \file
/// Training: from a data set to a model. Scales the data, runs sequential convex relaxation from one or more starts,
/// keeps the best network and verifies it on the raw data.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "relufit/constraints.h"
#include "relufit/data.h"
#include "relufit/model.h"
#include "relufit/sequence.h"
#include "relufit/weight_grid.h"

namespace relufit {

/// Where the parameters X, Y of a start come from.
enum class Initialization {
  zero,    ///< X = Y = 0
  random,  ///< random guess, another one for every start
  network  ///< minus the values of a given model's network on the data
};

/// Which algorithm trains.
enum class Method {
  relaxation,   ///< sequential convex relaxation (sequence.h)
  search,       ///< exact loss: search by short local fits (search.h), which the relaxation rarely beats
  fixed_output  ///< exact loss, one hidden layer, one linear output of given weights: projections (fixed_output.h)
};

const char* to_string(Method method);

struct TrainOptions {
  Method method = Method::relaxation;
  std::vector<Index> hidden;  ///< units of the hidden layers; empty: a linear model, whose training problem is convex
  OutputActivation output = OutputActivation::linear;
  Activation activation;          ///< of the hidden layers; Method::fixed_output expects a ReLU
  Loss loss = Loss::squared;      ///< the delta of huber in raw units, in which all targets then have one scale
  bool bias = true;               ///< whether layers have biases; false: all are 0, and data are scaled, not centered
  bool skip_connections = false;  ///< whether layers after the first see the inputs too; not for Method::fixed_output
  /// Outputs x units of the last hidden layer, finite and not 0: weights of the output layer of the model on raw data
  /// (Model::folded), which are held at these values; the output then has no bias. Empty: trained. For
  /// Method::fixed_output, and no other.
  Matrix output_weights;
  /// Per sample and output, for the cross-entropy per sample: the objective's ridge is this times the number of targets
  /// (samples); >= 0
  double ridge = 3e-3;
  double lasso = 0;         ///< sum of |w| of all layers, per sample and output as the ridge, scaled units; >= 0
  double group_lasso = 0;   ///< sum of the norms of the hidden units' incoming weights, likewise: removes whole units
  double nuclear = 0;       ///< sum of the singular values of all layers, likewise: low rank
  Constraints constraints;  ///< on the network for raw data; Method::relaxation only
  Initialization initialization = Initialization::random;
  /// Standard deviation of random guesses (random_parameters), >= 0; 0: 1, and for the exact loss 0.05, or 0.3 with
  /// several hidden layers or constraints; clipped-relu and hard-tanh: 2. Small guesses more often end in a network
  /// that is constant, or linear.
  double random_scale = 0;
  std::optional<Model> start;  ///< for Initialization::network
  unsigned seed = 0;           ///< of the random guesses
  bool polish = false;         ///< Method::relaxation: refine the best network of every start (polish.h)
  /// `polish` under constraints on weights, and none on outputs and hidden values, which it would break: every random
  /// start is a race of this many short relaxations from random points, all polished, the best ones to the end; >= 1.
  /// Not for losses without curvature (absolute, quantile, hinge, exact) and large problems, where a start is one long
  /// relaxation.
  Index candidates = 12;
  Index candidate_iterations = 5;  ///< of each of these relaxations at most; >= 1
  Index search_runs = 2000;        ///< local fits of one start of Method::search, >= 1
  Index fixed_output_iterations =
      6000;                     ///< from each of the (at most 3) points of a start of Method::fixed_output, >= 1
  double weight_grid = 0;       ///< step of the grid that weights are rounded to at the end (weight_grid.h); 0: none
  double fit_tolerance = 1e-9;  ///< of search and fixed output, on the relative residual for scaled targets, > 0
  Index starts = 1;  ///< >= 1, more than 1 for random starts only; ends once one has converged under the exact loss
  SequenceOptions sequence;
  int threads = 1;  ///< starts run in parallel; a single start runs its samples in parallel
};

/// The defaults of `relufit train`: search for exact fits; else relaxation, X and Y
/// being updated every few inner iterations (docs/method.md), or without hidden layer the one convex problem solved to
/// the end.
TrainOptions default_train_options(std::vector<Index> hidden, Loss loss, Activation activation = Activation::relu);

/// One record of one start, as seen by an observer.
struct TrainProgress {
  Index start = 0;  ///< 0-based
  SequenceRecord record;
  double best_value = 0;  ///< over all starts so far: loss, or fit for the exact loss
};

/// Called for every record, one at a time, from any thread; returns false to stop training and keep the best network.
using TrainObserver = std::function<bool(const TrainProgress&)>;

/// What is known about every start.
struct StartSummary {
  SequenceStatus status = SequenceStatus::iteration_limit;
  bool ran = false;  ///< false: not needed, an earlier start had converged
  double value = 0;  ///< best loss or fit
  Index polish_iterations = 0;
  Violations violations;
  std::vector<SequenceRecord> trace;
};

struct TrainResult {
  Model model;
  SequenceStatus status = SequenceStatus::iteration_limit;  ///< of the start that was kept
  Index best_start = 0;
  std::vector<StartSummary> starts;
  Index removed_units = 0;  ///< group lasso: hidden units without input weights, which the model no longer has
  std::optional<WeightGridReport> grid;      ///< where weights were rounded
  Evaluation fit;                            ///< of the model on the raw training data, recomputed by plain evaluation
  std::vector<ConstraintCheck> constraints;  ///< how the model keeps the constraints, recomputed from its weights
  std::optional<ClassificationMeasures> classes;  ///< likewise, where the data have classes
};

/// Throws std::invalid_argument for data that cannot be trained on (check_trainable), options out of range, and a loss
/// that does not suit the targets, their classes or the sample weights.
TrainResult train(const Dataset& data, const TrainOptions& options, const TrainObserver& observer = {});

/// The scaled problem that `train` solves for these data and options, and its scalings.
struct ScaledProblem {
  LiftedProblem problem;
  Scaling input_scaling;
  Scaling target_scaling;
};
ScaledProblem scaled_problem(const Dataset& data, const TrainOptions& options);

/// The parameters X, Y that start number `start` begins with. Throws std::invalid_argument when a given model does not
/// fit.
RelaxationParameters start_parameters(const ScaledProblem& scaled, const TrainOptions& options, Index start);

}  // namespace relufit
