// Certificates against optima that are known, and against networks of many widths.
#include <gtest/gtest.h>

#include <string>

#include "certificate/dual_point.h"
#include "relufit/certificate.h"
#include "relufit/fit.h"
#include "relufit/train.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;

Model model_of(std::vector<Layer> layers, double ridge, bool skip_connections = false) {
  Model model;
  model.network = Network(std::move(layers), OutputActivation::linear, Activation::relu, skip_connections);
  model.input_scaling = Scaling::identity(model.network.input_size());
  model.target_scaling = Scaling::identity(model.network.output_size());
  model.training.loss = "squared";
  model.training.ridge = ridge;
  return model;
}

Dataset data_of(const Matrix& inputs, const Matrix& targets) {
  Dataset data{inputs, targets, {}, {}};
  for (Index i = 0; i < inputs.rows(); ++i) data.input_names.push_back("x" + std::to_string(i));
  for (Index i = 0; i < targets.rows(); ++i) data.target_names.push_back("y" + std::to_string(i));
  return data;
}

Dataset noisy_data(Generator& random, Index inputs, Index samples, Index outputs, bool weighted) {
  const Network teacher(random_layers(random, {inputs, 3, outputs}, 1, 0.5), OutputActivation::linear);
  const Matrix points = normal_matrix(random, inputs, samples);
  Dataset data = data_of(points, teacher.forward(points) + normal_matrix(random, outputs, samples, 0.3));
  if (weighted) {
    data.sample_weights = normal_matrix(random, samples, 1).cwiseAbs();
    data.sample_weights(1) = 0;
  }
  return data;
}

// One sample, one input: 1/2 (a - 1)^2 + ridge a with a = w v is least at a = 1 - ridge.
TEST(Certificate, IsTightAtAKnownOptimum) {
  constexpr double kRidge = 0.3;
  const double root = std::sqrt(1 - kRidge);
  const Layer hidden{Matrix::Constant(1, 1, root), Vector::Zero(1)};
  const Dataset data = data_of(Matrix::Ones(1, 1), Matrix::Ones(1, 1));
  const Certificate certificate = certify(model_of({hidden, hidden}, kRidge), data);
  EXPECT_EQ(certificate.status, CertificateStatus::complete);
  EXPECT_NEAR(certificate.objective, kRidge - kRidge * kRidge / 2, 1e-14);
  EXPECT_LE(certificate.lower_bound, certificate.objective);
  EXPECT_LE(certificate.gap, 1e-10);
}

// Targets 1 and -1 at inputs 1 and -1 have the bias but no use for it: with a = sum of |w_i v_i| on either side the
// objective is (a - 1)^2 + 2 ridge a.
TEST(Certificate, IsTightWithBiases) {
  constexpr double kRidge = 0.1;  // per target value: 0.2
  const double root = std::sqrt(1 - 2 * kRidge);
  const Layer hidden{(Matrix(1, 1) << root).finished(), Vector::Constant(1, root)};
  const Layer output{Matrix::Constant(1, 1, root), Vector::Constant(1, -(1 - 2 * kRidge))};
  const Dataset data = data_of((Matrix(1, 2) << 1, -1).finished(), (Matrix(1, 2) << 1, -1).finished());
  const Certificate certificate = certify(model_of({hidden, output}, kRidge), data);
  // One unit with its kink at -1 rises by 2 a between the samples and costs 2 kRidge a.
  const double slope = 1 - 2 * kRidge / 2;
  const double best = (slope - 1) * (slope - 1) + 2 * kRidge * slope;
  EXPECT_LE(certificate.lower_bound, best * (1 + 1e-12));
  CertifyOptions options;
  options.tighten = 60;
  options.accuracy = 1e-6;
  const Certificate tightened = certify(model_of({hidden, output}, kRidge), data, options);
  EXPECT_NEAR(tightened.objective, best, 1e-9);
  EXPECT_NEAR(tightened.lower_bound, best, 1e-5);
}

TEST(Certificate, IsBelowNetworksOfEveryWidth) {
  Generator random(11);
  for (int repeat = 0; repeat < 6; ++repeat) {
    const Dataset data = noisy_data(random, 1 + repeat % 3, 25, 1 + repeat % 2, repeat % 2 == 1);
    TrainOptions training;
    training.ridge = repeat < 3 ? 0.03 : 0.01;
    training.hidden = {2};
    training.bias = repeat != 4;
    training.skip_connections = repeat == 5;
    const Model narrow = train(data, training).model;
    EXPECT_EQ(narrow.training.ridge, training.ridge);
    CertifyOptions options;
    const Certificate plain = certify(narrow, data, options);
    options.tighten = 60;  // ends long before
    const Certificate tight = certify(narrow, data, options);
    EXPECT_LE(tight.objective, plain.objective);
    EXPECT_LE(tight.gap, 0.05) << repeat;
    const double bound = std::max(plain.lower_bound, tight.lower_bound);
    for (const Index width : {1, 3, 6, 12, 30}) {
      training.hidden = {width};
      const Certificate wide = certify(train(data, training).model, data, CertifyOptions{.time_limit = 1e-9});
      EXPECT_GE(wide.objective, bound) << repeat << ' ' << width;
    }
  }
}

