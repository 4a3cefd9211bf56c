// Losses against their definitions in extended precision: values, gradients by differences, proximal maps by the
// optimality condition of the problem they solve.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "relufit/loss.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::log_uniform;
using testing_random::normal_matrix;
using testing_random::random_targets;
using testing_random::uniform;
using testing_random::uniform_matrix;

using Real = long double;
using RealVector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;

const std::vector<Loss>& losses() {
  static const std::vector<Loss> all = {Loss::squared,   Loss::absolute,      Loss::huber(0.3),
                                        Loss::huber(40), Loss::quantile(0.1), Loss::quantile(0.8),
                                        Loss::logistic,  Loss::hinge,         Loss::cross_entropy};
  return all;
}

std::string name_of(const Loss& loss) { return fmt::format("{} {}", to_string(loss), loss.parameter); }

bool is_softmax(const Loss& loss) { return loss == Loss::cross_entropy; }

// log(exp(a_1) + ...), largest term first.
Real log_sum_exp(const RealVector& a) {
  const Real top = a.maxCoeff();
  return top + std::log((a.array() - top).exp().sum());
}

// The loss of one sample, as the header defines it.
Real definition(const Loss& loss, const RealVector& z, const Vector& y) {
  if (is_softmax(loss)) return log_sum_exp(z) - z.dot(y.cast<Real>());
  Real sum = 0;
  const Real p = loss.parameter;
  for (Index i = 0; i < z.size(); ++i) {
    const Real e = z(i) - y(i);
    switch (loss.kind) {
      case Loss::Kind::squared:
        sum += e * e / 2;
        break;
      case Loss::Kind::absolute:
        sum += std::abs(e);
        break;
      case Loss::Kind::huber:
        sum += std::abs(e) <= p ? e * e / 2 : p * (std::abs(e) - p / 2);
        break;
      case Loss::Kind::quantile:
        sum += std::max(-p * e, (1 - p) * e);
        break;
      case Loss::Kind::logistic:
        sum += std::max(z(i), Real{0}) + std::log1p(std::exp(-std::abs(z(i)))) - y(i) * z(i);
        break;
      case Loss::Kind::hinge:
        sum += std::max(Real{0}, 1 - (2 * y(i) - 1) * z(i));
        break;
      default:
        ADD_FAILURE() << "no definition of " << to_string(loss);
    }
  }
  return sum;
}

// Derivatives from the left and from the right, of one output.
std::pair<Real, Real> derivatives(const Loss& loss, Real z, Real y) {
  const Real p = loss.parameter;
  const auto kink = [](Real at, Real left, Real right) {
    return std::pair{at > 0 ? right : left, at < 0 ? left : right};
  };
  switch (loss.kind) {
    case Loss::Kind::squared:
      return {z - y, z - y};
    case Loss::Kind::absolute:
      return kink(z - y, -1, 1);
    case Loss::Kind::huber: {
      const Real slope = std::min(std::max(z - y, -p), p);
      return {slope, slope};
    }
    case Loss::Kind::quantile:
      return kink(z - y, -p, 1 - p);
    case Loss::Kind::logistic: {
      const Real slope = 1 / (1 + std::exp(-z)) - y;
      return {slope, slope};
    }
    case Loss::Kind::hinge:
      return y == 1 ? kink(z - 1, -1, 0) : kink(z + 1, 0, 1);
    default:
      ADD_FAILURE() << "no derivative of " << to_string(loss);
  }
  return {0, 0};
}

// Distance of 0 from z - v + t d(loss)(z), largest entry. A kink within the rounding of z counts as met.
Real optimality_error(const Loss& loss, const Vector& z, const Vector& v, const Vector& y, double t) {
  const RealVector pull = z.cast<Real>() - v.cast<Real>();
  if (is_softmax(loss)) {
    const RealVector a = z.cast<Real>();
    const RealVector p = (a.array() - log_sum_exp(a)).exp();
    return (pull + Real{t} * (p - y.cast<Real>())).cwiseAbs().maxCoeff();
  }
  Real worst = 0;
  for (Index i = 0; i < z.size(); ++i) {
    const Real slack = 4e-16L * (std::abs(Real{z(i)}) + std::abs(Real{v(i)}) + std::abs(Real{y(i)}));
    const Real low = pull(i) + t * derivatives(loss, z(i) - slack, y(i)).first;
    const Real high = pull(i) + t * derivatives(loss, z(i) + slack, y(i)).second;
    worst = std::max({worst, low, -high});
  }
  return worst;
}

Matrix prox(const Loss& loss, double penalty, const Matrix& targets, const Matrix& in, const Vector& weights = {}) {
  Matrix out(in.rows(), in.cols());
  prox_loss(loss, penalty, targets, weights, in, out);
  return out;
}

