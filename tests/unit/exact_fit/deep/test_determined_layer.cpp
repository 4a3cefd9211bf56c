// Whether samples that a network fits exactly determine its first layer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "exact_fit/deep/determined_layer.h"
#include "relufit/teacher.h"
#include "support/search_problems.h"

namespace relufit {
namespace {

using testing_search::teacher_problem;

constexpr double kZero = 1e-9;

bool is_determined(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  NetworkErrors errors(problem);
  return is_first_layer_determined(errors, errors.pack(layers), kZero);
}

class DeterminedLayer : public testing::TestWithParam<OutputActivation> {
 protected:
  static constexpr Index kSamples = 300;

  LiftedProblem problem_ = teacher_problem({3, 4, 4, 2}, GetParam(), kSamples, 5);
  std::vector<Layer> teacher_ = make_teacher({3, 4, 4, 2}, GetParam(), kSamples, 5).network.layers();
};

TEST_P(DeterminedLayer, IsOfATeacher) { EXPECT_TRUE(is_determined(problem_, teacher_)); }

/// Neither have layers to have biases.
TEST_P(DeterminedLayer, NeedsNoBiases) {
  for (Layer& layer : teacher_) layer.bias.setZero();
  problem_.bias = false;
  problem_.targets = Network(teacher_, GetParam()).forward(problem_.inputs);
  EXPECT_TRUE(is_determined(problem_, teacher_));
}

TEST_P(DeterminedLayer, DoesNotDependOnTheSizesOfUnits) {
  for (Index unit = 0; unit < 4; ++unit) {
    const double size = std::pow(10, static_cast<double>(unit) - 2);
    teacher_[0].weights.row(unit) *= size;
    teacher_[0].bias(unit) *= size;
    teacher_[1].weights.col(unit) /= size;
  }
  EXPECT_TRUE(is_determined(problem_, teacher_));
}

TEST_P(DeterminedLayer, NeedsHalfOfTheErrorsToVanish) {
  for (const Index wrong : {kSamples / 3, 2 * kSamples / 3}) {
    LiftedProblem spoilt = problem_;
    spoilt.targets.leftCols(wrong).array() += 1;
    EXPECT_EQ(is_determined(spoilt, teacher_), wrong < kSamples / 2) << wrong;
  }
}

/// A network fits as many samples as it has parameters, whatever they are of.
TEST_P(DeterminedLayer, NeedsMoreSamplesThanParameters) {
  for (const Index samples : {10, 25}) {
    LiftedProblem few = problem_;
    few.inputs = problem_.inputs.leftCols(samples).eval();
    few.targets = problem_.targets.leftCols(samples).eval();
    EXPECT_FALSE(is_determined(few, teacher_)) << samples;
  }
}

/// One that is on or off at all samples might bend anywhere beyond them; so might one that the next layer does not see.
TEST_P(DeterminedLayer, NeedsSamplesOnBothSidesOfEveryBend) {
  for (const double bias : {-100., 100.}) {
    std::vector<Layer> layers = teacher_;
    layers[0].bias(2) = bias;
    layers[1].bias -= layers[1].weights.col(2) * std::max(0., bias);
    LiftedProblem moved = problem_;
    moved.targets = Network(layers, GetParam()).forward(problem_.inputs);
    EXPECT_FALSE(is_determined(moved, layers)) << bias;
  }
  std::vector<Layer> layers = teacher_;
  layers[1].weights.col(1).setZero();
  LiftedProblem without = problem_;
  without.targets = Network(layers, GetParam()).forward(problem_.inputs);
  EXPECT_FALSE(is_determined(without, layers));
}

INSTANTIATE_TEST_SUITE_P(Outputs, DeterminedLayer, testing::Values(OutputActivation::linear, OutputActivation::relu),
                         [](const auto& output) { return output.param == OutputActivation::relu ? "relu" : "linear"; });

}  // namespace
}  // namespace relufit
