/// \file
/// An upper bound for a cell by quadratic functions: far better than chords for large cells of many coordinates.
#pragma once

#include <vector>

#include "certificate/bounds/unit_problem.h"
#include "linear_algebra/decompositions.h"

namespace relufit {

/// maximize sum_i r_i max(0, z_i),  z_i = x_i'w + b,  over a cell: every term is replaced by a quadratic function of
/// z_i that is not below it between least = l and most = u,
///
///     r_i > 0, l < 0 < u:   r_i (z + c)^2 / (4 c),                                     0 < c <= min(-l, u),
///                        or r_i (u (z - l) / (u - l) + a (z - l)(z - u)),              0 <= a <= min(-l, u) / (u -
///                        l)^2
///     r_i < 0, l < 0 < u:   r_i z (z - l) / (u - l)
///
/// and the quadratic function y'Qy + g'y + k of y = (w, s (b - b_0)) that they sum to is bounded over the ball that
/// holds the cell, |y|^2 <= rho^2, with multipliers m_j >= 0 of (y_j - lower_j)(upper_j - y_j) >= 0. For every lambda
/// with B = lambda I - Q positive definite, and every p,
///
///     y'Qy + g'y <= lambda rho^2 + p'Bp + |2 B p - g| rho,
///
/// with equality for the best lambda and p = B^-1 g / 2. Every choice of c, a and m gives a bound. The best c and a are
/// those of the moments of z under a distribution of maximizers, c^2 = E z^2: as Frank and Wolfe do, averages over the
/// maximizers so far take their place. m follows subgradients.
class QuadraticBound {
 public:
  explicit QuadraticBound(const UnitProblem& problem);

  /// Of sum_i r_i max(0, z_i) from above, in spite of rounding; ends early where it is at most `target`.
  double bound(const Ranges& ranges, const Vector& r, double target);
  /// (w, b) where the last bound was attained: a good start for an ascent.
  const Vector& maximizer() const { return maximizer_; }
  /// How much the halves of every coordinate promise after the last bound (D).
  const Vector& promise() const { return promise_; }

 private:
  void set_coordinates(const Ranges& ranges);
  void set_terms(const Ranges& ranges, const Vector& r);
  void set_moments();
  void add_multipliers();
  double over_ball();
  void step_multipliers(const Ranges& ranges, double excess);
  void keep_maximizer(const Ranges& ranges, const Vector& r);

  /// Quadratic functions a z^2 + b z + c of z.
  struct Parabola {
    double a, b, c;
    double at(double z) const { return (a * z + b) * z + c; }
  };
  static Parabola majorant(double least, double most, double mean, double square);
  static Parabola minorant(double least, double most);
  /// Adds weight * parabola, but for its a, as a function of the scaled coordinates.
  void add_linear(const Parabola& parabola, double weight, const Eigen::Ref<const Vector>& column);
  /// Of sums of such terms, for the margin of rounding.
  double size_of(const Parabola& parabola, const Eigen::Ref<const Vector>& column) const;

  const UnitProblem& problem_;
  double shift_ = 0, scale_ = 1, reach2_ = 1;  // b = shift + scale y_b; rho^2
  Vector lower_, upper_;                       // of y
  std::vector<Index> rising_, falling_;        // samples with r_i > 0, < 0 whose sign of z is open
  Matrix columns_, factors_;                   // scaled x of the rising ones; times the roots of their curvatures
  Vector weights_, mean_, square_;             // r, E z, E z^2 of them
  Matrix fixed_quadratic_, quadratic_;
  Vector fixed_linear_, linear_, multipliers_;
  double fixed_constant_ = 0, constant_ = 0, fixed_size_ = 0, size_ = 0;
  Eigen::SelfAdjointEigenSolver<Matrix> eigen_;
  Vector rotated_, solution_, residual_, point_, best_point_, maximizer_, promise_, arguments_;
};

}  // namespace relufit
