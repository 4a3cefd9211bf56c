// Weights on a grid: exact multiples, a fit no worse than plain rounding, bounds kept.
#include <gtest/gtest.h>

#include <cmath>

#include "relufit/teacher.h"
#include "relufit/weight_grid.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

/// A teacher on data of its own, its targets in other units.
struct Setting {
  Model model;
  Dataset data;
};

Setting teacher_setting(unsigned seed, OutputActivation output = OutputActivation::linear) {
  const Teacher teacher = make_teacher({3, 5, 2}, output, 60, seed);
  Setting setting;
  setting.model.network = teacher.network;
  setting.model.input_names = {"a", "b", "c"};
  setting.model.target_names = {"y", "z"};
  setting.model.input_scaling = Scaling::identity(3);
  setting.model.target_scaling = {Vector::Zero(2), Vector(2)};
  setting.model.target_scaling.scale << 4, 0.5;
  const Matrix targets = setting.model.target_scaling.scale.asDiagonal() * teacher.targets;
  setting.data = {teacher.inputs, targets, setting.model.input_names, setting.model.target_names};
  return setting;
}

bool on_grid(const Matrix& values, double step) {
  return ((values / step).array() == (values / step).array().round()).all();
}

/// Mean half squared error in units of the target scales, by plain evaluation.
double mean_loss(const Model& model, const Setting& setting) {
  const Matrix errors = model.predict(setting.data.inputs) - setting.data.targets;
  const auto units = setting.model.target_scaling.scale.cwiseInverse().asDiagonal();
  return 0.5 * (units * errors).squaredNorm() / static_cast<double>(setting.data.samples());
}

class Grid : public ::testing::TestWithParam<OutputActivation> {};

TEST_P(Grid, WeightsAreMultiplesAndTheRepairPays) {
  double rounded = 0;
  double repaired = 0;
  for (unsigned seed = 0; seed < 6; ++seed) {
    const Setting setting = teacher_setting(seed, GetParam());
    constexpr double kStep = 1.0 / 32;
    const WeightGridResult result = round_to_grid(setting.model, setting.data, Loss::squared, kStep);
    for (const Layer& layer : result.model.network.layers()) {
      EXPECT_TRUE(on_grid(layer.weights, kStep));
      EXPECT_TRUE(on_grid(layer.bias, kStep));
    }
    EXPECT_EQ(result.model.target_scaling.scale, Vector::Ones(2));
    EXPECT_NEAR(result.report.repaired, mean_loss(result.model, setting), 1e-12);
    EXPECT_LE(result.report.before, 1e-20);  // the teacher itself
    EXPECT_LE(result.report.repaired, result.report.rounded);
    rounded += result.report.rounded;
    repaired += result.report.repaired;
  }
  EXPECT_LT(repaired, 0.5 * rounded);
}

INSTANTIATE_TEST_SUITE_P(WeightGrid, Grid, ::testing::Values(OutputActivation::linear, OutputActivation::relu));

TEST(WeightGrid, NoSingleStepIsBetter) {
  const Setting setting = teacher_setting(11);
  constexpr double kStep = 1.0 / 8;
  const WeightGridResult result = round_to_grid(setting.model, setting.data, Loss::squared, kStep);
  const double least = mean_loss(result.model, setting);
  std::vector<Layer> layers = result.model.network.layers();
  for (Layer& layer : layers) {
    for (double& weight : layer.weights.reshaped()) {
      for (const double change : {kStep, -kStep}) {
        const double value = weight;
        weight += change;
        Model other = result.model;
        other.network = Network(layers, OutputActivation::linear);
        EXPECT_GE(mean_loss(other, setting), least * (1 - 1e-12));
        weight = value;
      }
    }
  }
}

TEST(WeightGrid, KeepsBoundsAndZeros) {
  const Setting setting = teacher_setting(2);
  Constraints constraints;
  constraints.weights = {{1, {}, {}, -0.3, 0.3}, {1, 2, 1, 0, 0}, {2, {}, {}, -1.0625, 1.0625}};
  constraints.monotone = {{"b", "y", true}};
  constexpr double kStep = 1.0 / 16;
  const WeightGridResult result = round_to_grid(setting.model, setting.data, Loss::squared, kStep, constraints);
  const std::vector<Layer>& layers = result.model.network.layers();
  EXPECT_LE(layers[0].weights.cwiseAbs().maxCoeff(), 0.3);
  EXPECT_EQ(layers[0].weights(1, 0), 0);
  EXPECT_LE(layers[1].weights.cwiseAbs().maxCoeff(), 1.0625);
  for (const ConstraintCheck& check : check_constraints(constraints, result.model)) EXPECT_GE(check.slack, 0);
  EXPECT_TRUE(on_grid(layers[1].weights, kStep));
}

TEST(WeightGrid, OtherLosses) {
  const Setting setting = teacher_setting(3);
  for (const Loss& loss : {Loss::absolute, Loss::huber(0.1), Loss::quantile(0.3)}) {
    const WeightGridResult result = round_to_grid(setting.model, setting.data, loss, 1.0 / 16);
    EXPECT_LT(result.report.repaired, result.report.rounded) << to_string(loss);
  }
}

TEST(WeightGrid, RefusesWhatCannotBe) {
  const Setting setting = teacher_setting(4);
  for (const double step : {0.0, -1.0, std::nan("")}) {
    EXPECT_THROW(round_to_grid(setting.model, setting.data, Loss::squared, step), std::invalid_argument);
  }
  Constraints constraints;
  constraints.weights = {{1, 2, 3, 0.3, 0.4}};
  try {
    round_to_grid(setting.model, setting.data, Loss::squared, 0.25, constraints);
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "weight grid: no multiple of 0.25 from 0.3 to 0.4, the bounds of layer 1, unit 2, source 3");
  }
}

}  // namespace
}  // namespace relufit
