// Units scaled, and taken out: the same function, and that of the others.
#include <gtest/gtest.h>

#include "network/units.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

TEST(Units, ScaledAreTheSameFunction) {
  for (const Activation& activation :
       {Activation::relu, Activation::leaky_relu(0.2), Activation::absolute, Activation::maxout}) {
    Generator random(4);
    const Index arguments = arguments_per_unit(activation);
    const auto layer = [&](Index rows, Index columns) {
      return Layer{normal_matrix(random, rows, columns), normal_matrix(random, rows, 1).col(0)};
    };
    const std::vector<Layer> layers = {layer(4 * arguments, 3), layer(2 * arguments, 4), layer(1, 2)};
    std::vector<Layer> scaled = layers;
    scale_unit(scaled, 0, 2, 4, 8);
    scale_unit(scaled, 1, 1, 2, 0.25);
    const auto rows = unit_rows(layers[0], 2, 4);
    EXPECT_EQ(rows.size(), arguments);
    EXPECT_EQ(Matrix(scaled[0].weights(rows, Eigen::all)), Matrix(8 * layers[0].weights(rows, Eigen::all)));
    EXPECT_EQ(scaled[2].weights(0, 1), 4 * layers[2].weights(0, 1));
    const Matrix inputs = normal_matrix(random, 3, 10);
    const auto outputs = [&](const std::vector<Layer>& of) {
      return Network(of, OutputActivation::linear, activation).forward(inputs);
    };
    EXPECT_EQ(outputs(scaled), outputs(layers)) << to_string(activation);  // powers of two: without a rounding
  }
}

TEST(Units, KeptAloneAreTheFunctionOfTheNetworkWhereTheOthersHaveNoEffect) {
  for (const Activation& activation : {Activation::relu, Activation::maxout}) {
    for (const bool skip : {false, true}) {
      Generator random(6);
      std::vector<Layer> layers = testing_random::random_layers(random, {3, 4, 5, 2}, 0.5, 0.5, skip, activation);
      layers[1].weights.col(0).setZero();
      layers[1].weights.col(2).setZero();
      std::vector<Layer> kept = layers;
      keep_units(kept, 0, {1, 3}, 4);
      EXPECT_EQ(kept[0].weights.rows(), 2 * arguments_per_unit(activation));
      const Matrix inputs = normal_matrix(random, 3, 10);
      const auto outputs = [&](const std::vector<Layer>& of) {
        return Network(of, OutputActivation::linear, activation, skip).forward(inputs);
      };
      EXPECT_LE((outputs(kept) - outputs(layers)).norm(), 1e-12 * outputs(layers).norm());
    }
  }
}

}  // namespace
}  // namespace relufit