TEST(Loss, ValueIsItsDefinition) {
  Generator random(1);
  for (const Loss& loss : losses()) {
    for (const double size : {1e-3, 1.0, 30.0, 900.0}) {
      const Matrix z = normal_matrix(random, 4, 25, size);
      const Matrix y = random_targets(random, loss, 4, 25, size);
      const Vector weights = uniform_matrix(random, 25, 1, 0, 2);
      Real sum = 0;
      Real weighted = 0;
      for (Index j = 0; j < z.cols(); ++j) {
        const Real value = definition(loss, z.col(j).cast<Real>(), y.col(j));
        sum += value;
        weighted += Real{weights(j)} * value;
      }
      EXPECT_NEAR(loss_value(loss, z, y), static_cast<double>(sum), 1e-14 * static_cast<double>(sum)) << name_of(loss);
      EXPECT_NEAR(loss_value(loss, z, y, weights), static_cast<double>(weighted), 1e-14 * static_cast<double>(weighted))
          << name_of(loss);
    }
  }
  EXPECT_EQ(loss_value(Loss::exact, Matrix::Ones(2, 2), Matrix::Zero(2, 2)), 0);
}

TEST(Loss, KeepsSmallValuesOfSureAndRightScores) {
  const Matrix one = Matrix::Ones(1, 1);
  EXPECT_NEAR(loss_value(Loss::logistic, 40 * one, one) / std::exp(-40.0), 1, 1e-12);
  EXPECT_NEAR(loss_value(Loss::logistic, -40 * one, 0 * one) / std::exp(-40.0), 1, 1e-12);
  EXPECT_NEAR(loss_value(Loss::cross_entropy, Vector{{1040.0, 1000.0}}, Vector{{1.0, 0.0}}) / std::exp(-40.0), 1,
              1e-12);
  EXPECT_EQ(loss_value(Loss::logistic, -2000 * one, one), 2000);
  EXPECT_EQ(loss_value(Loss::cross_entropy, Vector{{2000.0, 0.0}}, Vector{{0.0, 1.0}}), 2000);
}

TEST(Loss, GradientByDifferences) {
  Generator random(2);
  constexpr Real step = 1e-6L;
  for (const Loss& loss : losses()) {
    const Matrix z = normal_matrix(random, 3, 40, 2);
    const Matrix y = random_targets(random, loss, 3, 40);
    const Vector weights = uniform_matrix(random, 40, 1, 0, 2);
    const Matrix gradient = loss_gradient(loss, z, y, weights);
    EXPECT_EQ(loss_gradient(loss, z, y), loss_gradient(loss, z, y, Vector::Ones(40)));
    for (Index j = 0; j < z.cols(); ++j) {
      for (Index i = 0; i < z.rows(); ++i) {
        RealVector up = z.col(j).cast<Real>();
        RealVector down = up;
        up(i) += step;
        down(i) -= step;
        const Real slope = (definition(loss, up, y.col(j)) - definition(loss, down, y.col(j))) / (2 * step);
        EXPECT_NEAR(gradient(i, j), weights(j) * static_cast<double>(slope), 1e-10) << name_of(loss);
      }
    }
  }
}

TEST(Loss, GradientIsTheLeastSubgradientAtKinks) {
  const Matrix y{{0.5, 1.0}};
  EXPECT_EQ(loss_gradient(Loss::absolute, y, y), Matrix::Zero(1, 2));
  EXPECT_EQ(loss_gradient(Loss::quantile(0.2), y, y), Matrix::Zero(1, 2));
  EXPECT_EQ(loss_gradient(Loss::hinge, Matrix{{-1.0, 1.0}}, Matrix{{0.0, 1.0}}), Matrix::Zero(1, 2));
}

