/// \file
/// Affine expressions in numbered variables, and matrices of them.
#pragma once

#include <algorithm>
#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// constant + sum of factor * variable.
class Expression {
 public:
  struct Term {
    Index variable;  ///< counted from 1
    double factor;
  };

  Expression() = default;
  explicit Expression(double constant) : constant_(constant) {}
  static Expression variable(Index variable) {
    Expression expression;
    expression.terms_.push_back({variable, 1.0});
    return expression;
  }

  double constant() const { return constant_; }
  const std::vector<Term>& terms() const { return terms_; }

  void add(const Expression& other, double factor) {
    if (factor == 0) return;
    constant_ += factor * other.constant_;
    for (const Term& term : other.terms_) terms_.push_back({term.variable, factor * term.factor});
  }

  /// Terms in the order of their variables, each variable once.
  void merge() {
    std::sort(terms_.begin(), terms_.end(), [](const Term& a, const Term& b) { return a.variable < b.variable; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < terms_.size();) {
      Term sum = terms_[i++];
      for (; i < terms_.size() && terms_[i].variable == sum.variable; ++i) sum.factor += terms_[i].factor;
      if (sum.factor != 0) terms_[kept++] = sum;
    }
    terms_.resize(kept);
  }

 private:
  double constant_ = 0;
  std::vector<Term> terms_;
};

/// A matrix of expressions.
class Expressions {
 public:
  Expressions(Index rows, Index cols) : rows_(rows), cols_(cols), entries_(static_cast<std::size_t>(rows * cols)) {}
  explicit Expressions(const Matrix& values) : Expressions(values.rows(), values.cols()) {
    for (Index i = 0; i < values.size(); ++i) entries_[static_cast<std::size_t>(i)] = Expression(values(i));
  }

  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Expression& operator()(Index row, Index col) { return entries_[static_cast<std::size_t>(row + col * rows_)]; }
  const Expression& operator()(Index row, Index col) const {
    return entries_[static_cast<std::size_t>(row + col * rows_)];
  }

  void add(const Expressions& other, double factor) {
    for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].add(other.entries_[i], factor);
  }
  /// Adds a column to all columns.
  void add_to_columns(const Expressions& column, double factor) {
    for (Index j = 0; j < cols_; ++j) {
      for (Index i = 0; i < rows_; ++i) (*this)(i, j).add(column(i, 0), factor);
    }
  }

 private:
  Index rows_, cols_;
  std::vector<Expression> entries_;
};

inline Expressions operator*(const Matrix& left, const Expressions& right) {
  Expressions product(left.rows(), right.cols());
  for (Index j = 0; j < right.cols(); ++j) {
    for (Index i = 0; i < left.rows(); ++i) {
      for (Index k = 0; k < left.cols(); ++k) product(i, j).add(right(k, j), left(i, k));
      product(i, j).merge();
    }
  }
  return product;
}

inline Expressions operator*(const Expressions& left, const Matrix& right) {
  Expressions product(left.rows(), right.cols());
  for (Index j = 0; j < right.cols(); ++j) {
    for (Index i = 0; i < left.rows(); ++i) {
      for (Index k = 0; k < right.rows(); ++k) product(i, j).add(left(i, k), right(k, j));
      product(i, j).merge();
    }
  }
  return product;
}

}  // namespace relufit
