// Polish: derivatives against finite differences, and exact fits recovered from near ones.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <ostream>

#include "problem/network_errors.h"
#include "relufit/fit.h"
#include "relufit/polish.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_targets;
using testing_random::teacher_problem;
using testing_random::TeacherProblem;

struct Case {
  std::vector<Index> widths;
  OutputActivation output;
  double ridge;
  bool bias = true;
  bool skip_connections = false;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << fmt::format("{}, {} output, ridge {}{}{}", fmt::join(c.widths, "-"),
                      c.output == OutputActivation::relu ? "ReLU" : "linear", c.ridge, c.bias ? "" : ", no biases",
                      c.skip_connections ? ", skip connections" : "");
}

class Derivatives : public ::testing::TestWithParam<Case> {
 protected:
  Derivatives() : random_(5) {
    teacher_ = teacher_problem(random_, GetParam().widths, 15, GetParam().output, Loss::squared, GetParam().ridge,
                               GetParam().skip_connections);
    teacher_.problem.bias = GetParam().bias;
    for (Layer& layer : teacher_.layers) layer.bias *= GetParam().bias ? 1 : 0;
    teacher_.problem.targets = normal_matrix(random_, GetParam().widths.back(), 15);
    if (GetParam().output == OutputActivation::relu) {
      teacher_.problem.targets = teacher_.problem.targets.cwiseMax(0.0).eval();
    }
  }

  Generator random_;
  TeacherProblem teacher_;
};

TEST_P(Derivatives, AreThoseOfFiniteDifferences) {
  NetworkErrors errors(teacher_.problem);
  const Vector parameters = errors.pack(teacher_.layers);
  Matrix jacobian;
  errors.jacobian(parameters, jacobian);
  Vector gradient(parameters.size());
  const double value = errors.loss(parameters, gradient);
  Vector values;
  errors.values(parameters, values);
  EXPECT_NEAR(value, 0.5 * values.squaredNorm(), 1e-12 * value);
  EXPECT_TRUE(gradient.isApprox(jacobian.transpose() * values, 1e-12));
  constexpr double kStep = 1e-6;
  for (Index i = 0; i < parameters.size(); ++i) {
    Vector low;
    Vector high;
    errors.values(parameters - kStep * Vector::Unit(parameters.size(), i), low);
    errors.values(parameters + kStep * Vector::Unit(parameters.size(), i), high);
    EXPECT_LE(((high - low) / (2 * kStep) - jacobian.col(i)).cwiseAbs().maxCoeff(), 1e-7) << "parameter " << i;
  }
}

TEST_P(Derivatives, ValuesAreTheLossOfTheNetwork) {
  if (GetParam().output == OutputActivation::relu) GTEST_SKIP() << "one-sided where the output must vanish";
  NetworkErrors errors(teacher_.problem);
  Vector values;
  errors.values(errors.pack(teacher_.layers), values);
  const double loss = network_loss(teacher_.problem, teacher_.layers);
  EXPECT_NEAR(0.5 * values.squaredNorm(), loss, 1e-12 * loss);
}

INSTANTIATE_TEST_SUITE_P(Polish, Derivatives,
                         ::testing::Values(Case{{3, 4, 2}, OutputActivation::linear, 0},
                                           Case{{3, 4, 2}, OutputActivation::relu, 0},
                                           Case{{2, 5, 4, 3}, OutputActivation::linear, 0.3},
                                           Case{{2, 3, 4, 3, 1}, OutputActivation::relu, 0.3},
                                           Case{{2, 5, 4, 3}, OutputActivation::linear, 0.3, false},
                                           Case{{2, 5, 4, 3}, OutputActivation::linear, 0.3, true, true},
                                           Case{{3, 4, 2}, OutputActivation::relu, 0, false, true}));

