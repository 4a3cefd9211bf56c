/// \file
/// Products of matrices, each form compiled once: Eigen instantiates its kernels for small, thin and large factors anew
/// for every combination of types, about half a second of compilation for each product that is written out. A left
/// factor that fits a cache goes to a kernel of our own (product_kernel.h), all else to Eigen.
#pragma once

#include "relufit/matrix.h"

namespace relufit {

/// A matrix, a block of one, or the transpose of either, seen where it lies.
class Factor {
 public:
  template <class Derived>
  Factor(const Eigen::MatrixBase<Derived>& matrix)  // NOLINT(google-explicit-constructor): as Eigen::Ref
      : data_(matrix.derived().data()),
        rows_(Derived::IsRowMajor ? matrix.cols() : matrix.rows()),
        columns_(Derived::IsRowMajor ? matrix.rows() : matrix.cols()),
        stride_(matrix.derived().outerStride()),
        transposed_(Derived::IsRowMajor) {
    static_assert((Derived::Flags & Eigen::DirectAccessBit) != 0 && Derived::InnerStrideAtCompileTime == 1,
                  "expected entries that lie in memory, columns contiguous: an expression is evaluated before");
  }

  Index rows() const { return transposed_ ? columns_ : rows_; }
  Index cols() const { return transposed_ ? rows_ : columns_; }

  using View = Eigen::Map<const Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;
  /// Before it is transposed.
  View view() const { return {data_, rows_, columns_, Eigen::OuterStride<>(stride_)}; }
  bool transposed() const { return transposed_; }

 private:
  const double* data_;
  Index rows_, columns_, stride_;  // as it lies
  bool transposed_;
};

/// to = a b. Here and below `to` shares no memory with the factors. A block must have the product's shape, a matrix or
/// vector of its own gets it.
void set_product(Eigen::Ref<Matrix> to, Factor a, Factor b);
void set_product(Matrix& to, Factor a, Factor b);
void set_product(Vector& to, Factor a, Factor b);
/// to += a b
void add_product(Eigen::Ref<Matrix> to, Factor a, Factor b);
/// to -= a b
void subtract_product(Eigen::Ref<Matrix> to, Factor a, Factor b);

/// The lower triangle of to += a a'. What stands above it is lost.
void add_lower_gram(Eigen::Ref<Matrix> to, Factor a);

/// a b
Matrix product(Factor a, Factor b);

}  // namespace relufit
