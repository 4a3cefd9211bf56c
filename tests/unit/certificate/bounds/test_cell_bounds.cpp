// Bounds of cells against values in them, and branch and bound against the best of very many directions.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "certificate/bounds/chord_bound.h"
#include "certificate/bounds/quadratic_bound.h"
#include "certificate/unit_search.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::uniform;

UnitProblem random_problem(Generator& random, Index inputs, Index samples, Index outputs, bool bias) {
  const Matrix points = normal_matrix(random, inputs, samples);
  Matrix dual = normal_matrix(random, outputs, samples);
  if (bias) dual.colwise() -= dual.rowwise().mean().eval();
  return {points, dual, bias};
}

/// A cell around a direction, from tiny to whole.
Cell random_cell(Generator& random, const UnitProblem& problem, Vector& direction) {
  direction = normal_matrix(random, problem.coordinates(), 1);
  direction /= direction.head(problem.weights).norm();
  Cell cell{Vector(direction.size()), Vector(direction.size())};
  const double width = std::pow(10, uniform(random, -4, 0.3));
  for (Index j = 0; j < direction.size(); ++j) {
    const double end = j < problem.weights ? 1 : problem.largest;
    cell.lower(j) = std::max(-end, direction(j) - width * uniform(random, 0, 1));
    cell.upper(j) = std::min(end, direction(j) + width * uniform(random, 0, 1));
    if (j < problem.weights && uniform(random, 0, 1) < 0.2) {  // not split yet
      cell.lower(j) = -1;
      cell.upper(j) = 1;
    }
    direction(j) = std::clamp(direction(j), cell.lower(j), cell.upper(j));
  }
  return cell;
}

TEST(CellBounds, AreNotBelowValuesInTheCell) {
  Generator random(3);
  int tight = 0;
  for (int repeat = 0; repeat < 300; ++repeat) {
    const Index outputs = 1 + repeat % 3;
    const UnitProblem problem = random_problem(random, 1 + repeat % 6, 3 + repeat % 40, outputs, repeat % 2 == 0);
    Vector direction;
    const Cell cell = random_cell(random, problem, direction);
    Ranges ranges;
    ranges.set(problem, cell);
    ChordBound chord(problem);
    QuadraticBound quadratic(problem);
    const double bound = chord.bound(ranges);
    const Vector axis = normal_matrix(random, outputs, 1);
    const Vector r = problem.dual.transpose() * axis;
    const double along = quadratic.bound(ranges, r, -1e300);
    double largest = 0;
    for (int i = 0; i < 200; ++i) {
      Vector point = normal_matrix(random, problem.coordinates(), 1);
      if (i % 2 == 0) point = direction + 0.05 * i * (cell.upper - cell.lower).cwiseProduct(point) / 100;
      if (problem.has_bias()) {
        point(problem.weights) =
            std::clamp(point(problem.weights), cell.lower(problem.weights), cell.upper(problem.weights));
      }
      point.head(problem.weights).normalize();
      if ((point.array() < cell.lower.array()).any() || (point.array() > cell.upper.array()).any()) continue;
      const Vector arguments = problem.points.transpose() * point;
      EXPECT_TRUE((arguments.array() >= ranges.least.array()).all() &&
                  (arguments.array() <= ranges.most.array()).all());
      const Vector value = problem.value(point);
      largest = std::max(largest, value.norm());
      EXPECT_LE(value.norm(), bound) << repeat;
      EXPECT_LE(axis.dot(value), along) << repeat;
    }
    tight += bound < 1.05 * largest ? 1 : 0;
  }
  EXPECT_GT(tight, 20);  // small cells: bounds that are near
}