// Losses of all kinds, with and without sample weights: gradients by differences, values those of the outer loop.
TEST(Polish, GradientsOfLosses) {
  Generator random(6);
  for (const Loss& loss : {Loss::squared, Loss::absolute, Loss::huber(0.4), Loss::quantile(0.3), Loss::logistic,
                           Loss::hinge, Loss::cross_entropy}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      if (output == OutputActivation::relu && loss != Loss::squared) continue;
      TeacherProblem teacher = teacher_problem(random, {3, 5, 4, 3}, 20, output, loss, 0.3);
      teacher.problem.targets = random_targets(random, loss, 3, 20);
      if (output == OutputActivation::relu) teacher.problem.targets = teacher.problem.targets.cwiseAbs().eval();
      teacher.problem.sample_weights = testing_random::uniform_matrix(random, 20, 1, 0, 2);
      NetworkErrors errors(teacher.problem);
      const Vector parameters = errors.pack(teacher.layers);
      Vector gradient(parameters.size());
      Vector ignored(parameters.size());
      const double value = errors.loss(parameters, gradient);
      EXPECT_FALSE(errors.is_least_squares());
      if (output == OutputActivation::linear) {
        EXPECT_NEAR(value, network_loss(teacher.problem, teacher.layers), 1e-12 * value) << to_string(loss);
      }
      constexpr double kStep = 1e-6;
      for (Index i = 0; i < parameters.size(); ++i) {
        const double high = errors.loss(parameters + kStep * Vector::Unit(parameters.size(), i), ignored);
        const double low = errors.loss(parameters - kStep * Vector::Unit(parameters.size(), i), ignored);
        EXPECT_NEAR((high - low) / (2 * kStep), gradient(i), 1e-6) << to_string(loss) << " parameter " << i;
      }
    }
  }
}

// Formed for a few samples at a time, with roots of the curvature: the same as from the whole Jacobian, in which
// samples are whole rows.
TEST(Polish, GaussNewtonIsThatOfTheWholeJacobian) {
  constexpr Index kSamples = 600;
  Generator random(8);
  for (const Loss& loss : {Loss::squared, Loss::huber(0.4), Loss::logistic, Loss::cross_entropy}) {
    for (const bool weighted : {false, true}) {
      TeacherProblem teacher = teacher_problem(random, {3, 5, 4, 3}, kSamples, OutputActivation::linear, loss, 0.3);
      teacher.problem.targets = random_targets(random, loss, 3, kSamples);
      Vector weights = Vector::Ones(kSamples);
      if (weighted)
        weights = teacher.problem.sample_weights = testing_random::uniform_matrix(random, kSamples, 1, 0, 2);
      NetworkErrors errors(teacher.problem);
      const Vector parameters = errors.pack(teacher.layers);
      Matrix jacobian, gram;
      Vector gradient, own(parameters.size());
      errors.jacobian(parameters, jacobian);
      errors.gauss_newton(parameters, gradient, gram);
      EXPECT_EQ(errors.loss(parameters), errors.loss(parameters, own));
      EXPECT_EQ(gradient, own);
      const Matrix outputs = lift_network(teacher.problem, teacher.layers).output;
      const Matrix ridge = jacobian.bottomRows(parameters.size());
      Matrix expected = ridge.transpose() * ridge;
      for (Index n = 0; n < kSamples; ++n) {
        const Vector z = outputs.col(n);
        Matrix curvature = Matrix::Identity(3, 3);
        if (loss == Loss::cross_entropy) {
          const Vector p = z.array().exp() / z.array().exp().sum();
          curvature = Matrix(p.asDiagonal()) - p * p.transpose();
        } else if (loss != Loss::squared) {
          for (Index o = 0; o < 3; ++o) {
            const double p = 1 / (1 + std::exp(-z(o)));
            const double error = std::abs(z(o) - teacher.problem.targets(o, n));
            curvature(o, o) = loss == Loss::logistic ? p * (1 - p) : 0.4 / std::max(0.4, error);
          }
        }
        Matrix rows(3, parameters.size());
        for (Index o = 0; o < 3; ++o) rows.row(o) = jacobian.row(o * kSamples + n);
        expected += weights(n) * rows.transpose() * curvature * rows;
      }
      const Matrix difference = (gram - expected).triangularView<Eigen::Lower>();
      EXPECT_LE(difference.cwiseAbs().maxCoeff(), 1e-11 * expected.cwiseAbs().maxCoeff()) << to_string(loss);
    }
  }
}

