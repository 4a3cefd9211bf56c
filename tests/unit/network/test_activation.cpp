// Activations: values and slopes by definition, their lift, the copies of their units, the affine step, and training.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "problem/network_errors.h"
#include "relufit/sequence.h"
#include "relufit/train.h"
#include "subproblem/affine/affine_step.h"
#include "subproblem/copies/unit_copies.h"
#include "support/affine_image.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_parameters;
using testing_random::uniform;

const Activation kAll[] = {Activation::relu,     Activation::leaky_relu(0.2),   Activation::leaky_relu(-0.5),
                           Activation::absolute, Activation::clipped_relu(1.3), Activation::hard_tanh};

class EveryActivation : public ::testing::TestWithParam<Activation> {
 protected:
  LiftedProblem problem(Generator& random, const std::vector<Index>& widths, Index samples, Loss loss = Loss::exact,
                        double ridge = 0) const {
    LiftedProblem result;
    result.network.widths = widths;
    result.network.activation = GetParam();
    result.loss = loss;
    result.ridge = ridge;
    result.inputs = normal_matrix(random, widths.front(), samples);
    result.targets = normal_matrix(random, widths.back(), samples);
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(Activation, EveryActivation, ::testing::ValuesIn(kAll), [](const auto& instance) {
  return std::string("Number").append(std::to_string(instance.index));
});

TEST(Activation, ValuesAreTheirDefinitions) {
  const double c = 0.3;
  for (const double z : {-2.5, -1.0, -0.2, 0.0, 0.1, 0.3, 0.7, 1.0, 4.0}) {
    EXPECT_EQ(value(Activation::relu, z), std::max(z, 0.0));
    EXPECT_EQ(value(Activation::leaky_relu(c), z), std::max(z, 0.0) + c * std::min(z, 0.0));
    EXPECT_EQ(value(Activation::absolute, z), std::abs(z));
    EXPECT_EQ(value(Activation::clipped_relu(c), z), std::min(std::max(z, 0.0), c));
    EXPECT_EQ(value(Activation::hard_tanh, z), std::min(std::max(z, -1.0), 1.0));
  }
}

TEST(Activation, NamesAndParametersAreChecked) {
  for (const Activation& activation : kAll) {
    const auto parameter = has_parameter(activation) ? std::optional(activation.parameter) : std::nullopt;
    EXPECT_EQ(activation_from(to_string(activation), parameter), activation);
  }
  EXPECT_EQ(activation_from("leaky-relu"), Activation::leaky_relu(0.01));
  EXPECT_EQ(activation_from("clipped-relu"), Activation::clipped_relu(1));
  EXPECT_THROW(activation_from("tanh"), std::invalid_argument);
  EXPECT_THROW(activation_from("relu", 0.1), std::invalid_argument);
  for (const double slope : {-1.0, 1.0, 2.0, std::nan("")}) {
    EXPECT_THROW(activation_from("leaky-relu", slope), std::invalid_argument) << slope;
  }
  for (const double ceiling : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(activation_from("clipped-relu", ceiling), std::invalid_argument) << ceiling;
  }
}

TEST_P(EveryActivation, LiftIsItsDefinition) {
  const ActivationLift lift = lift_of(GetParam());
  for (double z = -3; z <= 3; z += 0.01) {
    double sum = lift.offset;
    for (const ActivationPiece& piece : lift.pieces) {
      sum += piece.above * std::max(z - piece.threshold, 0.0) + piece.below * std::max(piece.threshold - z, 0.0);
    }
    EXPECT_NEAR(sum, value(GetParam(), z), 1e-14) << z;
  }
}

TEST_P(EveryActivation, SlopesAndPropertiesHoldEverywhere) {
  const Activation& a = GetParam();
  bool increasing = true, convex = true, homogeneous = true;
  for (double z = -2.995; z <= 3; z += 0.01) {  // beside the thresholds
    const double difference = (value(a, z + 1e-6) - value(a, z - 1e-6)) / 2e-6;
    EXPECT_NEAR(slope(a, z), difference, 1e-9) << z;
    increasing = increasing && difference > -1e-9;
    convex = convex && value(a, z) <= 0.5 * (value(a, z - 0.5) + value(a, z + 0.5)) + 1e-12;
    homogeneous = homogeneous && std::abs(value(a, 3 * z) - 3 * value(a, z)) < 1e-12;
    EXPECT_LE(std::abs(difference), 1 + 1e-9) << "the proof of Lipschitz bounds supposes so";
  }
  EXPECT_EQ(increasing, is_increasing(a));
  EXPECT_EQ(convex, is_convex(a));
  EXPECT_EQ(homogeneous, is_homogeneous(a));
  EXPECT_TRUE(std::isnan(value(a, std::nan(""))));
}

TEST_P(EveryActivation, LiftedNetworkSatisfiesEverything) {
  Generator random(1);
  LiftedProblem lifted = problem(random, {3, 4, 5, 2}, 11);
  const std::vector<Layer> layers = random_layers(random, lifted.network.widths, 1.0, 0.5);
  const LiftedPoint point = lift_network(lifted, layers);
  lifted.targets = Network(layers, OutputActivation::linear, GetParam()).forward(lifted.inputs);
  const Violations violation = violations(lifted, point);
  EXPECT_LE(violation.affine, 1e-14);
  EXPECT_LE(violation.sign, 0);
  EXPECT_LE(violation.output, 1e-13);
  EXPECT_EQ(violation.pair, 0);
  EXPECT_LE(violation.product, 1e-13);
}

TEST(Activation, PiecesThatDisagreeAreAViolation) {
  Generator random(2);
  LiftedProblem problem;
  problem.network.widths = {2, 3, 1};
  problem.network.activation = Activation::hard_tanh;
  problem.inputs = normal_matrix(random, 2, 5);
  problem.targets = Matrix::Zero(1, 5);
  LiftedPoint point = lift_network(problem, random_layers(random, problem.network.widths));
  ASSERT_EQ(point.active[0].rows(), 6) << "two pieces for each unit";
  point.active[0](4, 2) += 0.25;  // the second piece of unit 1
  EXPECT_NEAR(violations(problem, point).affine, 0.25, 1e-14);
}

TEST_P(EveryActivation, DerivativesAreThoseOfFiniteDifferences) {
  Generator random(3);
  const LiftedProblem lifted = problem(random, {3, 4, 3, 2}, 9, Loss::squared, 0.1);
  NetworkErrors errors(lifted);
  const Vector parameters = errors.pack(random_layers(random, lifted.network.widths, 0.8, 0.4));
  Vector gradient(parameters.size()), unused(parameters.size()), values;
  Matrix jacobian;
  errors.loss(parameters, gradient);
  errors.jacobian(parameters, jacobian);
  errors.values(parameters, values);
  EXPECT_TRUE(gradient.isApprox(jacobian.transpose() * values, 1e-12));
  for (Index i = 0; i < parameters.size(); ++i) {
    const Vector step = 1e-6 * Vector::Unit(parameters.size(), i);
    const double difference = errors.loss(parameters + step, unused) - errors.loss(parameters - step, unused);
    EXPECT_NEAR(gradient(i), difference / 2e-6, 1e-6) << "parameter " << i;
  }
}

/// 1/2 (u - u~)' (2 I - v v') (u - u~), for one unit.
double pair_penalty(const Activation& activation, const Vector& u, const Vector& target) {
  const ActivationLift lift = lift_of(activation);
  const auto pieces = static_cast<Index>(lift.pieces.size());
  Vector v(2 * pieces);
  for (Index p = 0; p < pieces; ++p) {
    v(p) = lift.pieces[static_cast<std::size_t>(p)].above;
    v(pieces + p) = lift.pieces[static_cast<std::size_t>(p)].below;
  }
  v.normalize();
  const Vector gap = u - target;
  return gap.squaredNorm() - 0.5 * std::pow(v.dot(gap), 2);
}

TEST_P(EveryActivation, CopiesOfAUnitMergeIntoSeparatePairs) {
  Generator random(4);
  const UnitCopies units(GetParam());
  const ActivationLift lift = lift_of(GetParam());
  const auto pieces = static_cast<Index>(lift.pieces.size());
  const Matrix h = normal_matrix(random, pieces, 1), s = normal_matrix(random, pieces, 1);
  const Matrix b = normal_matrix(random, 1, 1);
  Matrix merged_h(pieces, 1), merged_s(pieces, 1);
  units.merge(h, s, Matrix(), b, merged_h, merged_s);
  Vector target(2 * pieces), merged(2 * pieces);
  target << h, s;
  merged << merged_h, merged_s;
  const auto difference = [&](const Vector& u) {  // constant in u
    Matrix value(1, 1);
    units.evaluate(Matrix(u.head(pieces)), Matrix(u.tail(pieces)), Matrix(), value);
    const double of_value = 0.5 * units.value_penalty() * std::pow(value(0) - b(0), 2);
    return pair_penalty(GetParam(), u, target) + of_value - (u - merged).squaredNorm();
  };
  const double constant = difference(merged);
  for (int i = 0; i < 10; ++i) EXPECT_NEAR(difference(normal_matrix(random, 2 * pieces, 1)), constant, 1e-12);
}

TEST_P(EveryActivation, PairsFollowTheArgumentAtLeastPenalty) {
  Generator random(5);
  const UnitCopies units(GetParam());
  const ActivationLift lift = lift_of(GetParam());
  const auto pieces = static_cast<Index>(lift.pieces.size());
  const Matrix h = normal_matrix(random, pieces, 1), s = normal_matrix(random, pieces, 1);
  Vector target(2 * pieces);
  target << h, s;
  Matrix preferred = Matrix::Zero(1, 1);
  units.add_arguments(h, s, Matrix(), 1, preferred);
  const auto penalty_at = [&](double z, const Vector& along) {
    Matrix new_h(pieces, 1), new_s(pieces, 1);
    Matrix none;
    units.follow(h, s, Matrix::Constant(1, 1, z), new_h, new_s, none);
    for (Index p = 0; p < pieces; ++p) {
      EXPECT_NEAR(lift.pieces[static_cast<std::size_t>(p)].threshold + new_h(p) - new_s(p), z, 1e-13);
    }
    Vector u(2 * pieces);
    u << new_h + along, new_s + along;  // the same argument
    return pair_penalty(GetParam(), u, target);
  };
  const Vector none = Vector::Zero(pieces);
  const double least = penalty_at(preferred(0), none);
  for (const double z : {-1.0, 0.4, 2.0}) {
    const double best = penalty_at(z, none);
    EXPECT_NEAR(best - least, 0.5 * units.argument_penalty() * std::pow(z - preferred(0), 2), 1e-12);
    for (int i = 0; i < 10; ++i) EXPECT_GT(penalty_at(z, normal_matrix(random, pieces, 1)), best);
  }
}

/// f(x) + sum over copies of rho/2 ||A x - target||^2 for activations whose first layer's H is not shared; x is an
/// image with its layers.
double step_objective(const LiftedProblem& problem, const RelaxationParameters& parameters, const Penalties& rho,
                      const Copies& target, const std::vector<Layer>& layers, const Copies& x) {
  const UnitCopies units(problem.network.activation);
  const double threshold = lift_of(problem.network.activation).pieces.front().threshold;
  double sum = 0.5 * (x.output() - problem.targets).squaredNorm();
  for (const Layer& layer : layers) sum += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (std::size_t l = 0; l < x.hidden_layers(); ++l) {
    const Index rows = problem.network.widths[l + 1], pieces = x.active[l].rows() / rows;
    for (Index j = 0; j < problem.samples(); ++j) {
      for (Index i = 0; i < rows; ++i) {
        Vector u(2 * pieces), goal(2 * pieces);
        for (Index p = 0; p < pieces; ++p) {
          u(p) = x.active[l](p * rows + i, j);
          u(pieces + p) = x.slack[l](p * rows + i, j);
          goal(p) = target.active[l](p * rows + i, j);
          goal(pieces + p) = target.slack[l](p * rows + i, j);
        }
        sum += rho.pair * pair_penalty(problem.network.activation, u, goal);
      }
    }
    sum += 0.5 * rho.pair * units.value_penalty() * (x.values[l] - target.values[l]).squaredNorm();
    const ProductParameters& product = parameters.product[l];
    Matrix affine = x.output();
    if (l + 1 < x.hidden_layers()) {
      const Index next = problem.network.widths[l + 2];
      affine = (x.active[l + 1].topRows(next) - x.slack[l + 1].topRows(next)).array() + threshold;
    }
    const Matrix block = rank_block(layers[l + 1].weights, x.values[l], affine.colwise() - layers[l + 1].bias,
                                    Matrix::Identity(rows, rows), product.x, product.y, product.left(),
                                    product.right(problem.samples()));
    sum += 0.5 * rho.product * (block.leftCols(problem.samples()) - target.block_left[l]).squaredNorm();
    sum += 0.5 * rho.product * (block.rightCols(rows) - target.block_right[l]).squaredNorm();
  }
  return sum;
}

TEST_P(EveryActivation, AffineStepIsOptimal) {
  if (GetParam() == Activation::relu) GTEST_SKIP() << "test_affine_step.cpp";
  Generator random(6);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 4, 2}, std::vector<Index>{2, 3, 4, 2}}) {
    const LiftedProblem lifted = problem(random, widths, 300, Loss::squared, 0.3);
    const RelaxationParameters parameters = random_parameters(random, lifted);
    const Penalties rho{uniform(random, 0.3, 3), uniform(random, 0.3, 3), uniform(random, 0.3, 3)};
    const Chunks chunks(lifted.samples());
    Copies target(lifted), image(lifted);
    target.data() = normal_matrix(random, target.data().size(), 1);
    const auto step = make_structured_affine_step(lifted, chunks, 1);
    testing_affine::prepare(*step, chunks, parameters, rho);
    testing_affine::solve(*step, lifted, chunks, target, image);
    const std::vector<Layer>& layers = step->layers();

    const Matrix z = (layers[0].weights * lifted.inputs).colwise() + layers[0].bias;
    const auto pieces = lift_of(GetParam()).pieces;
    const double best = step_objective(lifted, parameters, rho, target, layers, image);
    const auto moved = [&](const std::vector<Layer>& direction, const Copies& by, double size) {
      std::vector<Layer> new_layers = layers;
      for (std::size_t l = 0; l < layers.size(); ++l) {
        new_layers[l].weights += size * direction[l].weights;
        new_layers[l].bias += size * direction[l].bias;
      }
      Copies x(lifted);
      x.data() = image.data() + size * by.data();
      return step_objective(lifted, parameters, rho, target, new_layers, x);
    };
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const Matrix own = image.active[0].middleRows(static_cast<Index>(p) * z.rows(), z.rows()) -
                         image.slack[0].middleRows(static_cast<Index>(p) * z.rows(), z.rows());
      EXPECT_LE(((own - z).array() + pieces[p].threshold).abs().maxCoeff(), 1e-11);
    }
    for (int trial = 0; trial < 20; ++trial) {
      const std::vector<Layer> direction = random_layers(random, widths, 1.0, 1.0);
      Copies by(lifted);
      by.output() = normal_matrix(random, widths.back(), lifted.samples());
      for (std::size_t l = 0; l < by.hidden_layers(); ++l) {
        by.values[l] = normal_matrix(random, widths[l + 1], lifted.samples());
        by.slack[l] = normal_matrix(random, by.slack[l].rows(), lifted.samples());
        const Matrix argument = l == 0 ? Matrix((direction[0].weights * lifted.inputs).colwise() + direction[0].bias)
                                       : normal_matrix(random, widths[l + 1], lifted.samples());
        by.active[l] = by.slack[l] + argument.replicate(static_cast<Index>(pieces.size()), 1);
      }
      const double up = moved(direction, by, 1), down = moved(direction, by, -1);
      EXPECT_LE(std::abs(up - down), 1e-10 * (up + down));
      EXPECT_GT(std::min(up, down), best);
    }
  }
}

