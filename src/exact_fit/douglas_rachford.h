/// \file
/// Douglas-Rachford iteration for units with output weights +1 or -1 (fixed_output.h).
///
/// x = (D, E), one row a unit, one column a sample. With p = P_B(x) and a = P_A(2 p - x):  x <- x + beta (a - p).
///
/// E stands for g |D|: the smaller g, the more of a violated sum is made up for by E rather than by D. With g = 1 and
/// more than about 30 units the iteration stays where every unit is a mixture of all directions; with g from .3 to .5
/// it leaves, and takes half the iterations for fewer units.
///
/// P_B: onto the ray (h, g h) or (-h, g h), h >= 0, whichever lies on the side of d:
/// h = max(0, (|d| + g e) / (1 + g^2)).
///
/// P_A of (R, T): with the projector P = Q Q' onto the row space and a multiplier l(n) per sample,
///
///     d_i = P (r_i - s_i l),   e_i = t_i - s_i l / g,   sum_i s_i (d_i + e_i / g) = 2 y
///
/// and m = sum s_i^2 units, (I / g^2 + P) l = v,  v = (P sum_i s_i r_i + sum_i s_i t_i / g - 2 y) / m,  so with
/// q = g^2 / (1 + g^2)  P l = q P v,  l = g^2 (v - q P v).
///
/// Single precision: the iteration only has to come near a solution, and is bound by memory.
#pragma once

#include "base/random.h"
#include "relufit/fit.h"
#include "relufit/matrix.h"

namespace relufit {

/// Orthonormal basis of the row space of X (d x N), and the way back from coordinates in it to units.
class RowBasis {
 public:
  explicit RowBasis(const Matrix& inputs);

  /// Q, N x rank.
  const Eigen::MatrixXf& basis() const { return basis_; }
  const Eigen::MatrixXf& transposed() const { return transposed_; }
  /// T with T X = C Q', from C (units x rank).
  Matrix units(const Eigen::MatrixXf& coordinates) const;

 private:
  Eigen::MatrixXf basis_;
  Eigen::MatrixXf transposed_;
  Matrix recovery_;  // d x rank
};

class DouglasRachford {
 public:
  /// targets: N; signs: one +1 or -1 per unit. `basis` must outlive this.
  DouglasRachford(const RowBasis& basis, const Vector& targets, const Vector& signs);

  /// A random start: random units, their output of the size of the targets; E = |D|.
  void start(Random& random);
  void iterate(double relaxation);

  /// Of the network with the current units (those of the last P_A).
  double relative_residual();
  /// Units x d.
  Matrix units() const;

  /// Between two iterations: x, from which the rest follows.
  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor.samples(d_);
    visitor.samples(e_);
  }

 private:
  void reflect();
  void project_affine();
  void update(float relaxation);

  const RowBasis& basis_;
  double scale_;
  Eigen::VectorXf targets_;  // over scale_
  Eigen::VectorXf signs_;
  Eigen::MatrixXf d_, e_;        // x
  Eigen::MatrixXf p_d_, p_e_;    // P_B(x)
  Eigen::MatrixXf r_;            // 2 p_d - d, then P_A's D
  Eigen::MatrixXf coordinates_;  // of P_A's D in the basis
  Eigen::VectorXf v_, v_coordinates_, sum_coordinates_;
  Eigen::VectorXf projected_v_;
};

}  // namespace relufit
