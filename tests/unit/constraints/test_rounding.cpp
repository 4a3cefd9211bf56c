// Constraints hold in the model as it is written, with no tolerance but where lower and upper leave no room, whatever
// the unit of the data and the order of sums.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "constraints/rounding.h"
#include "relufit/train.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Units of the data: values are offset + scale times normal ones.
struct Units {
  double input_scale, input_offset, target_scale, target_offset;
};

void PrintTo(const Units& units, std::ostream* out) {
  *out << fmt::format("inputs {} + {}, targets {} + {}", units.input_scale, units.input_offset, units.target_scale,
                      units.target_offset);
}

class ConstraintsIn : public ::testing::TestWithParam<Units> {
 protected:
  ConstraintsIn() {
    Generator random(3);
    const Matrix inputs = normal_matrix(random, 3, 60);
    const Matrix hidden = (normal_matrix(random, 4, 3) * inputs).cwiseMax(0.0);
    const Matrix targets = normal_matrix(random, 2, 4) * hidden + normal_matrix(random, 2, 60, 0.5);
    const Units& units = GetParam();
    data_.inputs = (units.input_scale * inputs).array() + units.input_offset;
    data_.targets = (units.target_scale * targets).array() + units.target_offset;
    data_.input_names = {"u", "v", "w"};
    data_.target_names = {"y", "z"};
    far_.columns = data_.input_names;
    far_.values = ((1.5 * units.input_scale * normal_matrix(random, 8, 3)).array() + units.input_offset).matrix();
  }

  TrainResult trained(const Constraints& constraints) const {
    TrainOptions options{.hidden = {5}};
    options.constraints = constraints;
    options.iterations = 40;
    return train(data_, options);
  }

  void expect_kept(const Constraints& constraints) const {
    for (const ConstraintCheck& check : trained(constraints).constraints) {
      EXPECT_GE(check.slack, 0) << check.name;
      EXPECT_TRUE(holds(check));
    }
  }

  /// Quantile of the targets' row.
  double level(Index row, double share) const {
    Vector values = data_.targets.row(row).transpose();
    std::sort(values.begin(), values.end());
    return values(static_cast<Index>(share * static_cast<double>(values.size() - 1)));
  }

  Dataset data_;
  Table far_;
};

TEST_P(ConstraintsIn, KeepWeights) {
  const std::vector<Layer> free = trained({}).model.folded().layers();
  const double first = free[0].weights.cwiseAbs().maxCoeff();
  const double last = free[1].weights.cwiseAbs().maxCoeff();
  Constraints bounds;
  bounds.weights = {{1, {}, {}, -0.3 * first, 0.37 * first}, {2, {}, {}, -0.41 * last, 0.3 * last},
                    {2, 1, 2, 0.1 * last, 0.1 * last},       {1, 2, 1, 0, 0},
                    {1, 1, 1, 0.2 * first, kInfinity},       {1, 1, 1, -kInfinity, 0.2 * first}};
  expect_kept(bounds);
  Constraints sums;
  sums.linear = {{1, {{1, 1, 1}, {2, 1, -2}}, 0, 0},
                 {1, {{3, 2, 1}, {4, 2, 1.3}}, 0.05 * first, 0.1 * first},
                 {2, {{1, 1, 1}, {1, 2, 1}, {1, 3, 1}, {2, 1, 1}}, -kInfinity, -0.1 * last},
                 {2, {{1, 4, 1}, {2, 4, -0.7}}, 0.3 * last, 0.3 * last}};
  expect_kept(sums);
  Constraints norms;
  norms.norms = {{1, WeightTerm::Kind::row_ball, 0.5 * first},
                 {2, WeightTerm::Kind::frobenius_ball, 0.7 * last},
                 {1, WeightTerm::Kind::spectral_ball, 0.8 * first}};
  expect_kept(norms);
  Constraints slope;
  slope.lipschitz = 0.3 * lipschitz_bound(trained({}).model);
  expect_kept(slope);
}

TEST_P(ConstraintsIn, KeepSigns) {
  Constraints monotone;
  monotone.monotone = {{"u", "y", true}, {"w", "z", false}};
  expect_kept(monotone);
  Constraints convex;
  convex.convex = true;
  expect_kept(convex);
}

