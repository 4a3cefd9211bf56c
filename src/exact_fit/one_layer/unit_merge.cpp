#include "exact_fit/one_layer/unit_merge.h"

#include <cmath>
#include <limits>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

namespace {

/// Shifts the rows or columns after `i` by one, and drops the last.
void remove_row(Matrix& matrix, Index i) {
  const Index after = matrix.rows() - i - 1;
  matrix.middleRows(i, after) = matrix.bottomRows(after).eval();
  matrix.conservativeResize(matrix.rows() - 1, matrix.cols());
}

void remove_column(Matrix& matrix, Index i) {
  const Index after = matrix.cols() - i - 1;
  matrix.middleCols(i, after) = matrix.rightCols(after).eval();
  matrix.conservativeResize(matrix.rows(), matrix.cols() - 1);
}

/// Removes the weaker unit of one pair of equal ones; false where there is none.
bool remove_equal_unit(UnitModel& model, double equal_cosine) {
  for (Index i = 0; i < model.units(); ++i) {
    for (Index k = i + 1; k < model.units(); ++k) {
      if (std::abs(model.hidden.row(i).dot(model.hidden.row(k))) <= 1 - equal_cosine) continue;
      remove_unit(model, model.output.col(i).norm() < model.output.col(k).norm() ? i : k);
      return true;
    }
  }
  return false;
}

}  // namespace

UnitMergeOptions::UnitMergeOptions(Index asked_units) : units(asked_units) {
  prune.max_iterations = 30;
  prune.race_interval = 10;
  prune.race_factor = 0.3;
  polish = prune;
  polish.max_iterations = 40;
}

void remove_unit(UnitModel& model, Index i) {
  remove_row(model.hidden, i);
  remove_column(model.output, i);
}

void remove_equal_units(UnitModel& model, Index units, double equal_cosine) {
  while (model.units() > units && remove_equal_unit(model, equal_cosine)) {
  }
}

Vector unit_importance(const UnitProblem& problem, const UnitModel& model) {
  constexpr double kDamping = 1e-12;
  Matrix features;
  problem.features(model, features);
  Matrix gram = product(features, features.transpose());
  gram.diagonal().array() += kDamping * gram.trace();
  const Matrix inverse = gram.llt().solve(Matrix::Identity(gram.rows(), gram.cols()));
  const Index units = model.units();
  return model.output.leftCols(units).colwise().squaredNorm().transpose().cwiseQuotient(inverse.diagonal().head(units));
}

UnitModel without_skip(const UnitModel& model, Index input_size) {
  const Index units = model.units();
  const Index outputs = model.output.rows();
  const Matrix skip = model.output.rightCols(input_size);
  Matrix linear(outputs * input_size, units);  // columns: c_i w_i'
  for (Index i = 0; i < units; ++i) {
    linear.col(i) = (model.output.col(i) * model.hidden.row(i).head(input_size)).reshaped();
  }
  const Vector target = -skip.reshaped();
  const Vector turned = linear.colPivHouseholderQr().solve(target);
  UnitModel plain;
  plain.hidden = model.hidden;
  for (Index i = 0; i < units; ++i) {
    if (turned(i) > 0.5) plain.hidden.row(i) *= -1;
  }
  plain.output = model.output.leftCols(model.output.cols() - input_size);
  return plain;
}

double merge_units(UnitFit& fit, UnitModel model, const UnitMergeOptions& options, UnitModel& plain) {
  constexpr double kFailed = std::numeric_limits<double>::infinity();
  normalize_units(model);
  remove_equal_units(model, options.units, options.equal_cosine);
  while (model.units() > options.units) {
    fit.solve_output(model);
    Index weakest = 0;
    unit_importance(fit.problem(), model).minCoeff(&weakest);
    remove_unit(model, weakest);
  }
  if (!(fit.run(model, options.prune) <= options.largest_wide)) return kFailed;
  plain = model.skip ? without_skip(model, fit.problem().input_size()) : model;
  fit.solve_output(plain);
  return fit.run(plain, options.polish);
}

}  // namespace relufit
