/// \file
/// Convex terms on the weights of one layer: hard constraints, and regularizers. They enter the convex problems through
/// their projections and proximal maps, each on a copy of the weights of its own.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "relufit/network.h"

namespace relufit {

/// One constraint or regularizer on W_l (n_l x n_{l-1}).
struct WeightTerm {
  enum class Kind {
    bounds,          ///< lower <= W <= upper, entry by entry; fixed values and zeros are bounds too
    frobenius_ball,  ///< ||W||_F <= size
    row_ball,        ///< norm of every row <= size
    spectral_ball,   ///< largest singular value <= size
    linear,          ///< least <= sum of coefficients * W <= most; an equality where both are the same
    lasso,           ///< size * sum of |w|
    group_lasso,     ///< size * sum of the norms of the rows: prunes whole units
    nuclear          ///< size * sum of the singular values: low rank
  };

  Kind kind = Kind::bounds;
  Index layer = 1;           ///< l, counted from 1
  double size = 0;           ///< radius of a ball, weight of a regularizer; >= 0
  Matrix lower, upper;       ///< bounds only, of the weights' shape; -inf and inf where there are none
  Matrix coefficients = {};  ///< linear only, likewise; not all 0
  double least = -std::numeric_limits<double>::infinity();  ///< linear only
  double most = std::numeric_limits<double>::infinity();    ///< linear only
};

const char* to_string(WeightTerm::Kind kind);

/// Whether the term is a hard constraint, and not a regularizer.
bool is_constraint(WeightTerm::Kind kind);

/// Throws std::invalid_argument unless every term is in range for a network whose layers have these shapes, and the
/// constraints of each layer have a common point.
void check(const std::vector<WeightTerm>& terms, const std::vector<LayerShape>& shapes);

/// Value of a regularizer; 0 for constraints.
double term_value(const WeightTerm& term, const Matrix& weights);

/// How far weights are outside a constraint: largest excess of an entry over its bound, of a norm over its radius; 0 or
/// less inside (then the least distance to a bound, negative). 0 for regularizers. An equality holds to rounding only.
double term_violation(const WeightTerm& term, const Matrix& weights);

/// Replaces weights by the minimizer of  step * term + 1/2 ||. - weights||^2: the projection for constraints, whatever
/// the step >= 0.
void apply_prox(const WeightTerm& term, double step, Eigen::Ref<Matrix> weights);

/// Replaces weights of layer l by their projection onto all constraints of that layer (Dykstra's algorithm where there
/// are several; then scaled or clipped so that bounds and balls hold exactly, linear terms to about 1e-9). Regularizers
/// are left out.
void project_onto_constraints(const std::vector<WeightTerm>& terms, Index layer, Matrix& weights);

}  // namespace relufit
