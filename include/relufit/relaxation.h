/// \file
/// The convex relaxation of the bilinear equalities: rank blocks, their nuclear norms, and their parameters.
///
/// For parameters X (like A), Y (like B) and invertible scales V1, V2 (Doelman and Verhaegen, ECC 2016):
///
///     M(A,B,C) = [ V1 (C + A P Y + X P B + X P Y) V2    V1 (A + X) P ]
///                [ P (B + Y) V2                          P           ]
///
///     rank M = rank P  <=>  A P B = C
///
/// M is affine in (A, B, C). The convex problem that relufit solves, for lambda > 0 and with P = I:
///
///     minimize   loss(Z) + ridge/2 ||W||^2 + terms(W) + sum_j lambda_j (||M_j||_* - ||P_j||_*)   over the affine
///     constraints
#pragma once

#include <vector>

#include "relufit/lift.h"

namespace relufit {

/// M for general P, X, Y, V1, V2. Shapes: A, X m x p; P p x q; B, Y q x n; C m x n; V1 m x m; V2 n x n.
/// Throws std::invalid_argument when they do not fit.
Matrix rank_block(const Matrix& a, const Matrix& b, const Matrix& c, const Matrix& p, const Matrix& x, const Matrix& y,
                  const Matrix& v1, const Matrix& v2);

/// Sum of singular values.
double nuclear_norm(const Matrix& matrix);

/// Sum of singular values of [a b; c d] = sqrt(||.||_F^2 + 2 |det|).
double nuclear_norm(double a, double b, double c, double d);

/// Parameters of the complementarities of one layer, element-wise: (pieces n_l) x N each, as LiftedPoint::active.
struct PairParameters {
  Matrix x, y;
  Matrix scale;  ///< w = V1 = V2 > 0: of every entry, or 1 x 1, of all

  double scale_at(Index row, Index column) const { return scale.size() == 1 ? scale(0) : scale(row, column); }
};

/// Parameters of one product equality.
struct ProductParameters {
  Matrix x;  ///< n_l x n_{l-1}
  /// n_{l-1} x N, like the units' values. Empty: the X of the layer's pairs, since the values of ReLUs are their active
  /// parts (RelaxationParameters::values).
  Matrix y;
  double left_scale = 1;   ///< V1 = left_scale * I, > 0
  double right_scale = 1;  ///< V2 = right_scale * I, > 0
  /// General V1 (n_l x n_l) and V2 (N x N), invertible; both or none. Where given they replace the scalar scales, and
  /// solving goes through dense factorizations of all unknowns (see SubproblemSolver).
  Matrix left_matrix, right_matrix;

  bool has_matrices() const { return left_matrix.size() > 0; }
  Matrix left() const;                ///< V1 as a matrix
  Matrix right(Index samples) const;  ///< V2 as a matrix
};

struct RelaxationParameters {
  std::vector<PairParameters> pair;        ///< layers 1..D
  std::vector<ProductParameters> product;  ///< layers 2..L

  /// Y of product `l`, counted from 0.
  const Matrix& values(std::size_t l) const { return product[l].y.size() > 0 ? product[l].y : pair[l].x; }
};

/// X = -A, Y = -B at the point, unit scales: at a feasible point the relaxation is then exact (method of the source).
RelaxationParameters parameters_at(LiftedPoint point);

/// Likewise into parameters of the same shapes, whose scales stay.
void move_parameters(const LiftedPoint& point, RelaxationParameters& parameters);

/// Parameters at a random guess. W, H and S are independent and normal with standard deviation `scale`; for activations
/// of several pieces, where such a guess mostly leads to units that stay between their thresholds, they are the values
/// of a random network whose units' arguments have that standard deviation. The same seed gives the same guess on every
/// platform.
RelaxationParameters random_parameters(const LiftedProblem& problem, double scale, unsigned long long seed);

/// Scales of the relaxation (relaxation.h). Small scales keep the next solution close to the last one, like a trust
/// region.
struct RelaxationScales {
  double pair = 1;   ///< w of every complementarity, > 0
  double left = 1;   ///< V1 = left I, > 0
  double right = 1;  ///< V2 = right I, > 0
};

/// `parameters` with the given scales.
RelaxationParameters with_scales(RelaxationParameters parameters, const RelaxationScales& scales);

/// Throws std::invalid_argument unless all shapes fit the problem, all values are finite and all scales positive.
void check(const RelaxationParameters& parameters, const LiftedProblem& problem);

/// Weights lambda of the two families, > 0.
struct RelaxationWeights {
  double pair = 1.1;
  double product = 10.0;
};

/// Loss of outputs Z, with Loss::exact always 0.
double loss_value(const LiftedProblem& problem, const Matrix& output);

/// The objective above at a point, from its definition (singular value decompositions; no fast formula).
double relaxation_objective(const LiftedProblem& problem, const RelaxationParameters& parameters,
                            const RelaxationWeights& weights, const LiftedPoint& point);

}  // namespace relufit
