/// \file
/// Hard constraints on a network for raw data, as a user states them, and what they mean for each layer.
///
/// They are constraints on Model::folded(): the network from raw inputs to raw targets. Those on weights are convex in
/// the weights of single layers, so they can be kept exactly; that they hold everywhere, and not only at the data,
/// follows from the weights alone. Those on outputs are about the points they name, and no others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relufit/lift.h"
#include "relufit/model.h"
#include "relufit/weight_terms.h"

namespace relufit {

/// lower <= weights <= upper: of a whole layer, of one unit, for one input of it, or one single weight.
struct WeightBound {
  Index layer = 1;              ///< 1 is the first hidden layer, the last is the output layer
  std::optional<Index> unit;    ///< 1-based row of the layer (output layer: target; maxout: second arguments come last)
  std::optional<Index> source;  ///< 1-based column (first layer: input; with skip connections inputs come last)
  double lower;                 ///< -inf: none
  double upper;                 ///< inf: none
};

/// The network's target is monotone in an input, everywhere, whatever the other inputs.
///
/// Every hidden unit gets a sign, alternating within its layer; a weight between units of equal sign must be >= 0, of
/// opposite sign <= 0; those of the input and the target likewise, with the direction as sign. Then every path from the
/// input to the target has the direction's sign. Units of both signs keep convex and concave parts possible; weights of
/// inputs without a direction stay free in the first layer.
///
/// Of a class the target is not its score: with several scores it is the difference of its score from that of every
/// other class, log(p_c / p_k), none of which falls (rises); so does p_c = 1 / (1 + sum_k exp(-(z_c - z_k))) then. For
/// two classes that is the same, for more it says that its odds against each of them rise. The hinge loss has no p, and
/// a class once given stays given.
struct Monotone {
  std::string input;
  std::string target;
  bool increasing = true;
};

/// The network's target is a convex (concave) function of an input, everywhere; of several such inputs of one target
/// jointly, whatever the others.
///
/// Hidden units have signs as for Monotone, and act on the target with them. A unit with the sign + is a convex
/// function of its inputs, so that an input in which the target is convex may feed units of the sign + alone, one in
/// which it is concave those of the sign - alone; between hidden layers weights join units of equal sign, and are >= 0.
/// Together with Monotone where both are demanded. Not of classes, whose scores and probabilities bend differently.
struct Curvature {
  std::string input;
  std::string target;
  bool convex = true;
};

/// Norm of the weights of one layer at most a radius.
struct NormBound {
  Index layer = 1;
  WeightTerm::Kind norm = WeightTerm::Kind::frobenius_ball;  ///< one of the balls
  double at_most = 0;                                        ///< >= 0
};

/// lower <= sum of factors * weights of one layer <= upper; equality where both are the same.
struct LinearBound {
  struct Part {
    Index unit = 1;    ///< 1-based row of the layer
    Index source = 1;  ///< 1-based column
    double factor = 1;
  };
  Index layer = 1;
  std::vector<Part> parts;  ///< the sum; no weight twice
  double lower;             ///< -inf: none
  double upper;             ///< inf: none
};

/// lower <= sum of factors * outputs <= upper at the samples trained on, or at given points. A class that stands alone
/// means its probability where there are any: bounds from 0 to below 1, for more than two classes lower ones only (the
/// scores with p_c <= u are not a convex set). A sum is one of scores, and of several their factors sum to 0.
struct OutputBound {
  struct Part {
    std::string target;
    double factor = 1;
  };
  std::vector<Part> parts;  ///< the sum, most often one output; no target twice
  Vector lower;             ///< one value for all points, or one for each; -inf: none
  Vector upper;             ///< likewise; inf: none
  Table points;             ///< columns with the names of the inputs; without rows: the samples
  bool is_sum = false;      ///< of scores, even if of one class
  bool at_samples() const { return points.values.rows() == 0; }
  /// Whether it is about one output as it is.
  bool is_box() const { return parts.size() == 1 && parts.front().factor == 1; }
};

/// |value| <= at_most of the units of a hidden layer, at the samples trained on. A unit with homogeneous activation is
/// scaled to keep it, the weights it feeds inversely, which leaves the network's function as it is.
struct HiddenBound {
  std::optional<Index> layer;  ///< 1 is the first hidden layer; none: all of them
  double at_most = 1;          ///< > 0
};

struct Constraints {
  std::vector<WeightBound> weights;
  std::vector<LinearBound> linear;
  std::vector<Monotone> monotone;
  std::vector<Curvature> curvature;
  std::vector<NormBound> norms;
  /// lipschitz_bound is at most this, so ||F(u) - F(v)|| <= it ||u - v||; > 0. F are scores where there are classes;
  /// their softmax changes by at most half of it (its derivative diag(p) - p p' has norm 1/2 at most).
  std::optional<double> lipschitz;
  /// Every target is convex in the inputs: no weight of a hidden unit below 0 in the next layer. Not for scores under
  /// softmax, which mean nothing on their own.
  bool convex = false;
  std::vector<OutputBound> outputs;
  std::vector<HiddenBound> hidden;

