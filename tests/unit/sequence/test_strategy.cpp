// Update strategies: each against its formula, and what is proved about them.
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "relufit/fit.h"
#include "relufit/polish.h"
#include "relufit/sequence.h"
#include "relufit/teacher.h"
#include "sequence/update_rule.h"
#include "subproblem/proximal/pair_prox.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_point;
using testing_random::teacher_problem;

LiftedProblem small_problem(unsigned seed) {
  Generator random(seed);
  return teacher_problem(random, {3, 4, 2}, 12, OutputActivation::linear).problem;
}

SequenceOptions with_strategy(Strategy strategy) {
  SequenceOptions options;
  options.scales = {0.7, 1.3, 0.9};
  set_strategy(options, strategy, default_inner_iterations(strategy));
  return options;
}

/// The problems that follow from the points, one after the other.
std::vector<Relaxation> relaxations(const LiftedProblem& problem, const SequenceOptions& options,
                                    const std::vector<LiftedPoint>& points) {
  Relaxation relaxation{parameters_at(zero_point(problem)), options.weights};
  const auto rule = make_update_rule(problem, options, relaxation);
  std::vector<Relaxation> all = {relaxation};
  for (const LiftedPoint& point : points) {
    rule->update(point, relaxation);
    all.push_back(relaxation);
  }
  return all;
}

std::vector<LiftedPoint> random_points(const LiftedProblem& problem, Index count) {
  Generator random(7);
  std::vector<LiftedPoint> points;
  for (Index i = 0; i < count; ++i) points.push_back(random_point(random, problem));
  return points;
}

TEST(Strategy, NamesGoBothWays) {
  for (const Strategy strategy : all_strategies()) EXPECT_EQ(strategy_from(to_string(strategy)), strategy);
  EXPECT_THROW(strategy_from("Inexact"), std::invalid_argument);
}

TEST(Strategy, PlainOnesTakeTheNegativeSolution) {
  const LiftedProblem problem = small_problem(1);
  const auto points = random_points(problem, 2);
  for (const Strategy strategy : {Strategy::converged, Strategy::inexact, Strategy::projection}) {
    const SequenceOptions options = with_strategy(strategy);
    const RelaxationParameters next = relaxations(problem, options, points).back().parameters;
    EXPECT_EQ(next.pair[0].x, -points[1].active[0]);
    EXPECT_EQ(next.pair[0].y, -points[1].slack[0]);
    EXPECT_EQ(next.product[0].x, -points[1].layers[1].weights);
    EXPECT_EQ(next.values(0), -points[1].active[0]);
    EXPECT_EQ(next.pair[0].scale.minCoeff(), options.scales.pair);
    EXPECT_EQ(next.product[0].left_scale, options.scales.left);
    EXPECT_EQ(next.product[0].right_scale, options.scales.right);
  }
}

TEST(Strategy, ExtrapolationGoesBeyondTheSolution) {
  const LiftedProblem problem = small_problem(2);
  const auto points = random_points(problem, 2);
  SequenceOptions options = with_strategy(Strategy::extrapolated);
  options.strategies.momentum = 0.25;
  const auto all = relaxations(problem, options, points);
  EXPECT_EQ(all[1].parameters.product[0].x, -points[0].layers[1].weights);  // nothing before it
  const auto beyond = [](const Matrix& before, const Matrix& now) { return Matrix(-1.25 * now + 0.25 * before); };
  const RelaxationParameters& next = all[2].parameters;
  EXPECT_TRUE(next.pair[0].x.isApprox(beyond(points[0].active[0], points[1].active[0]), 1e-14));
  EXPECT_TRUE(next.pair[0].y.isApprox(beyond(points[0].slack[0], points[1].slack[0]), 1e-14));
  EXPECT_TRUE(next.product[0].x.isApprox(beyond(points[0].layers[1].weights, points[1].layers[1].weights), 1e-14));
  EXPECT_TRUE(next.values(0).isApprox(beyond(points[0].active[0], points[1].active[0]), 1e-14));
}

TEST(Strategy, ContinuationEndsAtTheFullWeights) {
  const LiftedProblem problem = small_problem(3);
  SequenceOptions options = with_strategy(Strategy::continuation);
  options.strategies.continuation_start = 0.2;
  options.strategies.continuation_growth = 2;
  const auto all = relaxations(problem, options, random_points(problem, 4));
  const std::vector<double> shares = {0.2, 0.4, 0.8, 1, 1};
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_DOUBLE_EQ(all[i].weights.pair, shares[i] * options.weights.pair);
    EXPECT_DOUBLE_EQ(all[i].weights.product, shares[i] * options.weights.product);
  }
}

