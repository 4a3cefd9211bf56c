/// \file
/// The largest unit: what a lower bound on a training objective asks for.
///
///     maximize   |R max(0, X w + b)|   over |w| = 1 and, with a free bias, any b         (R outputs x samples, R 1 =
///     0)
///
/// Not concave: as hard as training one unit. Branch and bound over boxes of (w, b) brackets it (unit_search.cpp) with
/// upper bounds for a box (chord_bound.h, quadratic_bound.h).
#pragma once

#include "relufit/matrix.h"

namespace relufit {

/// Rows of `points` are the coordinates of (w, b), columns the samples.
struct UnitProblem {
  Matrix points;   ///< D x N: inputs; with a free bias a last row of ones
  Matrix dual;     ///< R, outputs x N
  Index weights;   ///< rows of `points` that |w| counts
  Matrix sizes;    ///< |points|
  Matrix squares;  ///< points^2
  Vector norms;    ///< N: |x_i|, without the bias
  double largest;  ///< of the norms: |b| needs no more

  UnitProblem(const Matrix& inputs, Matrix multipliers, bool bias);

  Index samples() const { return points.cols(); }
  Index coordinates() const { return points.rows(); }
  bool has_bias() const { return points.rows() > weights; }
  /// R max(0, X w + b), |.| of which is to be as large as possible.
  Vector value(const Vector& direction) const;
};

/// lower <= (w, b) <= upper, |w| = 1.
struct Cell {
  Vector lower, upper;
  double bound = 0;    ///< of |R max(0, X w + b)| in it, from above
  Index split = 0;     ///< the coordinate to halve
  bool curved = true;  ///< whether the quadratic bound has been of use for what the cell is a part of
};

/// Where the arguments z = x'w + b of the samples lie in a cell: least <= z <= most.
struct Ranges {
  Vector center, half;            ///< D: of the cell; half-widths of unsplit weights are 1
  Vector least, most;             ///< N
  Vector split;                   ///< D: 1 for coordinates whose range in the cell is less than [-1, 1], 0 for others
  Vector middle, radius, beside;  ///< N

  void set(const UnitProblem& problem, const Cell& cell);
};

/// What rounding of a sum of `terms` terms is relative to their sizes, twice over.
inline double rounding(Index terms) { return static_cast<double>(terms + 64) * 0x1p-51; }

}  // namespace relufit
