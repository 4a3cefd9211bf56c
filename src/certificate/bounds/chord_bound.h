/// \file
/// An upper bound for a cell by chords: exact in the limit of small cells.
#pragma once

#include "certificate/bounds/unit_problem.h"

namespace relufit {

/// Between least = l < 0 and most = u > 0 the ReLU lies between two lines of one slope k = u / (u - l),
///
///     k z <= max(0, z) <= k z + e,     e = -k l;        k = 1 or 0, e = 0 where the sign of z is known.
///
/// So R max(0, z) = L y + sum_i e_i t_i R_i, y = (w, b), L = sum_i k_i R_i (x_i, 1)', t_i in [0, 1]. Along a unit
/// vector v of the outputs that is at most, with E = sum_i e_i max(0, v'R_i), g = L'v, and c the center of the cell,
/// the least over T >= 0 of
///
///     T + max over the box of (g - T c/|c|)'y + E,     as  c'w / |c| <= |w| = 1,
///
/// piecewise linear in T, least at a kink g_j |c| / c_j or 0; and at most |g_w| + max of g_b b + E. Across v the length
/// of the vector is bounded coordinate by coordinate; a^2 + p^2 with both bounds bounds its square: v along the value
/// at the center, p vanishes with the cell, its square with that of the cell.
class ChordBound {
 public:
  explicit ChordBound(const UnitProblem& problem);

  /// Of |R max(0, X w + b)| in the cell with these ranges, from above, in spite of rounding.
  double bound(const Ranges& ranges);
  /// v, along the value at the center (outputs).
  const Vector& direction() const { return direction_; }
  /// The bounds of v'R max(0, X w + b) and of -v'R max(0, X w + b) that `bound` is made of.
  double forward() const { return forward_; }
  double backward() const { return backward_; }
  /// The coordinate whose halves promise most, `size` being about the bound.
  Index best_split(const Ranges& ranges, double size) const;

 private:
  double along(const Ranges& ranges, const Vector& direction, double sign);
  double across(const Ranges& ranges, const Vector& direction) const;

  const UnitProblem& problem_;
  Vector dual_norms_;
  Vector arguments_, slopes_, excess_, direction_;
  Matrix weighted_, linear_;
  Vector gradient_, axis_;
  double forward_ = 0, backward_ = 0;
  double margin_ = 0;  // of rounding, for every cell
};

}  // namespace relufit