TEST_P(EveryActivation, SubproblemAtTheTruthIsSolvedByIt) {
  Generator random(7);
  LiftedProblem lifted = problem(random, {3, 3, 3, 2}, 20);
  const std::vector<Layer> layers = random_layers(random, lifted.network.widths, 0.7, 0.3);
  const LiftedPoint truth = lift_network(lifted, layers);
  lifted.targets = truth.output;
  SubproblemSolver solver(lifted, {});
  solver.set_parameters(parameters_at(truth));
  SubproblemOptions options;
  options.tolerance = 1e-10;
  const SubproblemResult result = solver.solve(options);
  EXPECT_EQ(result.status, SubproblemStatus::converged);
  EXPECT_NEAR(relaxation_objective(lifted, parameters_at(truth), {}, solver.point()), 0, 1e-6);
  const Violations violation = violations(lifted, solver.point());
  EXPECT_LE(std::max({violation.affine, violation.pair, violation.product, violation.output}), 1e-5);
}

/// By the search and by the relaxation.
TEST_P(EveryActivation, TrainsToExactFitsOfItsTeachers) {
  Generator random(8);
  Dataset data;
  data.inputs = normal_matrix(random, 2, 60);
  data.targets =
      Network(random_layers(random, {2, 3, 1}, 1.0, 0.5), OutputActivation::linear, GetParam()).forward(data.inputs);
  data.input_names = {"a", "b"};
  data.target_names = {"y"};
  TrainOptions options{.hidden = {3}, .activation = GetParam(), .loss = Loss::exact};
  options.starts = 40;
  for (const Method method : {Method::search, Method::relaxation}) {
    options.method = method;
    if (method == Method::relaxation) options.iterations = 20;
    const TrainResult result = train(data, options);
    EXPECT_EQ(result.model.network.activation(), GetParam());
    EXPECT_EQ(result.status, SequenceStatus::converged) << to_string(method);
    EXPECT_LE(result.evaluation.all.relative_residual, 1e-9) << to_string(method);
  }
}

TEST(Activation, ThreadsDoNotChangeTheResult) {
  Generator random(9);
  LiftedProblem problem;
  problem.network.widths = {3, 4, 3, 1};
  problem.network.activation = Activation::hard_tanh;
  problem.loss = Loss::squared;
  problem.inputs = normal_matrix(random, 3, 1000);
  problem.targets = normal_matrix(random, 1, 1000);
  const RelaxationParameters start = random_parameters(random, problem);
  std::vector<Layer> first;
  for (const int threads : {1, 3}) {
    SubproblemSolver solver(problem, {}, {}, threads);
    solver.set_parameters(start);
    SubproblemOptions options;
    options.max_iterations = 30;
    solver.solve(options);
    const std::vector<Layer> layers = solver.network();
    if (first.empty()) first = layers;
    for (std::size_t l = 0; l < layers.size(); ++l) EXPECT_EQ(layers[l].weights, first[l].weights);
  }
}

}  // namespace
}  // namespace relufit
