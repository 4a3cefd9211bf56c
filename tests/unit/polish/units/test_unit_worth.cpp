// What a unit would be worth, by its definition and by trying all directions of the plane.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/infinity.h"
#include "polish/units/unit_worth.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

constexpr AscentSteps kSteps{.most = 200, .first = 0.5, .least = 1e-9, .longest = 1, .longer = 1.5, .shorter = 3};

TEST(UnitWorth, IsTheNormOfItsPullAsDefined) {
  Generator random(1);
  const Matrix inputs = normal_matrix(random, 3, 20);
  const Matrix slopes = normal_matrix(random, 2, 20);
  const Vector weights = normal_matrix(random, 3, 1).col(0).normalized();
  const UnitCone cone = UnitCone::whole(3, 2);
  const FreeUnit unit = UnitWorth(Activation::leaky_relu(0.1), inputs, slopes, true, cone).at(weights, 0.3);
  double pull[2] = {0, 0};
  for (Index i = 0; i < 20; ++i) {
    double argument = 0.3;
    for (Index j = 0; j < 3; ++j) argument += weights(j) * inputs(j, i);
    for (Index o = 0; o < 2; ++o) pull[o] -= slopes(o, i) * (argument > 0 ? argument : 0.1 * argument);
  }
  EXPECT_NEAR(unit.worth, std::hypot(pull[0], pull[1]), 1e-12 * unit.worth);
  for (Index o = 0; o < 2; ++o) EXPECT_NEAR(unit.output(o) * unit.worth, pull[o], 1e-12 * unit.worth);
}

TEST(UnitWorth, ClimbsToTheBestDirectionOfThePlane) {
  Generator random(2);
  const Matrix inputs = normal_matrix(random, 2, 30);
  const Matrix slopes = normal_matrix(random, 2, 30);
  const UnitCone cone = UnitCone::whole(2, 2);
  const UnitWorth worth(Activation::relu, inputs, slopes, false, cone);
  const auto at = [&](double angle) {
    const Vector weights{{std::cos(angle), std::sin(angle)}};
    return worth.at(weights, 0);
  };
  double best = 0, climbed = 0;
  for (int i = 0; i < 10000; ++i) best = std::max(best, at(2 * std::numbers::pi * i / 10000).worth);
  for (int i = 0; i < 20; ++i) {
    const FreeUnit start = at(2 * std::numbers::pi * i / 20);
    const FreeUnit top = worth.improved(start, kSteps);
    EXPECT_GE(top.worth, start.worth);
    EXPECT_NEAR(top.weights.norm(), 1, 1e-12);
    EXPECT_EQ(top.bias, 0);
    climbed = std::max(climbed, top.worth);
  }
  EXPECT_GE(climbed, best * (1 - 1e-9));
  EXPECT_LE(climbed, best * (1 + 1e-5));  // the grid's directions are 6e-4 apart
}

TEST(UnitWorth, StaysInItsCone) {
  Generator random(3);
  const Matrix inputs = normal_matrix(random, 2, 30);
  const Matrix slopes = normal_matrix(random, 2, 30);
  UnitCone cone = UnitCone::whole(2, 2);
  cone.lower_in(0) = 0;
  cone.upper_out(1) = 0;
  const UnitWorth worth(Activation::relu, inputs, slopes, true, cone);
  for (const double angle : {-1.5, -0.7, 0.0, 0.7, 1.5}) {
    const FreeUnit top = worth.improved(worth.at(Vector{{std::cos(angle), std::sin(angle)}}, 0.1), kSteps);
    EXPECT_GE(top.weights(0), 0);
    EXPECT_LE(top.output(1), 0);
    EXPECT_GT(top.worth, 0);
  }
}

}  // namespace
}  // namespace relufit
