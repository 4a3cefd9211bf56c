/// \file
/// The row space of the input data, and the ridge-regularized projection onto it.
///
/// minimize over (W, b)  1/2 ||W U + b 1' - T||^2 + alpha/2 ||W||^2.  With the mean u of the inputs and the thin SVD
/// U - u 1' = L diag(s) Qc', and Q = [1/sqrt(N), Qc]:
///
///     W U + b 1' = T Q diag(gamma) Q',   gamma = (1, s_j^2 / (s_j^2 + alpha)),   W = T Qc diag(s_j / (s_j^2 + alpha))
///     L'.
///
/// Without biases the same with b = 0: u = 0, Q = Qc, gamma without its first entry.
#pragma once

#include "parallel/chunks.h"
#include "relufit/network.h"

namespace relufit {

class RowSpace {
 public:
  explicit RowSpace(const Matrix& inputs, bool bias = true) : RowSpace(inputs, bias, Chunks(inputs.cols())) {}
  /// Of all ranks; the basis is that of this one's samples, which `inputs` are.
  RowSpace(const Matrix& inputs, bool bias, const Chunks& chunks);

  Index rank() const { return basis_.rows(); }
  /// Qc' ((rank - 1 with biases) x N), the part that is the inputs'.
  auto input_basis() const { return basis_.bottomRows(singular_.size()); }
  /// s.
  const Vector& singular_values() const { return singular_; }
  /// Q' (rank x N): orthonormal rows, with biases the first constant.
  const Matrix& basis() const { return basis_; }
  /// Q' 1, and the entries of it that are the inputs'.
  const Vector& basis_sums() const { return sums_; }
  auto input_basis_sums() const { return sums_.tail(singular_.size()); }
  /// u, the mean of the inputs.
  const Vector& mean() const { return mean_; }
  /// gamma for a ridge alpha >= 0 (into a vector of `rank` entries).
  void shrinkage(double alpha, Vector& gamma) const;
  /// W (U - u 1') Q of weights W (rows x rank).
  void project(const Matrix& weights, Matrix& projected) const;
  /// The least weights W with W (U - u 1') = T Qc' (T rows x entries of s).
  void input_weights(const Matrix& projected, Matrix& weights) const;
  /// Weights and bias from T Q (rows x rank).
  void weights(const Matrix& projected, double alpha, Layer& layer) const;

 private:
  Vector mean_;
  Index constants_;  // rows of the basis for the bias: 1 or 0
  Matrix left_;      // L, n0 x (rank - constants_)
  Vector singular_;
  Matrix basis_;
  Vector sums_;
};

}  // namespace relufit