// At random, at and around kinks, with steps from tiny to huge: to 1e-12 of the data, and what the rounding of z itself
// makes of the slopes, at most t each per unit of z.
TEST(ProxLoss, MeetsTheOptimalityCondition) {
  Generator random(3);
  for (const Loss& loss : losses()) {
    for (int trial = 0; trial < 400; ++trial) {
      const double t = log_uniform(random, -8, 8);
      const double size = log_uniform(random, -6, 4);
      const Index rows = is_softmax(loss) ? 2 + trial % 9 : 3;
      const Matrix y = random_targets(random, loss, rows, 6, size);
      Matrix v = normal_matrix(random, rows, 6, size);
      v.col(1) = y.col(1);
      v.col(2) = y.col(2).array() + t * (trial % 2 == 0 ? loss.parameter : 1.0);
      v.col(3) = y.col(3).array() - t * (1 - loss.parameter);
      v.col(4).setConstant(trial % 2 == 0 ? 1 - t : 1e-300);
      const Matrix z = prox(loss, 1 / t, y, v);
      ASSERT_TRUE(z.allFinite());
      for (Index j = 0; j < v.cols(); ++j) {
        const double scale = 1 + t + v.col(j).cwiseAbs().maxCoeff() + y.col(j).cwiseAbs().maxCoeff();
        const double step = 1 / (1 / t);  // what the penalty makes of t
        const double rounding = 4e-16 * t * z.col(j).cwiseAbs().maxCoeff();
        EXPECT_LE(optimality_error(loss, z.col(j), v.col(j), y.col(j), step), 1e-12 * scale + rounding)
            << name_of(loss) << " t " << t << " v " << v.col(j).transpose() << " y " << y.col(j).transpose();
      }
    }
  }
}

// Residuals in proportion to the data, where these are of ordinary size.
TEST(ProxLoss, ReachesMachinePrecision) {
  Generator random(4);
  for (const Loss& loss : losses()) {
    for (const double t : {1e-3, 0.1, 1.0, 10.0}) {
      const Matrix y = random_targets(random, loss, 5, 200);
      const Matrix v = normal_matrix(random, 5, 200, 3);
      const Matrix z = prox(loss, 1 / t, y, v);
      Real worst = 0;
      for (Index j = 0; j < v.cols(); ++j) {
        worst = std::max(worst, optimality_error(loss, z.col(j), v.col(j), y.col(j), 1 / (1 / t)));
      }
      EXPECT_LE(worst, 1e-14 * (1 + t)) << name_of(loss) << " t " << t;
    }
  }
}

TEST(ProxLoss, ExtremeScoresOfClasses) {
  for (const Loss& loss : {Loss::logistic, Loss::cross_entropy}) {
    for (const double v : {-1e300, -1e8, -800.0, 0.0, 800.0, 1e8, 1e300}) {
      for (const double t : {1e-300, 1e-12, 1.0, 1e12}) {
        const Index rows = loss == Loss::logistic ? 1 : 2;
        const Matrix in = Matrix::Constant(rows, 1, v).cwiseProduct(Matrix::Identity(rows, 1));
        const Matrix z = prox(loss, 1 / t, Matrix::Identity(rows, 1), in);
        ASSERT_TRUE(z.allFinite()) << to_string(loss) << " v " << v << " t " << t;
        const double tolerance = 1e-12 * (1 + t + std::abs(v)) + 4e-16 * t * z.cwiseAbs().maxCoeff();
        EXPECT_LE(optimality_error(loss, z, in, Matrix::Identity(rows, 1), 1 / (1 / t)), tolerance)
            << to_string(loss) << " v " << v << " t " << t;
      }
    }
  }
}

TEST(ProxLoss, NoNearbyPointIsBetter) {
  Generator random(5);
  for (const Loss& loss : losses()) {
    for (int trial = 0; trial < 50; ++trial) {
      const double penalty = log_uniform(random, -1.5, 1.5);
      const Matrix y = random_targets(random, loss, 4, 1);
      const Matrix v = normal_matrix(random, 4, 1, 2);
      const Matrix z = prox(loss, penalty, y, v);
      const auto objective = [&](const Matrix& at) {
        return definition(loss, at.col(0).cast<Real>(), y.col(0)) +
               Real{penalty} / 2 * (at - v).cast<Real>().squaredNorm();
      };
      for (int other = 0; other < 50; ++other) {
        const Matrix shift = normal_matrix(random, 4, 1, log_uniform(random, -5, 0));
        // Strong convexity: the objective grows by at least penalty/2 ||shift||^2.
        EXPECT_GE(objective(z + shift) - objective(z), Real{penalty} / 2 * shift.squaredNorm() * (1 - 1e-4L) - 1e-15L)
            << name_of(loss);
      }
    }
  }
}

TEST(ProxLoss, IsFirmlyNonexpansive) {
  Generator random(6);
  for (const Loss& loss : losses()) {
    for (int trial = 0; trial < 200; ++trial) {
      const double penalty = log_uniform(random, -2, 2);
      const Matrix y = random_targets(random, loss, 3, 10);
      const Matrix u = normal_matrix(random, 3, 10, 3);
      const Matrix v = u + normal_matrix(random, 3, 10, log_uniform(random, -3, 1));
      const Matrix difference = prox(loss, penalty, y, u) - prox(loss, penalty, y, v);
      EXPECT_LE(difference.squaredNorm(), difference.cwiseProduct(u - v).sum() + 1e-13 * (u - v).norm())
          << name_of(loss);
    }
  }
}

