/// \file
/// Singular value thresholding of a wide block through the Gram matrix of its short side.
///
/// prox of tau ||.||_* at M is  T M,  T = U diag(max(0, 1 - tau / sigma)) U',  with M M' = U diag(sigma^2) U'.
/// Directions below the threshold vanish whatever their exact sigma; those above it have relative error eps (sigma_max
/// / sigma)^2 at most, so forming the Gram matrix is harmless while tau >= 1e-5 sigma_max; below that the block is
/// first reduced by a QR factorization, whose triangular factor keeps the small singular values.
#pragma once

#include <Eigen/Eigenvalues>  // not those of the library alone: the Python extension includes this header

#include "relufit/matrix.h"

namespace relufit {

class ThresholdMap {
 public:
  explicit ThresholdMap(Index rows);

  /// From the lower triangle of the Gram matrix M M' (rows x rows). Returns false, leaving the map undefined, when tau
  /// is too small for it.
  bool set_from_gram(const Matrix& gram, double tau);

  /// From M itself, given in two parts; slower, accurate for every tau.
  void set_from_block(const Eigen::Ref<const Matrix>& left, const Eigen::Ref<const Matrix>& right, double tau);

  /// T, rows x rows.
  const Matrix& matrix() const { return map_; }

 private:
  void decompose(const Matrix& gram);
  void set(const Matrix& directions, double tau);

  Eigen::Tridiagonalization<Matrix> tridiagonal_;
  Eigen::SelfAdjointEigenSolver<Matrix> eigen_;
  Matrix directions_;  // eigenvectors of the Gram matrix
  Matrix map_;
  Vector gain_;  // singular values, then their gains
  Vector diagonal_, subdiagonal_, workspace_;
  Index rows_;
};

}  // namespace relufit
