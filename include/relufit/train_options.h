/// \file
/// What a user asks of a training, and what is chosen where he does not: defaults, the scaled problem, its start.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relufit/constraints.h"
#include "relufit/data.h"
#include "relufit/model.h"
#include "relufit/sequence.h"

namespace relufit {

/// Where the parameters X, Y of the relaxation's starts come from.
struct RandomStart {};                                      ///< a random guess, another one for every start
struct ZeroStart {};                                        ///< X = Y = 0
using Start = std::variant<RandomStart, ZeroStart, Model>;  ///< Model: minus the values of its network on the data

/// Which algorithm trains.
enum class Method {
  relaxation,   ///< sequential convex relaxation (sequence.h)
  search,       ///< exact loss: search by short local fits (search.h), which the relaxation rarely beats
  fixed_output  ///< exact loss, one hidden layer, one linear output of given weights: projections (fixed_output.h)
};

const char* to_string(Method method);

/// Inverse of to_string; nothing for "auto". Throws std::invalid_argument for any other name.
std::optional<Method> method_from(const std::string& name);

/// What a user asks for, in the order of the command line's tables. What is absent is chosen to suit the rest (`plan`),
/// so that TrainOptions{} with hidden layers trains as `relufit train` and Python's relufit.train do by default.
struct TrainOptions {
  // The network.
  std::vector<Index> hidden =
      {};  ///< units of the hidden layers; empty: a linear model, whose training problem is convex
  /// One hidden layer, whose units are chosen from the data (WidthChoice); `hidden` is then empty. Not with the exact
  /// loss, a Model as start, and constraints that name units.
  bool automatic_width = false;
  Activation activation = {};                                     ///< of the hidden layers
  OutputActivation output_activation = OutputActivation::linear;  ///< relu: with the squared and the exact loss
  bool bias = true;               ///< whether layers have biases; false: all are 0, and data are scaled, not centered
  bool skip_connections = false;  ///< whether layers after the first see the inputs too

  // What it minimizes, and under which constraints.
  Loss loss = Loss::squared;  ///< the delta of huber in raw units, in which all targets then have one scale
  /// Per sample and output, for the cross-entropy per sample: the objective's ridge is this times the number of targets
  /// (samples); >= 0. Default: what predicts held-out samples best (RidgeChoice); exact loss 0; 0.003 where the start
  /// is not random or there are fewer than 4 samples per fold.
  std::optional<double> ridge = {};
  Index folds = 5;  ///< of the cross-validation that chooses the ridge, >= 2
  /// Samples to choose by in place of cross-validation: the ridge, where none is given, and of several starts the
  /// network, are those that fit these best. Not trained on. Names and classes as those of the training data. Not with
  /// the exact loss.
  std::optional<Dataset> validation = {};
  double lasso = 0;        ///< sum of |w| of all layers, per sample and output as the ridge, scaled units; >= 0
  double group_lasso = 0;  ///< sum of the norms of the hidden units' incoming weights, likewise: removes whole units
  double nuclear = 0;      ///< sum of the singular values of all layers, likewise: low rank
  Constraints constraints = {};  ///< on the network for raw data
  /// Outputs x units of the last hidden layer, finite and not 0: weights of the output layer of the model on raw data
  /// (Model::folded), which are held at these values; the output then has no bias. Empty: trained. Exact loss, one
  /// hidden layer of ReLUs, one linear output.
  Matrix fixed_output = {};
  double weight_grid = 0;  ///< step of the grid that weights are rounded to at the end (weight_grid.h); 0: none

  // How it is found.
  /// Default: fixed_output where output weights are given; else search for the exact loss, unless an option below or a
  /// term above asks for something that only the relaxation has; else relaxation.
  std::optional<Method> method = {};
  Start init = {};  ///< of the relaxation
  /// Standard deviation of random guesses (random_parameters), > 0. Default 1, and for the exact loss 0.58 in a race
  /// (TrainPlan::exact_race), 0.3 with several hidden layers or constraints, else 0.05; clipped-relu and hard-tanh: 2.
  std::optional<double> random_scale = {};
  /// Refine the best network of every start of the relaxation (polish.h). Default: yes.
  std::optional<bool> polish = {};
  std::optional<Strategy> strategy = {};       ///< default inexact; converged for 0 inner iterations
  std::optional<Index> inner_iterations = {};  ///< default: what suits the strategy (default_inner_iterations)
  std::optional<double> lambda_pair = {},
                        lambda_product = {};  ///< weights of the relaxation, > 0; default 100, for classes 10
  std::optional<double> pair_scale = {}, left_scale = {}, right_scale = {};  ///< RelaxationScales, > 0; default 1
  /// Penalties of the splitting method that solves the relaxation, > 0; default 100, for classes 10.
  std::optional<double> penalty_pair = {}, penalty_product = {}, penalty_output = {};
  std::optional<double> over_relaxation = {};  ///< of the splitting method, in (0, 2); default 1.6
  /// Relaxations of a start that is a race, from random points, >= 1. Under constraints on weights, and none on outputs
  /// and hidden values, which polish would break: short relaxations, all polished, the best ones to the end. Not for
  /// losses without curvature (absolute, quantile, hinge) and large problems, where a start is one long relaxation.
  /// Exact loss: see TrainPlan::exact_race. Default 12, exact loss 30.
  std::optional<Index> candidates = {};
  Index candidate_iterations = 5;  ///< of each of these relaxations at most; >= 1