TEST(Strategy, ReweightingInvertsTheResiduals) {
  const LiftedProblem problem = small_problem(4);
  SequenceOptions options = with_strategy(Strategy::reweighted);
  options.strategies.reweight_floor = 0.3;
  const auto points = random_points(problem, 3);
  const auto all = relaxations(problem, options, points);
  EXPECT_FALSE(all[1].parameters.product[0].has_matrices());  // the second problem has the given scales
  const RelaxationParameters& third = all[2].parameters;
  const Matrix e = bilinear_residual(points[1], {BilinearEquality::Kind::product, 2});
  const Matrix left = (e * e.transpose() + 0.3 * Matrix::Identity(2, 2)).inverse();
  const Matrix right = (e.transpose() * e + 0.3 * Matrix::Identity(12, 12)).inverse();
  EXPECT_TRUE(third.product[0].left_matrix.isApprox(left, 1e-10));
  EXPECT_TRUE(third.product[0].right_matrix.isApprox(right, 1e-10));
  const double h = points[1].active[0](1, 5);
  const double s = points[1].slack[0](1, 5);
  EXPECT_NEAR(third.pair[0].scale(1, 5), 1 / (h * s * h * s + 0.3), 1e-12);
}

TEST(Strategy, ExactPenaltyIsTheSumOfLossRidgeAndViolations) {
  LiftedProblem problem = small_problem(5);
  problem.loss = Loss::squared;
  problem.ridge = 0.7;
  const LiftedPoint point = random_points(problem, 1)[0];
  const Matrix e = bilinear_residual(point, {BilinearEquality::Kind::product, 2});
  double expected = 0.5 * (point.output - problem.targets).squaredNorm();
  for (const Layer& layer : point.layers) expected += 0.35 * layer.weights.squaredNorm();
  expected += 2 * 0.25 * point.active[0].cwiseProduct(point.slack[0]).cwiseAbs().sum();
  const Matrix gram = e * e.transpose();  // 2 x 2: the sum of singular values from trace and determinant
  expected += 3 * 0.4 * 1.5 * std::sqrt(gram.trace() + 2 * std::sqrt(std::max(0.0, gram.determinant())));
  EXPECT_NEAR(exact_penalty(problem, {2, 3}, {0.5, 0.4, 1.5}, point), expected, 1e-10 * expected);
}

// docs/strategies.md, lemma: below some scale the relaxation is above the exact penalty, by a quarter of the proximal
// term at least; it touches it where (X, Y) = (-A, -B).
TEST(Strategy, SmallScalesMajorizeTheExactPenalty) {
  Generator random(6);
  for (int repeat = 0; repeat < 200; ++repeat) {
    const Matrix a = normal_matrix(random, 2, 3);
    const Matrix b = normal_matrix(random, 3, 5);
    const Matrix c = normal_matrix(random, 2, 5);
    const Matrix da = normal_matrix(random, 2, 3);
    const Matrix db = normal_matrix(random, 3, 5);
    const double scale = 0.05;
    const auto relaxed = [&](const Matrix& x, const Matrix& y) {
      const Matrix block = rank_block(a, b, c, Matrix::Identity(3, 3), x, y, scale * Matrix::Identity(2, 2),
                                      scale * Matrix::Identity(5, 5));
      return (nuclear_norm(block) - 3) / (scale * scale);
    };
    const double violation = nuclear_norm(Matrix(c - a * b));
    const double proximal = 0.5 * (da.squaredNorm() + db.squaredNorm());
    EXPECT_GE(relaxed(da - a, db - b), violation + 0.5 * proximal);
    EXPECT_NEAR(relaxed(da - a, db - b), violation + proximal, 0.1 * (violation + proximal));
    EXPECT_NEAR(relaxed(-a, -b), violation, 1e-9);
  }
}

std::vector<double> merits(const LiftedProblem& problem, Strategy strategy, unsigned seed, double scale) {
  SequenceOptions options;
  options.weights = {1, 1};
  options.scales = {scale, scale, scale};
  options.max_iterations = 40;
  options.stall_window = 0;
  set_strategy(options, strategy, 0);
  options.subproblem.max_iterations = 300;  // what is promised holds however far a problem is solved
  std::vector<double> values;
  run_sequence(problem, with_scales(random_parameters(problem, 0.5, seed), options.scales), options,
               [&](const SequenceRecord& record, const std::vector<Layer>&) {
                 values.push_back(record.merit);
                 return true;
               });
  return values;
}

TEST(Strategy, SafeguardedNeverRaisesTheExactPenalty) {
  Index raised_by_plain = 0;
  for (unsigned seed = 0; seed < 6; ++seed) {
    LiftedProblem problem = small_problem(20 + seed);
    problem.loss = seed % 2 == 0 ? Loss::exact : Loss::squared;
    const auto safe = merits(problem, Strategy::safeguarded, seed, 30);
    EXPECT_TRUE(std::is_sorted(safe.rbegin(), safe.rend())) << "seed " << seed;
    EXPECT_LT(safe.back(), 0.9 * safe.front()) << "seed " << seed;
    const auto plain = merits(problem, Strategy::converged, seed, 30);
    raised_by_plain += std::is_sorted(plain.rbegin(), plain.rend()) ? 0 : 1;
  }
  EXPECT_GT(raised_by_plain, 0);  // large scales overshoot: the safeguard had something to do
}

