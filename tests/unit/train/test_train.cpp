// train() on raw data: scales and offsets, layers without biases, given output weights.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "relufit/teacher.h"
#include "relufit/train.h"
#include "support/named_data.h"

namespace relufit {
namespace {

using testing_data::dataset;

/// y = output' relu(weights u).
Dataset sum_of_units(const Matrix& weights, const Vector& output, Index samples, unsigned long long seed) {
  Random random(seed);
  const Matrix inputs = random.normal(weights.cols(), samples);
  return dataset(inputs, output.transpose() * (weights * inputs).cwiseMax(0.0));
}

TrainOptions fixed_options(const Vector& output) {
  TrainOptions options{.hidden = {output.size()}, .loss = Loss::exact};
  options.method = Method::fixed_output;
  options.bias = false;
  options.fixed_output = output.transpose();
  return options;
}

// ---- given output weights

TEST(TrainFixedOutput, TheRawModelHasTheGivenWeightsAndNoBias) {
  Vector output(10);
  output << 1, -1, 2, 0.5, 1, -0.3, 1, 1, -1, 1;
  Random random(5);
  const Matrix mixed = random.normal(10, 10);
  for (const auto& [input_scale, target_scale] : {std::pair(1.0, 1.0), std::pair(1e-3, 1e3), std::pair(1e3, 1e-3)}) {
    for (const bool ones : {true, false}) {
      const Vector weights = ones ? Vector(Vector::Ones(10)) : output;
      Dataset data = sum_of_units(ones ? Matrix::Identity(10, 10) : mixed, weights, 500, 3);
      data.inputs *= input_scale;
      data.targets *= target_scale;
      TrainOptions options = fixed_options(weights);
      options.starts = 5;
      const TrainResult result = train(data, options);
      SCOPED_TRACE(fmt::format("{} {}", input_scale, ones ? "ones" : "mixed"));
      EXPECT_EQ(result.status, SequenceStatus::converged);
      EXPECT_LE(result.evaluation.all.relative_residual, 1e-9);
      EXPECT_EQ(result.model.training.strategy, "fixed-output");
      const Network raw = result.model.folded();
      EXPECT_EQ(raw.layers()[1].weights, weights.transpose());
      for (const Layer& layer : raw.layers()) EXPECT_TRUE(layer.bias.isZero(0));
      const Matrix by_hand = weights.transpose() * (raw.layers()[0].weights * data.inputs).cwiseMax(0.0);
      EXPECT_LE((by_hand - data.targets).norm(), 1e-9 * data.targets.norm());
      if (!ones) continue;
      const Matrix fresh = input_scale * random.normal(10, 1000);
      const Matrix expected = fresh.cwiseMax(0.0).colwise().sum() * (target_scale / input_scale);
      EXPECT_LE((result.model.predict(fresh) - expected).norm(), 1e-7 * expected.norm());
    }
  }
}

TEST(TrainFixedOutput, WithBiasesInputsMayBeShifted) {
  Random random(8);
  const Matrix weights = random.normal(6, 6);
  Dataset data = sum_of_units(weights, Vector::Ones(6), 400, 9);
  data.inputs.array() += 20;
  TrainOptions options = fixed_options(Vector::Ones(6));
  options.bias = true;
  options.starts = 5;
  const TrainResult result = train(data, options);
  EXPECT_EQ(result.status, SequenceStatus::converged);
  EXPECT_LE(result.evaluation.all.relative_residual, 1e-9);
  const Network raw = result.model.folded();
  EXPECT_EQ(raw.layers()[1].weights, Matrix::Ones(1, 6));
  EXPECT_TRUE(raw.layers()[1].bias.isZero(0));
}

TEST(TrainFixedOutput, TheTraceTellsIterationsOnce) {
  const Dataset data = sum_of_units(Matrix::Identity(6, 6), Vector::Ones(6), 200, 4);
  const TrainResult result = train(data, fixed_options(Vector::Ones(6)));
  const auto& trace = result.starts[0].trace;
  ASSERT_FALSE(trace.empty());
  for (std::size_t i = 0; i < trace.size(); ++i) {
    EXPECT_GT(trace[i].iteration, i == 0 ? 0 : trace[i - 1].iteration);
  }
  EXPECT_EQ(trace.back().fit, result.starts[0].value);
}

template <class Change>
void expect_error(const std::string& message, TrainOptions options, const Dataset& data, Change&& change) {
  change(options);
  try {
    train(data, options);
    ADD_FAILURE() << "no error, expected: " << message;
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), message);
  }
}