TEST(DualPoint, HasRowsThatSumToExactlyNothing) {
  Generator random(2);
  for (const Index samples : {2, 7, 1000}) {
    LiftedProblem problem;
    problem.inputs = normal_matrix(random, 2, samples);
    problem.inputs.col(1) = problem.inputs.col(0);
    problem.targets = normal_matrix(random, 2, samples, 1e3);
    problem.network.widths = {2, 3, 2};
    problem.loss = Loss::squared;
    problem.ridge = 0.1;
    const DualPoint point = dual_point(problem, random_layers(random, problem.network.widths));
    EXPECT_EQ(point.unit.samples(), samples - 1);
    for (Index row = 0; row < 2; ++row) {
      double sum = 0;
      for (const double value : point.unit.dual.row(row)) sum += value;
      EXPECT_EQ(sum, 0);
    }
  }
}

TEST(DualPoint, KeepsProbabilitiesOfTheLogisticLoss) {
  Generator random(9);
  for (const Index samples : {3, 50, 1001}) {
    LiftedProblem problem;
    problem.inputs = normal_matrix(random, 2, samples);
    problem.targets = normal_matrix(random, 1, samples).unaryExpr([](double v) { return v > 0 ? 1.0 : 0.0; });
    problem.targets(0, 0) = 0.3;
    problem.network.widths = {2, 3, 1};
    problem.loss = Loss::logistic;
    problem.ridge = 0.1;
    problem.sample_weights = normal_matrix(random, samples, 1).cwiseAbs();
    problem.sample_weights(1) = 0;
    // Scores up to some thousands, so that many probabilities are 0 or 1 to rounding.
    const DualPoint point = dual_point(problem, random_layers(random, problem.network.widths, 20, 10));
    EXPECT_EQ(point.unit.dual.sum(), 0);
    for (const double t : {0.0, 0.5, 1.0}) EXPECT_TRUE(std::isfinite(point.value.at(t)));
    const Matrix turned = point.axes.transpose() * problem.inputs;
    for (Index i = 0; i < samples; ++i) {
      Index j = 0;
      (point.unit.points.topRows(2).colwise() - turned.col(i)).colwise().norm().minCoeff(&j);
      const double r = point.unit.dual(0, j), weight = problem.sample_weights(i), y = problem.targets(0, i);
      EXPECT_LE(r, weight * y * (1 + 1e-15));
      EXPECT_GE(r, weight * (y - 1) * (1 + 1e-15));
    }
  }
}

TEST(Certificate, RefusesWhatTheBoundIsNotFor) {
  Generator random(4);
  const Dataset data = data_of(normal_matrix(random, 2, 9), normal_matrix(random, 1, 9));
  const auto message = [&](const Model& model, const CertifyOptions& options = {}) -> std::string {
    try {
      certify(model, data, options);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "none";
  };
  const Model good = model_of(random_layers(random, {2, 3, 1}), 0.1);
  EXPECT_EQ(message(good), "none");
  EXPECT_EQ(message(model_of(random_layers(random, {2, 3, 3, 1}), 0.1)),
            "model: 2 hidden layers, expected 1: the bound is for these");
  Model other = good;
  other.training.loss = "huber";
  EXPECT_EQ(message(other), "model: loss huber, expected squared or logistic");
  other = good;
  other.training.ridge.reset();
  EXPECT_EQ(message(other), "ridge: not recorded in the model, expected it to be given");
  EXPECT_EQ(message(other, CertifyOptions{.ridge = 0.0}),
            "ridge: 0, expected a number > 0: without ridge there is no bound");
  EXPECT_EQ(message(good, CertifyOptions{.accuracy = 0}), "accuracy: 0, expected a number > 0");
  other.network = Network(random_layers(random, {2, 3, 1}), OutputActivation::linear, Activation::absolute);
  EXPECT_EQ(message(other), "model: activation absolute, expected relu");
  EXPECT_EQ(message(model_of(random_layers(random, {3, 3, 1}), 0.1)), "inputs: 2 columns, expected 3");
}

}  // namespace
}  // namespace relufit