TEST_P(ConstraintsIn, KeepHiddenValues) {
  Constraints hidden;
  hidden.hidden = {{1, 0.37}};
  expect_kept(hidden);
}

/// And are so for one sample at a time, in both forms of the network.
TEST_P(ConstraintsIn, KeepOutputs) {
  const auto constant = [](double value) { return Vector::Constant(1, value); };
  const double low = level(0, 0.2), high = level(0, 0.7), middle = level(0, 0.5);
  OutputBound box{{{"y", 1}}, constant(low), constant(high), {}};
  OutputBound there{{{"y", 1}}, Vector::Constant(8, low), Vector::Constant(8, high), far_};
  there.lower(0) = there.upper(0) = middle;
  OutputBound sum{{{"y", 1}, {"z", -0.5}}, constant(-kInfinity), constant(high - 0.5 * level(1, 0.5)), {}};
  sum.is_sum = true;
  Constraints constraints;
  constraints.outputs = {box, there, sum};
  const TrainResult result = trained(constraints);
  for (const ConstraintCheck& check : result.constraints) EXPECT_GE(check.slack, 0) << check.name;
  const Network folded = result.model.folded();
  const double size = summed_sizes(result.model, select_columns(far_, data_.input_names)).row(0).maxCoeff();
  for (Index j = 0; j < data_.samples() + 8; ++j) {
    const Vector point =
        j < data_.samples() ? Vector(data_.inputs.col(j)) : Vector(far_.values.row(j - data_.samples()).transpose());
    for (const Vector& outputs : {Vector(result.model.predict(point)), Vector(folded.forward(point))}) {
      if (j == data_.samples()) {
        EXPECT_NEAR(outputs(0), middle, 1e-9 * size);
        continue;
      }
      EXPECT_GE(outputs(0), low) << j;
      EXPECT_LE(outputs(0), high) << j;
      if (j < data_.samples()) {
        EXPECT_LE(outputs(0) - 0.5 * outputs(1), sum.upper(0)) << j;
      }
    }
  }
  EXPECT_GT(result.evaluation.per_target[0].r2, 0);  // better than every constant; how much is a matter of rounding
}

INSTANTIATE_TEST_SUITE_P(AllUnits, ConstraintsIn,
                         ::testing::Values(Units{1, 0, 1, 0}, Units{1e-6, 0, 1e-6, 0}, Units{1e6, 0, 1e6, 0},
                                           Units{1e-6, 0, 1e6, 0}, Units{1, 1e6, 1, 1e6}, Units{1, -1e6, 1e-3, 1e6},
                                           Units{1e6, 1e6, 1, -1e6}));

/// Against long double, which has 11 bits more: the bound is one, and not beyond all measure.
TEST(Rounding, OfOutputsIsBounded) {
  Generator random(8);
  for (int repeat = 0; repeat < 50; ++repeat) {
    const std::vector<Layer> layers = testing_random::random_layers(random, {6, 9, 7, 2});
    const Matrix inputs = normal_matrix(random, 6, 20, 1000);
    const Matrix outputs = Network(layers, OutputActivation::linear).forward(inputs);
    using Long = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
    Long exact = inputs.cast<long double>();
    for (std::size_t l = 0; l < layers.size(); ++l) {
      exact = ((layers[l].weights.cast<long double>() * exact).colwise() + layers[l].bias.cast<long double>().eval())
                  .eval();
      if (l + 1 < layers.size()) exact = exact.cwiseMax(0.0L).eval();
    }
    const Matrix errors = (outputs.cast<long double>() - exact).cwiseAbs().cast<double>();
    const Matrix bound =
        rounding_factor(layers, layers.size()) *
        value_sizes(layers, Network(layers, OutputActivation::linear).architecture(), inputs.cwiseAbs()).back();
    EXPECT_LE((errors - bound).maxCoeff(), 0);
    EXPECT_GT(errors.maxCoeff(), 1e-5 * bound.maxCoeff());
  }
}

}  // namespace
}  // namespace relufit