TEST(TrainFixedOutput, WhatCannotBeCombinedIsRefused) {
  const Dataset data = sum_of_units(Matrix::Identity(3, 3), Vector::Ones(3), 45, 4);
  const TrainOptions options = fixed_options(Vector::Ones(3));
  expect_error("fixed_output: not with method 'search', expected 'auto' or 'fixed-output'", options, data,
               [](auto& o) { o.method = Method::search; });
  expect_error("method: 'fixed-output' needs fixed_output", options, data,
               [](auto& o) { o.fixed_output.resize(0, 0); });
  expect_error("method: 'fixed-output' needs the exact loss and a hidden layer", options, data,
               [](auto& o) { o.loss = Loss::squared; });
  expect_error("hidden: 2 hidden layers, given output weights expect 1", options, data, [](auto& o) {
    o.hidden = {3, 3};
  });
  expect_error("ridge: not with method 'fixed-output', an option of the relaxation", options, data,
               [](auto& o) { o.ridge = 0.5; });
  expect_error("init: not with method 'fixed-output', an option of the relaxation", options, data,
               [](auto& o) { o.init = ZeroStart{}; });
  expect_error("output_activation: 'relu', given output weights expect 'linear'", options, data,
               [](auto& o) { o.output_activation = OutputActivation::relu; });
  expect_error("fixed_output: 1 x 2, expected 1 x 3 (targets x units of the last hidden layer)", options, data,
               [](auto& o) { o.fixed_output = Matrix::Ones(1, 2); });
  expect_error("fixed_output: 0, expected finite numbers other than 0", options, data,
               [](auto& o) { o.fixed_output(0, 1) = 0; });
  expect_error("iterations: 0, expected at least 1", options, data, [](auto& o) { o.iterations = 0; });
  expect_error("tolerance: nan, expected a number > 0", options, data, [](auto& o) { o.tolerance = std::nan(""); });
  Dataset two = data;
  two.targets = data.targets.replicate(2, 1);
  two.target_names = {"y0", "y1"};
  expect_error("targets: 2, given output weights expect 1", options, two, [](auto&) {});
}

// ---- no biases

Dataset teacher_data(const std::vector<Index>& widths, OutputActivation output, Index samples, unsigned long long seed,
                     bool bias = true) {
  Teacher teacher = make_teacher(widths, output, samples, seed);
  if (!bias) {
    std::vector<Layer> layers = teacher.network.layers();
    for (Layer& layer : layers) layer.bias.setZero();
    teacher.targets = Network(layers, output).forward(teacher.inputs);
  }
  return dataset(teacher.inputs, teacher.targets);
}

TEST(TrainWithoutBias, NoOffsetSneaksIn) {
  Dataset data = teacher_data({3, 3, 2}, OutputActivation::linear, 60, 12, false);
  data.inputs.row(0).array() += 2;  // centering would help
  data.targets.array() += 1;
  for (const Method method : {Method::search, Method::relaxation}) {
    TrainOptions options{.hidden = {3}, .loss = Loss::exact};
    options.method = method;
    options.bias = false;
    options.iterations = method == Method::search ? 20 : 50;
    const TrainResult result = train(data, options);
    const Network raw = result.model.folded();
    for (const Layer& layer : raw.layers()) EXPECT_TRUE(layer.bias.isZero(0));
    EXPECT_TRUE(result.model.predict(Matrix::Zero(3, 1)).isZero(0));
    EXPECT_NEAR(result.evaluation.all.relative_residual, result.starts[0].value, 0.5 * result.starts[0].value);
  }
}

