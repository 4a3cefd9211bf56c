#include "relufit/weight_terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

namespace {

using Kind = WeightTerm::Kind;

double largest_singular_value(const Matrix& weights) {
  return weights.size() == 0 ? 0 : Eigen::JacobiSVD<Matrix>(weights).singularValues()(0);
}

/// Replaces the singular values by change(singular values).
template <class Change>
void change_singular_values(Eigen::Ref<Matrix> weights, Change&& change) {
  const Eigen::JacobiSVD<Matrix> svd(weights, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Vector values = change(svd.singularValues().array());
  weights = svd.matrixU() * values.asDiagonal() * svd.matrixV().transpose();
}

/// Singular values become at most `size`. By the eigenvectors of the smaller Gram matrix, which are exact enough where
/// the values to be cut are not far beyond the size.
void cut_singular_values(double size, Eigen::Ref<Matrix> weights) {
  constexpr double kFar = 1e3;
  const bool wide = weights.rows() <= weights.cols();
  const Matrix gram = wide ? product(weights, weights.transpose()) : product(weights.transpose(), weights);
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(gram);
  const double largest = std::sqrt(std::max(0.0, eigen.eigenvalues()(gram.rows() - 1)));
  if (largest <= size) return;
  if (!(largest <= kFar * size)) {
    change_singular_values(weights, [&](const auto& values) { return values.min(size).matrix().eval(); });
    return;
  }
  const Matrix& vectors = eigen.eigenvectors();
  const auto values = eigen.eigenvalues().array().max(size * size).sqrt();
  const Matrix cut = vectors * (1 - size / values).matrix().asDiagonal() * vectors.transpose();
  weights -= wide ? product(cut, weights) : product(weights, cut);
}

double shrink_factor(double norm, double amount) { return norm > amount ? 1 - amount / norm : 0.0; }
double ball_factor(double norm, double radius) { return norm > radius ? radius / norm : 1.0; }

/// The least value that the norm of a ball takes within bounds, or a lower bound of it.
double least_norm(const WeightTerm& ball, const WeightTerm& bounds) {
  const Matrix nearest = bounds.lower.cwiseMax(0.0) + bounds.upper.cwiseMin(0.0);  // of each entry to 0
  switch (ball.kind) {
    case Kind::frobenius_ball:
      return nearest.norm();
    case Kind::row_ball:
      return nearest.rowwise().norm().maxCoeff();
    default:
      return nearest.cwiseAbs().maxCoeff();  // no entry is larger than the spectral norm
  }
}

double linear_value(const WeightTerm& term, const Eigen::Ref<const Matrix>& weights) {
  return term.coefficients.cwiseProduct(weights).sum();
}

/// The interval of a linear term's values within bounds.
std::pair<double, double> linear_range(const WeightTerm& term, const WeightTerm& bounds) {
  double least = 0, most = 0;
  for (Index i = 0; i < term.coefficients.size(); ++i) {
    const double factor = term.coefficients(i);
    if (factor == 0) continue;
    least += factor * (factor > 0 ? bounds.lower(i) : bounds.upper(i));
    most += factor * (factor > 0 ? bounds.upper(i) : bounds.lower(i));
  }
  return {least, most};
}

void check_linear(const WeightTerm& term, Index rows, Index cols) {
  const auto fail = [&](const std::string& message) {
    throw std::invalid_argument(fmt::format("linear term on layer {}: {}", term.layer, message));
  };
  if (term.coefficients.rows() != rows || term.coefficients.cols() != cols) {
    fail(fmt::format("{} x {} coefficients, expected {} x {}", term.coefficients.rows(), term.coefficients.cols(), rows,
                     cols));
  }
  if (!term.coefficients.allFinite() || term.coefficients.isZero(0)) fail("coefficients not finite, or all 0");
  const bool possible = term.least <= term.most && term.least < std::numeric_limits<double>::infinity() &&
                        term.most > -std::numeric_limits<double>::infinity();
  if (!possible) fail(fmt::format("sum between {} and {}: no such number", term.least, term.most));
}

void check_term(const WeightTerm& term, const std::vector<LayerShape>& shapes) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const auto layers = static_cast<Index>(shapes.size());
  if (term.layer < 1 || term.layer > layers) {
    fail(fmt::format("weight term: layer {}, expected 1 to {}", term.layer, layers));
  }
  if (!(std::isfinite(term.size) && term.size >= 0)) {
    fail(fmt::format("weight term on layer {}: {} of size {}, expected a number >= 0", term.layer, to_string(term.kind),
                     term.size));
  }
  const auto [rows, cols] = shapes[static_cast<std::size_t>(term.layer) - 1];
  if (term.kind == Kind::linear) check_linear(term, rows, cols);
  if (term.kind != Kind::bounds) return;
  for (const Matrix* bound : {&term.lower, &term.upper}) {
    if (bound->rows() != rows || bound->cols() != cols) {
      fail(fmt::format("bounds on layer {}: {} x {}, expected {} x {}", term.layer, bound->rows(), bound->cols(), rows,
                       cols));
    }
  }
  for (Index j = 0; j < cols; ++j) {
    for (Index i = 0; i < rows; ++i) {
      const double lower = term.lower(i, j);
      const double upper = term.upper(i, j);
      // Not a number fails too.
      if (lower <= upper && lower < std::numeric_limits<double>::infinity() &&
          upper > -std::numeric_limits<double>::infinity()) {
        continue;
      }
      fail(fmt::format("bounds on layer {}: weight of unit {} for input {} between {} and {}: no such number",
                       term.layer, i + 1, j + 1, lower, upper));
    }
  }
}

void check_together(const WeightTerm& a, const WeightTerm& b) {
  if (a.kind == Kind::bounds && b.kind == Kind::bounds) {
    for (Index j = 0; j < a.lower.cols(); ++j) {
      for (Index i = 0; i < a.lower.rows(); ++i) {
        const double lower = std::max(a.lower(i, j), b.lower(i, j));
        const double upper = std::min(a.upper(i, j), b.upper(i, j));
        if (lower <= upper) continue;
        throw std::invalid_argument(
            fmt::format("bounds on layer {} contradict each other: weight of unit {} for input {} at least {} and at "
                        "most {}",
                        a.layer, i + 1, j + 1, lower, upper));
      }
    }
  } else if (a.kind == Kind::bounds && b.kind == Kind::linear) {
    const auto [least, most] = linear_range(b, a);
    if (least > b.most || most < b.least) {
      throw std::invalid_argument(
          fmt::format("bounds and a linear term on layer {} contradict each other: sum from {} to {}, expected from {} "
                      "to {}",
                      a.layer, least, most, b.least, b.most));
    }
  } else if (a.kind == Kind::bounds && b.kind != Kind::bounds) {
    const double least = least_norm(b, a);
    if (least > b.size) {
      throw std::invalid_argument(
          fmt::format("bounds and {} on layer {} contradict each other: norm at least {}, at most {}",
                      to_string(b.kind), a.layer, least, b.size));
    }
  }
}

/// Ends with every constraint true to rounding: clips, then shrinks towards the point of the bounds nearest to 0, which
/// stays within them.
void make_exact(const std::vector<const WeightTerm*>& constraints, Matrix& weights) {
  Matrix center = Matrix::Zero(weights.rows(), weights.cols());
  for (const WeightTerm* term : constraints) {
    if (term->kind != Kind::bounds) continue;
    apply_prox(*term, 0, weights);
    apply_prox(*term, 0, center);
  }
  constexpr int kSteps = 60;
  double share = 1e-16;
  for (int step = 0; step < kSteps; ++step, share = std::min(1.0, 4 * share)) {
    const bool outside = std::any_of(constraints.begin(), constraints.end(), [&](const WeightTerm* term) {
      return term->kind != Kind::linear && term_violation(*term, weights) > 0;
    });
    if (!outside) return;
    weights += share * (center - weights);
    for (const WeightTerm* term : constraints) {
      if (term->kind == Kind::bounds) apply_prox(*term, 0, weights);
    }
  }
}

}  // namespace