  /// Whether single hidden units are named, so that none may be removed.
  bool names_units() const;
  bool empty() const {
    return weights.empty() && linear.empty() && monotone.empty() && curvature.empty() && norms.empty() && !lipschitz &&
           !convex && outputs.empty() && hidden.empty();
  }
  /// Whether inputs must have one scale in common, and targets one: norms of raw and scaled weights are then
  /// proportional.
  bool needs_uniform_scaling() const { return !norms.empty() || lipschitz.has_value(); }
};

/// Reads a JSON file (docs/constraints.md), and the CSV files of points that it names, relative to its own folder.
/// Throws std::invalid_argument naming file, member and what is expected.
Constraints load_constraints(const std::string& path);

/// The same from the text of such a file; `source` stands for its name in messages and for its place.
Constraints parse_constraints(const std::string& text, const std::string& source);

/// The network that constraints are about.
struct NamedNetwork {
  Architecture network;
  std::vector<std::string> input_names;
  std::vector<std::string> target_names;
  Classification classification = {};  ///< what outputs mean; empty: themselves
};

/// Bounds on every layer that has any, linear terms and norm balls, for the raw network; without `lipschitz`.
/// Throws std::invalid_argument for names or layers that do not exist, an activation that does not go with a constraint
/// (monotone: an increasing one; convex and curvature: a convex one, increasing where there are several hidden layers;
/// hidden: a homogeneous one), `convex` with scores under softmax, `curvature` of classes, and naming constraints that
/// contradict each other.
std::vector<WeightTerm> weight_terms(const Constraints& constraints, const NamedNetwork& shape);

/// The same for a network on scaled data, and `lipschitz` as a spectral ball on every layer. Where
/// needs_uniform_scaling(), the scales of inputs must be equal, and those of targets.
std::vector<WeightTerm> scaled_weight_terms(const Constraints& constraints, const NamedNetwork& shape,
                                            const Scaling& inputs, const Scaling& targets);

/// One constraint and how well a model keeps it.
struct ConstraintCheck {
  std::string name;
  /// Least distance to a bound, >= 0 where the constraint holds. Training keeps a margin for rounding. Where there is
  /// no room for one, lower and upper being equal or nearly so, bounds are widened by a tolerance first: fixed weights
  /// by 1e-14 of their value, sums of weights by 1e-9 of the sum of their sizes (each the largest of its source's
  /// weights), outputs by 1e-9 of the sum |W h| + |b| that makes them, probabilities by 1e-9.
  double slack = 0;
};

/// Whether a constraint is kept.
inline bool holds(const ConstraintCheck& check) { return check.slack >= 0; }

/// Recomputed from the model's folded network; those on outputs from its predictions, `samples` (inputs x samples, raw)
/// being where bounds at the samples must hold: there is nothing to say about these without. Throws as weight_terms.
std::vector<ConstraintCheck> check_constraints(const Constraints& constraints, const Model& model,
                                               const Matrix& samples = {});

/// The points of all output bounds, for raw data.
struct BoundedPoints {
  Matrix inputs;                  ///< inputs x points: the samples first, then those of the bounds that have their own
  Matrix lower, upper;            ///< targets x points, of single outputs; both empty where there is none, or softmax
  std::vector<OutputTerm> terms;  ///< the other bounds, raw units
};

/// The sum that a bound is about, for messages: "a", "a - 2 b".
std::string description(const OutputBound& bound);

/// Throws std::invalid_argument for targets or input columns that do not exist, and naming bounds that contradict each
/// other at a sample (of single outputs, and of equal sums), probabilities out of range, and sums of scores that mean
/// nothing (OutputBound).
BoundedPoints bounded_points(const Constraints& constraints, const NamedNetwork& shape, const Matrix& samples);

/// Scales hidden units such that they keep the bounds on them at these samples (inputs x samples, raw): those above
/// their bounds; or, where that breaks constraints on weights and this does not, all bounded ones up or down to their
/// bounds, which leaves the least weights behind them. Throws std::invalid_argument for layers that do not exist.
void keep_hidden_bounds(const Constraints& constraints, const Matrix& samples, Model& model);

/// The least at_most - |value| over units, samples and bounded layers.
double hidden_slack(const HiddenBound& bound, const Matrix& samples, const Model& model);

/// Upper bound of the Lipschitz constant of the model on raw data, Euclidean norms: the product of the spectral norms
/// of its layers; with skip connections the same recursively, the inputs passing each layer once more.
double lipschitz_bound(const Model& model);

}  // namespace relufit