TEST(Polish, LowersTheCrossEntropyToAStationaryPoint) {
  Generator random(7);
  TeacherProblem teacher = teacher_problem(random, {3, 4, 3}, 60, OutputActivation::linear, Loss::cross_entropy, 1);
  teacher.problem.targets = random_targets(random, Loss::cross_entropy, 3, 60);
  teacher.layers[0].bias.setConstant(20);  // far from all kinks, where optima are seldom smooth
  PolishOptions options;
  options.max_iterations = 5000;
  const PolishResult result = polish(teacher.problem, teacher.layers, options);
  EXPECT_LT(result.after, result.before);
  EXPECT_EQ(result.after, network_loss(teacher.problem, result.layers));
  NetworkErrors errors(teacher.problem);
  Vector gradient(errors.parameter_count());
  errors.loss(errors.pack(result.layers), gradient);
  EXPECT_LE(gradient.norm(), 1e-4);
}

class Refined : public ::testing::TestWithParam<Index> {};  // largest_dense: both methods

TEST_P(Refined, ExactFitFromNearby) {
  Generator random(11);
  PolishOptions options;
  options.largest_dense = GetParam();
  options.max_iterations = 5000;
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    for (const bool bias : {true, false}) {
      TeacherProblem teacher = teacher_problem(random, {4, 5, 4, 2}, 200, output);
      teacher.problem.bias = bias;
      if (!bias) {
        for (Layer& layer : teacher.layers) layer.bias.setZero();
        teacher.problem.targets = Network(teacher.layers, output).forward(teacher.problem.inputs);
      }
      std::vector<Layer> layers = teacher.layers;
      for (Layer& layer : layers) {
        layer.weights += normal_matrix(random, layer.weights.rows(), layer.weights.cols(), 1e-3);
        if (bias) layer.bias += normal_matrix(random, layer.bias.size(), 1, 1e-3);
      }
      const PolishResult result = polish(teacher.problem, layers, options);
      EXPECT_EQ(result.before, network_loss(teacher.problem, layers));
      EXPECT_EQ(result.after, network_loss(teacher.problem, result.layers));
      EXPECT_LE(relative_residual(teacher.problem, result.layers), GetParam() > 0 ? 1e-12 : 1e-6);
      for (const Layer& layer : result.layers) EXPECT_TRUE(bias || layer.bias.isZero(0));
    }
  }
}

TEST_P(Refined, RidgeOptimumHasNoGradient) {
  Generator random(12);
  TeacherProblem teacher = teacher_problem(random, {3, 4, 1}, 80, OutputActivation::linear, Loss::squared, 0.1);
  teacher.problem.targets = normal_matrix(random, 1, 3) * teacher.problem.inputs + normal_matrix(random, 1, 80, 0.1);
  teacher.layers[0].bias.setConstant(20);  // far from all kinks, where optima are seldom smooth
  PolishOptions options;
  options.largest_dense = GetParam();
  options.max_iterations = 5000;
  const PolishResult result = polish(teacher.problem, teacher.layers, options);
  EXPECT_LT(result.after, result.before);
  NetworkErrors errors(teacher.problem);
  Vector gradient(errors.parameter_count());
  errors.loss(errors.pack(result.layers), gradient);
  EXPECT_LE(gradient.norm(), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Polish, Refined, ::testing::Values(5000000, 0));

TEST(Polish, GivenNetworkStaysWhereNothingIsBetter) {
  Generator random(13);
  const TeacherProblem teacher = teacher_problem(random, {2, 3, 1}, 4, OutputActivation::linear);
  const PolishResult result = polish(teacher.problem, teacher.layers);  // fewer equations than unknowns, and exact
  EXPECT_LE(result.after, result.before);
  if (result.after == result.before) {
    EXPECT_EQ(result.layers[0].weights, teacher.layers[0].weights);
  }
  std::vector<Layer> layers = teacher.layers;
  layers[0].weights.resize(2, 2);
  EXPECT_THROW(polish(teacher.problem, layers), std::invalid_argument);
}

TEST(Polish, StopsWhenAsked) {
  Generator random(14);
  const TeacherProblem teacher = teacher_problem(random, {3, 4, 1}, 50, OutputActivation::linear);
  std::vector<Layer> layers = teacher.layers;
  layers[0].weights *= 0.9;
  for (const Index dense : {Index{5000000}, Index{0}}) {
    PolishOptions options;
    options.largest_dense = dense;
    options.should_stop = [] { return true; };
    const PolishResult result = polish(teacher.problem, layers, options);
    EXPECT_TRUE(result.interrupted);
    EXPECT_LE(result.iterations, 1);
    EXPECT_LE(result.after, result.before);
  }
}

}  // namespace
}  // namespace relufit