const char* to_string(WeightTerm::Kind kind) {
  switch (kind) {
    case Kind::bounds:
      return "bounds";
    case Kind::frobenius_ball:
      return "Frobenius norm";
    case Kind::row_ball:
      return "norm of rows";
    case Kind::spectral_ball:
      return "spectral norm";
    case Kind::linear:
      return "linear";
    case Kind::lasso:
      return "lasso";
    case Kind::group_lasso:
      return "group lasso";
    case Kind::nuclear:
      return "nuclear norm";
  }
  return "unknown";
}

bool is_constraint(WeightTerm::Kind kind) {
  return kind == Kind::bounds || kind == Kind::frobenius_ball || kind == Kind::row_ball ||
         kind == Kind::spectral_ball || kind == Kind::linear;
}

void check(const std::vector<WeightTerm>& terms, const std::vector<LayerShape>& shapes) {
  for (const WeightTerm& term : terms) check_term(term, shapes);
  for (const WeightTerm& a : terms) {
    for (const WeightTerm& b : terms) {
      if (a.layer == b.layer && &a != &b && is_constraint(a.kind) && is_constraint(b.kind)) check_together(a, b);
    }
  }
}

double term_value(const WeightTerm& term, const Matrix& weights) {
  switch (term.kind) {
    case Kind::lasso:
      return term.size * weights.lpNorm<1>();
    case Kind::group_lasso:
      return term.size * weights.rowwise().norm().sum();
    case Kind::nuclear:
      return term.size * Eigen::JacobiSVD<Matrix>(weights).singularValues().sum();
    default:
      return 0;
  }
}

