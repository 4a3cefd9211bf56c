// Constraints and regularizers on weights: proximal maps against their definitions, projections, contradictions.
#include <gtest/gtest.h>

#include <Eigen/SVD>
#include <cmath>
#include <limits>
#include <string>

#include "relufit/weight_terms.h"
#include "support/random.h"

namespace relufit {
namespace {

using Kind = WeightTerm::Kind;
using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::uniform;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

WeightTerm random_term(Generator& random, Kind kind, Index rows, Index cols) {
  WeightTerm term{kind, 1, uniform(random, 0.2, 2), {}, {}};
  if (kind == Kind::linear) {
    term.coefficients = normal_matrix(random, rows, cols);
    term.least = uniform(random, -1, 0.5);
    term.most = rows == 2 ? term.least : 0.5;  // an equality, or an interval
  }
  if (kind != Kind::bounds) return term;
  term.lower = normal_matrix(random, rows, cols);
  term.upper = term.lower + normal_matrix(random, rows, cols).cwiseAbs();
  term.lower(0, 0) = -kInfinity;
  term.upper(rows - 1, cols - 1) = kInfinity;
  term.upper(0, 1) = term.lower(0, 1) = 0.25;
  return term;
}

double objective(const WeightTerm& term, double step, const Matrix& weights, const Matrix& center) {
  return step * term_value(term, weights) + 0.5 * (weights - center).squaredNorm();
}

class Prox : public ::testing::TestWithParam<Kind> {};

/// No point nearby is better, feasible points only; the map does not expand.
TEST_P(Prox, IsTheMinimizer) {
  Generator random(3);
  for (int repeat = 0; repeat < 50; ++repeat) {
    const Index rows = 2 + repeat % 3;
    const Index cols = 2 + repeat % 4;
    const WeightTerm term = random_term(random, GetParam(), rows, cols);
    const double step = uniform(random, 0.1, 1);
    const Matrix center = normal_matrix(random, rows, cols, 1.5);
    Matrix best = center;
    apply_prox(term, step, best);
    EXPECT_LE(term_violation(term, best), 1e-14);
    const double least = objective(term, step, best, center);
    for (int trial = 0; trial < 40; ++trial) {
      Matrix other = best + normal_matrix(random, rows, cols, std::pow(10.0, -trial / 10.0));
      if (is_constraint(term.kind)) apply_prox(term, 0, other);  // onto the set: feasible
      EXPECT_GE(objective(term, step, other, center), least - 1e-12);
    }
    const Matrix second = normal_matrix(random, rows, cols, 1.5);
    Matrix image = second;
    apply_prox(term, step, image);
    EXPECT_LE((image - best).norm(), (second - center).norm() + 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(WeightTerms, Prox,
                         ::testing::Values(Kind::bounds, Kind::frobenius_ball, Kind::row_ball, Kind::spectral_ball,
                                           Kind::linear, Kind::lasso, Kind::group_lasso, Kind::nuclear));

// By the singular values themselves, wide and tall, with values inside, a little outside, and far beyond the ball.
TEST(WeightTerms, SpectralProjectionCutsSingularValues) {
  Generator random(5);
  for (int repeat = 0; repeat < 60; ++repeat) {
    const Matrix weights = normal_matrix(random, 1 + repeat % 4, 1 + repeat % 7);
    const Eigen::JacobiSVD<Matrix> svd(weights, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Vector& values = svd.singularValues();
    const double size = values(0) * std::pow(10.0, 0.5 - repeat % 12 * 0.5);
    const Matrix expected = svd.matrixU() * values.cwiseMin(size).asDiagonal() * svd.matrixV().transpose();
    Matrix projected = weights;
    apply_prox({Kind::spectral_ball, 1, size, {}, {}}, 1, projected);
    EXPECT_LE((projected - expected).norm(), 1e-12 * values(0) * std::min(1.0, 10 * size / values(0)) + 1e-15);
    if (size > values(0)) {
      EXPECT_EQ(projected, weights);
    }
  }
}

TEST(WeightTerms, ProjectionOntoSeveralKeepsAllAndIsNearest) {
  Generator random(4);
  for (int repeat = 0; repeat < 30; ++repeat) {
    WeightTerm box = random_term(random, Kind::bounds, 3, 4);
    box.lower = box.lower.cwiseMin(0.0).eval();  // 0 is within all of them
    box.upper = box.upper.cwiseMax(0.0).eval();
    WeightTerm through_zero = random_term(random, Kind::linear, 3, 4);
    through_zero.least = through_zero.most = 0;
    const std::vector<WeightTerm> terms = {box, random_term(random, Kind::spectral_ball, 3, 4),
                                           random_term(random, Kind::row_ball, 3, 4), through_zero};
    const Matrix center = normal_matrix(random, 3, 4, 2);
    Matrix projected = center;
    project_onto_constraints(terms, 1, projected);
    for (const WeightTerm& term : terms) {
      EXPECT_LE(term_violation(term, projected), term.kind == Kind::linear ? 1e-9 : 0) << to_string(term.kind);
    }
    // Variational inequality: no common point lies further along center - projected.
    for (int trial = 0; trial < 20; ++trial) {
      Matrix other = normal_matrix(random, 3, 4, 2);
      project_onto_constraints(terms, 1, other);
      EXPECT_LE(((center - projected).array() * (other - projected).array()).sum(), 1e-6);
    }
    Matrix untouched = center;
    project_onto_constraints(terms, 2, untouched);
    EXPECT_EQ(untouched, center);
  }
}

std::string message(const std::vector<WeightTerm>& terms) {
  try {
    check(terms, Architecture{{2, 3, 1}}.layers());
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(WeightTerms, ContradictionsAreNamed) {
  const Matrix ones = Matrix::Ones(3, 2);
  const WeightTerm high{Kind::bounds, 1, 0, ones, 2 * ones};
  const WeightTerm low{Kind::bounds, 1, 0, -ones, 0 * ones};
  EXPECT_EQ(message({high}), "accepted");
  EXPECT_NE(message({high, low}).find("contradict"), std::string::npos);
  EXPECT_NE(message({high, {Kind::frobenius_ball, 1, 2, {}, {}}}).find("contradict"), std::string::npos);
  EXPECT_EQ(message({high, {Kind::frobenius_ball, 1, 2.5, {}, {}}}), "accepted");
  EXPECT_EQ(message({high, {Kind::frobenius_ball, 2, 0.1, {}, {}}}), "accepted");  // another layer
  EXPECT_EQ(message({{Kind::lasso, 3, 1, {}, {}}}), "weight term: layer 3, expected 1 to 2");
  EXPECT_EQ(message({{Kind::lasso, 1, -1, {}, {}}}),
            "weight term on layer 1: lasso of size -1, expected a number >= 0");
  EXPECT_EQ(message({{Kind::bounds, 2, 0, ones, ones}}), "bounds on layer 2: 3 x 2, expected 1 x 3");
  WeightTerm sum{Kind::linear, 1, 0, {}, {}};
  EXPECT_EQ(message({sum}), "linear term on layer 1: 0 x 0 coefficients, expected 3 x 2");
  sum.coefficients = 0 * ones;
  EXPECT_EQ(message({sum}), "linear term on layer 1: coefficients not finite, or all 0");
  sum.coefficients = ones;
  sum.most = 6;
  EXPECT_EQ(message({high, sum}), "accepted");
  sum.most = 5.5;  // six weights of at least 1
  EXPECT_NE(message({high, sum}).find("sum from 6 to 12"), std::string::npos);
  sum.least = 5.6;
  EXPECT_NE(message({sum}).find("no such number"), std::string::npos);
  EXPECT_NE(message({{Kind::bounds, 1, 0, 2 * ones, ones}}).find("no such number"), std::string::npos);
}

}  // namespace
}  // namespace relufit