/// The largest value for two inputs over a fine circle, with a bias over all its kinks, between which |.|^2 is convex.
double brute_force(const UnitProblem& problem) {
  constexpr int kAngles = 4000;
  double largest = 0;
  for (int k = 0; k < kAngles; ++k) {
    const double angle = 2 * std::numbers::pi * k / kAngles;
    Vector direction(problem.coordinates());
    direction.head(2) << std::cos(angle), std::sin(angle);
    if (!problem.has_bias()) {
      largest = std::max(largest, problem.value(direction).norm());
      continue;
    }
    for (Index i = 0; i < problem.samples(); ++i) {
      direction(2) = 0;
      direction(2) = -problem.points.col(i).dot(direction);
      largest = std::max(largest, problem.value(direction).norm());
    }
  }
  return largest;
}

TEST(UnitSearch, FindsTheLargestUnitOfTwoInputs) {
  Generator random(5);
  for (int repeat = 0; repeat < 12; ++repeat) {
    const UnitProblem problem = random_problem(random, 2, 8 + repeat, 1 + repeat % 3, repeat % 2 == 0);
    const double largest = brute_force(problem);
    UnitSearchOptions options;
    options.accuracy = 1e-3;
    const UnitSearchResult found =
        bound_unit(problem, find_unit(problem, Matrix(problem.coordinates(), 0), 1), options);
    EXPECT_EQ(found.status, CertificateStatus::complete);
    EXPECT_GE(found.upper, largest);
    EXPECT_LE(found.upper, largest * (1 + 2e-3));  // the circle is not quite as fine as that
    EXPECT_LE(found.lower, found.upper);
    EXPECT_GE(found.lower, largest * (1 - 1e-3));
    EXPECT_NEAR(problem.value(found.direction).norm(), found.lower, 1e-12 * largest);
    EXPECT_NEAR(found.direction.head(2).norm(), 1, 1e-12);
  }
}

TEST(UnitSearch, HoldsWhenStoppedAndDoesNotDependOnThreads) {
  Generator random(6);
  const UnitProblem problem = random_problem(random, 4, 30, 2, true);
  const UnitSearchResult start = find_unit(problem, Matrix(5, 0), 1);
  UnitSearchOptions options;
  options.accuracy = 0.02;
  const UnitSearchResult whole = bound_unit(problem, start, options);
  options.threads = 3;
  const UnitSearchResult team = bound_unit(problem, start, options);
  EXPECT_EQ(whole.upper, team.upper);
  EXPECT_EQ(whole.lower, team.lower);
  EXPECT_EQ(whole.cells, team.cells);
  for (const int stop : {0, 3, 10}) {
    int asked = 0;
    options.should_stop = [&] { return asked++ >= stop; };
    const UnitSearchResult cut = bound_unit(problem, start, options);
    EXPECT_EQ(cut.status, CertificateStatus::interrupted);
    EXPECT_GE(cut.upper, whole.lower);
    EXPECT_LT(cut.cells, whole.cells);
  }
}

TEST(UnitSearch, EndsForDegenerateData) {
  Generator random(8);
  Matrix points = Matrix::Zero(3, 6);  // all samples on a line, some equal
  points.row(0) << 1, 1, 2, -1, 0, 0;
  Matrix dual(1, 6);
  dual << 1, -2, 0.5, 0.25, 1, -0.75;
  UnitSearchOptions options;
  options.accuracy = 1e-6;
  const UnitProblem problem(points, dual, true);
  const UnitSearchResult found = bound_unit(problem, find_unit(problem, Matrix(4, 0), 1), options);
  double largest = 0;
  for (const double w : {1.0, -1.0}) {
    for (const double b : {-2.0, -1.0, 0.0, 1.0, 2.0}) {
      largest = std::max(largest, std::abs((dual * (w * points.row(0).array() + b).max(0.0).matrix().transpose())(0)));
    }
  }
  EXPECT_GE(found.upper, largest);
  EXPECT_LE(found.upper, largest * (1 + 2e-6));
  const UnitProblem nothing(points, Matrix::Zero(1, 6), true);
  EXPECT_EQ(bound_unit(nothing, find_unit(nothing, Matrix(4, 0), 1), options).upper, 0);
}

}  // namespace
}  // namespace relufit