  // The run.
  unsigned seed = 0;  ///< of the random guesses
  Index starts = 1;   ///< >= 1, more than 1 for random starts only; ends once one has converged under the exact loss
  /// Of a start at most: outer iterations of the relaxation (default 1000; followed by a path of ridges, and from a
  /// network with a loss and terms that allow such a path, 5; hinge 300, other losses of classes 60, exact loss with
  /// several hidden layers 20, a race for an exact fit 300), local fits of the search (5000), iterations from each of
  /// the (at most 3) points of fixed output weights (6000); >= 1.
  std::optional<Index> iterations = {};
  /// At which a start has converged, scaled units, > 0: largest violation, default 1e-8; search and fixed output:
  /// relative residual, default 1e-9.
  std::optional<double> tolerance = {};
  Index stall_window = 40;    ///< records of the relaxation without progress before a start is given up; 0: never
  Index record_interval = 5;  ///< outer iterations between records, >= 1
  double time_limit = 0;      ///< seconds for all starts together; 0: none
  int threads = 1;            ///< starts run in parallel; a single start runs its samples in parallel
  std::function<bool()> should_stop =
      {};  ///< asked at every iteration; true ends training with the best network so far
  /// Processes that train together, all with the same options. Each gives its part of the rows, in the order of ranks;
  /// each gets the whole result, which is that of one process with all rows. Observers are called on rank 0.
  const Ranks* ranks = nullptr;
  /// File in which training keeps what it has done and where it is; empty: none. Another training with the same data,
  /// options (but time_limit and threads) and `resume` goes on from it, however this one ended, to the same network,
  /// bit for bit. A training that ends well leaves it too: resumed, it gives its result again at once. Where it cannot
  /// be written, training ends with std::runtime_error, and the file is the one written before. See
  /// docs/checkpoints.md.
  std::string checkpoint = {};
  double checkpoint_interval = 60;  ///< seconds between writing it, >= 0; 0: at every opportunity
  bool resume = false;  ///< go on from the checkpoint, where there is one; else a file that is there is refused
};

/// Options with every default filled in: what `train` does.
struct TrainPlan {
  Method method = Method::relaxation;
  std::optional<double> ridge = {};  ///< absent: to be chosen from the data
  bool polish = false;
  /// Whether a start polishes a network for a large ridge, then for smaller ones, each from the one before, down to the
  /// ridge asked for or chosen. Where the ridge is not 0, starts are random, and the loss has curvature and no
  /// constraints and other terms beside it.
  bool path = false;
  /// Whether a start of the relaxation under the exact loss is a race, each candidate polished, up to the first exact
  /// fit. One hidden layer of units with one bend, random starts, polish, the strategy inexact, and nothing beside the
  /// fit (constraints, ridge, other terms). The relaxation's constants are then made for it, where none are given.
  bool exact_race = false;
  Index candidates = 0;  ///< of a race, exact or under constraints
  double random_scale = 0;
  Index iterations = 0;  ///< of the method
  double tolerance = 0;  ///< of the method
  SequenceOptions relaxation;
};

/// Throws std::invalid_argument, naming the option, for options out of range or that do not go together.
TrainPlan plan(const TrainOptions& options);

/// The ridge that predicts held-out samples best along falling ridges: those of a cross-validation of `folds` parts (of
/// one of them where there are more than 5000 samples, or samples x outputs x weights are more than 2e7), or the
/// validation samples where there are any. Networks are polished, each from the one for the ridge before; bounds on
/// outputs and hidden values are left out, being no help in predicting. The path ends at a third ridge in a row that is
/// no better. With more than 20 000 samples it is that of 200 000 drawn at random, all where there are no more, by
/// descents on batches, in decades (losses and terms that have no such descent: of 20 000), times their share: the
/// penalty on the weights stays, the loss grows with the samples.
struct RidgeChoice {
  double ridge = 0;                    ///< the one chosen
  std::vector<double> ridges;          ///< those tried, falling
  std::vector<double> held_out;        ///< for each the mean loss of a held-out target value (cross-entropy: sample)
  std::vector<double> standard_error;  ///< of these means, from their spread over the parts; 0 for one held-out part
  Index parts = 0;                     ///< of the samples held out, each in its turn: the folds, or 1
  bool by_validation = false;          ///< by TrainOptions::validation
};

/// The units of one hidden layer that predict held-out samples best: 10, doubled as long as that predicts better by 2
/// %, up to 160; each width with the ridge that is best for it (RidgeChoice), or the one given. 10 where there are too
/// few samples to choose by.
struct WidthChoice {
  Index width = 10;              ///< the one chosen
  std::vector<Index> widths;     ///< those tried, rising
  std::vector<double> held_out;  ///< for each the mean loss of a held-out target value (cross-entropy: sample)
  RidgeChoice ridge;             ///< of the width chosen
};

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
