/// \file
/// The lift: a network and its data as affine constraints plus a list of bilinear equalities.
///
/// With H_0 = U (inputs, one column per sample), layer l has weights W_l and bias b_l:
///
///     W_l H_{l-1} + b_l 1' = H_l - S_l,   H_l >= 0,  S_l >= 0     hidden layers l = 1..D
///     W_L H_{L-1} + b_L 1' = Z                                    output layer  L = D + 1
///
/// H are the active parts max(0, z), S the slacks max(0, -z). Layer 1 is affine, its input is data. Without hidden
/// layers the problem is convex as it stands. All that is not convex:
///
///     complementarity   h * s = 0                for every hidden unit and sample
///     product           W_l H_{l-1} = C_l        for every layer l >= 2,
///                       C_l = H_l - S_l - b_l 1' (hidden)  or  Z - b_L 1' (output)
///
/// For another activation than the ReLU (activation.h) there is one pair (H_lp, S_lp) for each of its pieces p, with
/// H_lp - S_lp + t_p in the place of H_l - S_l for every p, and the products are with the values of the units,
///
///     A_l = offset + sum_p above_p H_lp + below_p S_lp,           W_l A_{l-1} = C_l;
///
/// maxout units have a further unknown P_l, (P_l +- (H_l - S_l)) / sqrt(2) being their two arguments.
///
/// With skip connections layers l >= 2 see the inputs too, which are data: their weights are [W_l, V_l], and C_l is
/// less V_l U. Nothing else becomes bilinear.
#pragma once

#include <vector>

#include "relufit/loss.h"
#include "relufit/network.h"
#include "relufit/ranks.h"
#include "relufit/weight_terms.h"

namespace relufit {

/// lower <= coefficients' z <= upper for every sample: of several outputs together.
struct OutputTerm {
  Vector coefficients;  ///< nL values, not all 0
  Vector lower, upper;  ///< N values each, -inf and inf where there are none
};

/// The training problem on (scaled) data. Shapes: inputs n0 x N, targets nL x N.
struct LiftedProblem {
  Matrix inputs;
  Matrix targets;
  Architecture network;
  Loss loss = Loss::exact;
  Vector sample_weights;  ///< of the loss, N values >= 0 and not all 0; empty: ones (always, for the exact loss)
  double ridge = 0;       ///< adds ridge / 2 * sum of all squared weights (biases are free); >= 0
  bool bias = true;       ///< whether layers have biases; false: all b_l are 0
  Matrix output_lower, output_upper;     ///< on Z, nL x N, -inf and inf where there are none; or both empty
  std::vector<OutputTerm> output_terms;  ///< likewise on Z
  std::vector<WeightTerm> weight_terms;  ///< constraints and regularizers on the weights of single layers
  Share share;                           ///< of the samples, where others have some: N is the number of those here

  Index samples() const { return inputs.cols(); }
  /// With those of other ranks.
  Index total_samples() const { return share.ranks ? share.samples : samples(); }
  bool has_output_bounds() const { return output_lower.size() > 0; }
  bool constrains_outputs() const { return has_output_bounds() || !output_terms.empty(); }
};

/// The plain network of these layers. Throws std::invalid_argument where they do not chain.
Network network_of(const LiftedProblem& problem, std::vector<Layer> layers);

/// Throws std::invalid_argument unless shapes agree, values are finite, the loss is not exact without hidden layer,
/// every width, the ridge and the weight terms are in range, targets and sample weights suit the loss, the loss is
/// exact or squared for a ReLU output, targets of a ReLU output are >= 0 under the exact loss, and output bounds leave
/// room (not under the exact loss, which has no copy of Z; those of single outputs not under the cross-entropy, whose
/// proximal map does not know them; terms of several not for ReLU outputs, which are not affine).
void check(const LiftedProblem& problem);

/// A value of every unknown. Nothing is implied about feasibility.
struct LiftedPoint {
  std::vector<Layer> layers;   ///< W_l (with skip connections and l >= 2: [W_l, V_l]), b_l for l = 1..L
  std::vector<Matrix> active;  ///< H_l, (pieces n_l) x N, for l = 1..D: the n_l units' first pieces, then the second
  std::vector<Matrix> slack;   ///< S_l, likewise
  Matrix output;               ///< Z, nL x N
  Activation activation;       ///< of the hidden layers
  Matrix skipped;              ///< U where there are skip connections, else empty
  std::vector<Matrix> linear;  ///< P_l, n_l x N, for l = 1..D with maxout, else none

  /// n_l x n_{l-1}: W_l without V_l. Layers count from 0 here and below.
  Matrix unit_weights(std::size_t layer) const;
  /// Arguments of the activations of layer l (rows of W_l x N), by their first piece, t_1 + H_l1 - S_l1.
  Matrix arguments(std::size_t layer) const;
  /// n_l x N: values of the units of layer l, by the pairs; with a ReLU H_l.
  Matrix values(std::size_t layer) const;
};

/// The values at consecutive samples.
LiftedPoint samples_of(const LiftedPoint& point, Index begin, Index size);

/// All zero, of the problem's shapes.
LiftedPoint zero_point(const LiftedProblem& problem);

/// The network's own values: satisfies every affine constraint up to the targets, and every bilinear equality.
LiftedPoint lift_network(const LiftedProblem& problem, const std::vector<Layer>& layers);

/// One family of bilinear equalities A P B = C with P = identity.
struct BilinearEquality {
  enum class Kind {
    pair,    ///< element-wise: A = H_l, B = S_l, C = 0, each entry one scalar equality
    product  ///< one matrix equality: A = W_l, B = H_{l-1} (the units' values), C = C_l
  };
  Kind kind;
  Index layer;  ///< l, counted from 1
};

/// Complementarities of layers 1..D, then products of layers 2..L.
std::vector<BilinearEquality> bilinear_equalities(const LiftedProblem& problem);

/// A, B, C of an equality at a point.
struct BilinearTerms {
  Matrix a, b, c;
};
BilinearTerms bilinear_terms(const LiftedPoint& point, const BilinearEquality& equality);

/// C - A B (product) or -h s (complementarity) at a point: zero where the equality holds.
Matrix bilinear_residual(const LiftedPoint& point, const BilinearEquality& equality);

/// How far a point is from the training problem's constraints, as largest absolute entries.
struct Violations {
  double affine = 0;   ///< W_1 U + b_1 1' - (H_1 - S_1), pieces of a unit; without hidden layer - Z
  double sign = 0;     ///< negative parts of H and S
  double output = 0;   ///< exact loss: Z against the targets
  double pair = 0;     ///< h s
  double product = 0;  ///< W H - C
};
Violations violations(const LiftedProblem& problem, const LiftedPoint& point);
/// Of a network's own values (lift_network): what rounding leaves, and the targets of the exact loss.
Violations violations(const LiftedProblem& problem, const std::vector<Layer>& layers);

}  // namespace relufit