TEST(TrainWithoutBias, EveryMethodFits) {
  const Dataset data = teacher_data({3, 3, 2}, OutputActivation::linear, 60, 12, false);
  TrainOptions options{.hidden = {3}, .loss = Loss::exact};
  options.bias = false;
  TrainResult result = train(data, options);
  EXPECT_EQ(result.status, SequenceStatus::converged);
  EXPECT_LE(result.evaluation.all.relative_residual, 1e-9);
  options.method = Method::relaxation;
  result = train(data, options);
  EXPECT_LE(result.evaluation.all.relative_residual, 0.1);
  EXPECT_LE(result.starts[0].violations.affine, 1e-12);

  // Started at an exact network without biases the relaxation stays there.
  Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::linear, 60, 12);
  std::vector<Layer> layers = teacher.network.layers();
  for (Layer& layer : layers) layer.bias.setZero();
  options.strategy = Strategy::converged;
  options.polish = false;
  options.init =
      Model{Network(layers, OutputActivation::linear), Scaling::identity(3), Scaling::identity(2), {}, {}, {}};
  result = train(data, options);
  EXPECT_EQ(result.status, SequenceStatus::converged);
  EXPECT_LE(result.evaluation.all.relative_residual, 1e-7);
}

// ---- scales

struct Kind {
  const char* name;
  Dataset data;
  TrainOptions options;
};

/// Problems of an exactly fitting network: ReLU outputs, linear outputs, given output weights without biases.
std::vector<Kind> kinds() {
  std::vector<Kind> list;
  for (const unsigned long long seed : {21ULL, 22ULL}) {
    list.push_back({"3-3-2 relu", teacher_data({3, 3, 2}, OutputActivation::relu, 30, seed),
                    TrainOptions{.hidden = {3}, .loss = Loss::exact}});
    list.back().options.output_activation = OutputActivation::relu;
    list.push_back({"3-3-2", teacher_data({3, 3, 2}, OutputActivation::linear, 30, seed),
                    TrainOptions{.hidden = {3}, .loss = Loss::exact}});
  }
  list.push_back({"sum of 10", sum_of_units(Matrix::Identity(10, 10), Vector::Ones(10), 500, 23),
                  fixed_options(Vector::Ones(10))});
  return list;
}

TEST(TrainScales, SuccessDoesNotDependOnUnits) {
  for (const Kind& kind : kinds()) {
    for (const double input_scale : {1e-3, 1.0, 1e3}) {
      for (const double target_scale : {1e-3, 1.0, 1e3}) {
        for (const double shift : {0.0, 3.0}) {
          if (shift != 0 && !kind.options.bias) continue;
          SCOPED_TRACE(
              fmt::format("{}, inputs by {}, targets by {}, shift {}", kind.name, input_scale, target_scale, shift));
          Dataset data = kind.data;
          data.inputs = input_scale * (data.inputs.array() + shift);
          data.targets *= target_scale;
          if (kind.options.output_activation == OutputActivation::linear) data.targets.array() += shift * target_scale;
          const TrainResult result = train(data, kind.options);
          EXPECT_EQ(result.status, SequenceStatus::converged);
          EXPECT_LE(result.evaluation.all.relative_residual, 1e-9);
        }
      }
    }
  }
}

// Powers of two round nothing: the very same network of scaled data, for all methods.
TEST(TrainScales, PowersOfTwoChangeNothing) {
  std::vector<Kind> list = kinds();
  for (const bool bias : {true, false}) {
    list.push_back(
        {"relaxation", teacher_data({3, 3, 2}, OutputActivation::linear, 30, 24), TrainOptions{.hidden = {3}}});
    list.back().options.iterations = 20;
    list.back().options.bias = bias;
  }
  for (const Kind& kind : list) {
    SCOPED_TRACE(kind.name);
    const TrainResult expected = train(kind.data, kind.options);
    Dataset data = kind.data;
    data.inputs *= 0x1p-10;
    data.targets *= 0x1p10;
    const TrainResult result = train(data, kind.options);
    EXPECT_EQ(result.status, expected.status);
    for (std::size_t l = 0; l < 2; ++l) {
      const double scale = kind.options.method == Method::fixed_output && l == 0 ? 0x1p10 : 1;
      EXPECT_EQ(result.model.network.layers()[l].weights, scale * expected.model.network.layers()[l].weights);
      EXPECT_EQ(result.model.network.layers()[l].bias, scale * expected.model.network.layers()[l].bias);
    }
  }
}

// ---- threads

TEST(Train, ErrorsOfAStartReachTheCaller) {
  const Dataset data = teacher_data({3, 3, 2}, OutputActivation::linear, 60, 12);
  TrainOptions options{.hidden = {3}};
  options.starts = 4;
  options.threads = 2;
  options.record_interval = 0;
  EXPECT_THROW(train(data, options), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