TEST(Strategy, PairsProjectOntoTheNearestComplementaryPair) {
  Generator random(9);
  const Matrix h = normal_matrix(random, 1, 500);
  const Matrix s = normal_matrix(random, 1, 500);
  Matrix h_out(1, 500);
  Matrix s_out(1, 500);
  project_relu_pairs(500, h.data(), s.data(), h_out.data(), s_out.data());
  for (Index i = 0; i < 500; ++i) {
    EXPECT_EQ(h_out(i) * s_out(i), 0);
    EXPECT_GE(std::min(h_out(i), s_out(i)), 0);
    const double distance = std::hypot(h_out(i) - h(i), s_out(i) - s(i));
    EXPECT_LE(distance, std::hypot(std::max(h(i), 0.0) - h(i), s(i)) + 1e-15);
    EXPECT_LE(distance, std::hypot(h(i), std::max(s(i), 0.0) - s(i)) + 1e-15);
  }
}

/// The start: a teacher's values, the output weights moved.
struct Nearby {
  LiftedProblem problem;
  LiftedPoint point;
};

Nearby nearby_problem() {
  const Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::linear, 30, 3);
  Nearby nearby;
  nearby.problem.inputs = teacher.inputs;
  nearby.problem.targets = teacher.targets;
  nearby.problem.network.widths = {3, 3, 2};
  nearby.point = lift_network(nearby.problem, teacher.network.layers());
  Generator random(3);
  nearby.point.layers[1].weights += 0.02 * normal_matrix(random, 2, 3);
  return nearby;
}

SequenceResult run_from(const Nearby& nearby, Strategy strategy) {
  SequenceOptions options;
  options.weights = {1, 1};
  options.max_iterations = 3000;
  options.tolerance = 1e-7;
  options.stall_window = 0;
  options.record_interval = 5;
  set_strategy(options, strategy, default_inner_iterations(strategy));
  return run_sequence(nearby.problem, with_scales(parameters_at(nearby.point), options.scales), options);
}

class FromNearby : public ::testing::TestWithParam<Strategy> {};

TEST_P(FromNearby, ReachesASolution) {
  const SequenceResult result = run_from(nearby_problem(), GetParam());
  EXPECT_EQ(result.status, SequenceStatus::converged);
  EXPECT_LE(result.best_value, 1e-6);
  EXPECT_LE(std::max(result.violations.pair, result.violations.product), 1e-7);
}

INSTANTIATE_TEST_SUITE_P(Strategy, FromNearby,
                         ::testing::Values(Strategy::converged, Strategy::inexact, Strategy::extrapolated,
                                           Strategy::continuation, Strategy::reweighted, Strategy::safeguarded),
                         [](const auto& information) { return std::string(to_string(information.param)); });

// The nonconvex limit converges slowly in the end; polish does the rest.
TEST(Strategy, ProjectionComesNearAndPolishEndsIt) {
  const Nearby nearby = nearby_problem();
  const SequenceResult result = run_from(nearby, Strategy::projection);
  EXPECT_LE(result.best_value, 1e-3);
  EXPECT_LE(relative_residual(nearby.problem, polish(nearby.problem, result.best_layers).layers), 1e-12);
}

TEST(Strategy, OptionsOutOfRangeAreNamed) {
  const LiftedProblem problem = small_problem(8);
  const auto message = [&](auto change) -> std::string {
    SequenceOptions options;
    change(options.strategies);
    try {
      run_sequence(problem, parameters_at(zero_point(problem)), options);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message([](auto& o) { o.momentum = 1.5; }), "strategies.momentum: 1.5, expected a number in [0, 1]");
  EXPECT_EQ(message([](auto& o) { o.reweight_from = 0; }), "strategies.reweight_from: 0, expected at least 1");
  EXPECT_EQ(message([](auto& o) { o.reweight_floor = 0; }), "strategies.reweight_floor: 0, expected a number > 0");
  EXPECT_EQ(message([](auto& o) { o.continuation_growth = 1; }),
            "strategies.continuation_growth: 1, expected a number > 1");
  EXPECT_EQ(message([](auto& o) { o.smallest_scale = 2; }),
            "strategies.smallest_scale: 2, expected a number in (0, 1]");
  SequenceOptions options;
  EXPECT_THROW(set_strategy(options, Strategy::projection, 0), std::invalid_argument);
  EXPECT_THROW(set_strategy(options, Strategy::converged, -1), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