double term_violation(const WeightTerm& term, const Matrix& weights) {
  switch (term.kind) {
    case Kind::bounds:
      return std::max((term.lower - weights).maxCoeff(), (weights - term.upper).maxCoeff());
    case Kind::frobenius_ball:
      return weights.norm() - term.size;
    case Kind::row_ball:
      return weights.rowwise().norm().maxCoeff() - term.size;
    case Kind::spectral_ball:
      return largest_singular_value(weights) - term.size;
    case Kind::linear:
      return std::max(term.least - linear_value(term, weights), linear_value(term, weights) - term.most);
    default:
      return 0;
  }
}

void apply_prox(const WeightTerm& term, double step, Eigen::Ref<Matrix> weights) {
  const double amount = step * term.size;
  switch (term.kind) {
    case Kind::bounds:
      weights = weights.cwiseMax(term.lower).cwiseMin(term.upper);
      break;
    case Kind::frobenius_ball:
      weights *= ball_factor(weights.norm(), term.size);
      break;
    case Kind::row_ball:
      for (auto row : weights.rowwise()) row *= ball_factor(row.norm(), term.size);
      break;
    case Kind::spectral_ball:
      cut_singular_values(term.size, weights);
      break;
    case Kind::linear: {
      const double value = linear_value(term, weights);
      const double excess = value - std::clamp(value, term.least, term.most);
      if (excess != 0) weights -= (excess / term.coefficients.squaredNorm()) * term.coefficients;
      break;
    }
    case Kind::lasso:
      weights = (weights.array() - weights.array().max(-amount).min(amount)).matrix().eval();
      break;
    case Kind::group_lasso:
      for (auto row : weights.rowwise()) row *= shrink_factor(row.norm(), amount);
      break;
    case Kind::nuclear:
      change_singular_values(weights, [&](const auto& values) { return (values - amount).max(0.0).matrix().eval(); });
      break;
  }
}

void project_onto_constraints(const std::vector<WeightTerm>& terms, Index layer, Matrix& weights) {
  std::vector<const WeightTerm*> constraints;
  for (const WeightTerm& term : terms) {
    if (term.layer == layer && is_constraint(term.kind)) constraints.push_back(&term);
  }
  if (constraints.empty()) return;
  constexpr int kMostRounds = 2000;
  constexpr double kSettled = 1e-14;
  std::vector<Matrix> corrections(constraints.size(), Matrix::Zero(weights.rows(), weights.cols()));
  for (int round = 0; round < kMostRounds; ++round) {
    const Matrix before = weights;
    for (std::size_t i = 0; i < constraints.size(); ++i) {
      const Matrix shifted = weights + corrections[i];
      weights = shifted;
      apply_prox(*constraints[i], 0, weights);
      corrections[i] = shifted - weights;
    }
    if (constraints.size() == 1 || (weights - before).norm() <= kSettled * (1 + weights.norm())) break;
  }
  make_exact(constraints, weights);
}

}  // namespace relufit