TEST(ProxLoss, WeightsDivideThePenalty) {
  Generator random(7);
  for (const Loss& loss : losses()) {
    const Matrix y = random_targets(random, loss, 3, 4);
    const Matrix v = normal_matrix(random, 3, 4, 2);
    const Vector weights{{0.25, 0.0, 1.0, 8.0}};
    const Matrix z = prox(loss, 2, y, v, weights);
    EXPECT_EQ(z.col(1), v.col(1)) << name_of(loss);
    for (const Index j : {0, 2, 3}) {
      EXPECT_EQ(z.col(j), prox(loss, 2 / weights(j), y.col(j), v.col(j))) << name_of(loss);
    }
  }
  EXPECT_EQ(prox(Loss::exact, 2, Matrix{{1.0}}, Matrix{{3.0}}), Matrix{{1.0}});
}

TEST(Loss, ErrorRate) {
  EXPECT_EQ(error_rate(Loss::logistic, Matrix{{2.0, -1.0, 3.0, -4.0}}, Matrix{{1.0, 1.0, 0.0, 0.0}}), 0.5);
  EXPECT_EQ(error_rate(Loss::hinge, Matrix{{2.0}, {-1.0}}, Matrix{{1.0}, {0.0}}), 0);
  const Matrix scores{{1.0, 5.0, 0.0, 0.0}, {2.0, 4.0, -1.0, 1.0}};
  EXPECT_EQ(error_rate(Loss::cross_entropy, scores, Matrix{{0.0, 1.0, 0.0, 1.0}, {1.0, 0.0, 1.0, 0.0}}), 0.5);
}

TEST(Loss, NamesAndParameters) {
  for (const Loss& loss : losses()) EXPECT_EQ(loss_from(to_string(loss), loss.parameter), loss);
  EXPECT_EQ(loss_from("exact"), Loss::exact);
  EXPECT_EQ(loss_from("absolute", 3), Loss::absolute);
  EXPECT_FALSE(Loss::huber(1) == Loss::huber(2));
  EXPECT_TRUE(is_for_classes(Loss::hinge));
  EXPECT_FALSE(is_for_classes(Loss::huber(1)));
}

std::string message(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Loss, BadInputIsNamed) {
  const auto targets = [](const Loss& loss, const Matrix& values) {
    return message([&] { check_targets(loss, values); });
  };
  const auto weights = [](const Loss& loss, const Vector& values) {
    return message([&] { check_sample_weights(loss, values, 2); });
  };
  EXPECT_EQ(
      message([] { loss_from("hubert", 1); }),
      "loss: 'hubert', expected one of exact, squared, absolute, huber, quantile, logistic, hinge, cross-entropy");
  EXPECT_EQ(message([] { loss_from("huber"); }), "huber delta: 0, expected a number > 0");
  EXPECT_EQ(message([] { check(Loss::quantile(1)); }), "quantile tau: 1, expected a number above 0 and below 1");
  EXPECT_EQ(targets(Loss::hinge, Matrix{{1.0, 0.5}}),
            "targets: 0.5 in row 1, sample 2, expected 0 or 1 under the hinge loss");
  EXPECT_EQ(targets(Loss::logistic, Matrix{{1.0}, {-1.0}}),
            "targets: -1 in row 2, sample 1, expected a number from 0 to 1 under the logistic loss");
  EXPECT_EQ(targets(Loss::cross_entropy, Matrix{{1.0, 0.5}, {0.0, 0.25}}),
            "targets: sample 2 sums to 0.75, expected 1");
  EXPECT_EQ(targets(Loss::cross_entropy, Matrix{{1.0, 1.0}}),
            "targets: 1 row, expected at least 2 classes under the cross-entropy loss");
  EXPECT_EQ(targets(Loss::absolute, Matrix{{-7.0}}), "nothing");
  EXPECT_EQ(weights(Loss::exact, Vector{{1.0, 1.0}}), "sample_weights: given, expected none under the exact loss");
  EXPECT_EQ(weights(Loss::squared, Vector{{1.0}}), "sample_weights: 1 values, expected 2, one per sample");
  EXPECT_EQ(weights(Loss::squared, Vector{{1.0, -1.0}}), "sample_weights: -1 for sample 2, expected a number >= 0");
  EXPECT_EQ(weights(Loss::squared, Vector{{0.0, 0.0}}), "sample_weights: all are 0, expected one above 0");
  EXPECT_EQ(weights(Loss::squared, Vector{{0.0, 1.0}}), "nothing");
}

}  // namespace
}  // namespace relufit
