// Constraints on the network for raw data, translated for the one on scaled data: both hold or neither.
#include <gtest/gtest.h>

#include "relufit/constraints.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::uniform;
using testing_random::uniform_matrix;

struct Translation {
  Model model;  ///< whose network works on scaled data
  NamedNetwork shape;

  Translation(Generator& random, bool uniform_scales, bool skip_connections = false) {
    shape = {{{3, 4, 2}, OutputActivation::linear, Activation::relu, skip_connections}, {"u", "v", "w"}, {"y", "z"}};
    std::vector<Layer> layers;
    for (const LayerShape& layer : shape.network.layers()) {
      layers.push_back({normal_matrix(random, layer.rows, layer.columns), normal_matrix(random, layer.rows, 1)});
    }
    model.network = Network(layers, OutputActivation::linear, Activation::relu, skip_connections);
    model.input_scaling = {normal_matrix(random, 3, 1), uniform_matrix(random, 3, 1, 0.2, 5)};
    model.target_scaling = {normal_matrix(random, 2, 1), uniform_matrix(random, 2, 1, 0.2, 5)};
    if (uniform_scales) {
      model.input_scaling.scale.setConstant(uniform(random, 0.2, 5));
      model.target_scaling.scale.setConstant(uniform(random, 0.2, 5));
    }
    model.input_names = shape.input_names;
    model.target_names = shape.target_names;
  }

  /// Largest violation in scaled units of what the constraints become there.
  double violation(const Constraints& constraints) const {
    double most = -1e300;
    for (const WeightTerm& term : scaled_weight_terms(constraints, shape, model.input_scaling, model.target_scaling)) {
      const Layer& layer = model.network.layers()[static_cast<std::size_t>(term.layer) - 1];
      most = std::max(most, term_violation(term, layer.weights));
    }
    return most;
  }

  double slack(const Constraints& constraints) const {
    double least = 1e300;
    for (const ConstraintCheck& check : check_constraints(constraints, model, Matrix::Zero(3, 1))) {
      least = std::min(least, check.slack);
    }
    return least;
  }
};

/// Of many random networks some keep the constraints and some do not; raw and scaled never disagree.
template <class Make>
void expect_agreement(bool uniform_scales, const Make& make) {
  int kept = 0;
  int broken = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Generator random(seed);
    const Translation translation(random, uniform_scales);
    const Constraints constraints = make(random);
    const double violation = translation.violation(constraints);
    if (std::abs(violation) < 1e-9) continue;
    EXPECT_EQ(violation<0, translation.slack(constraints)> 0) << seed << ": " << violation;
    (violation < 0 ? kept : broken) += 1;
  }
  EXPECT_GE(kept, 10);
  EXPECT_GE(broken, 10);
}

TEST(ConstraintTranslation, BoundsOfWeights) {
  expect_agreement(false, [](Generator& random) {
    Constraints constraints = parse_constraints(
        R"({"weights": [{"layer": 1, "unit": 2, "source": 3, "lower": -1, "upper": 1}, {"layer": 2, "unit": 1, "upper": 9}]})",
        "test");
    constraints.weights[0].upper = uniform(random, 0, 2);
    return constraints;
  });
}

TEST(ConstraintTranslation, SumsOfWeights) {
  expect_agreement(false, [](Generator& random) {
    Constraints constraints;
    constraints.linear.push_back({1, {{1, 1, normal(random)}, {2, 3, normal(random)}, {4, 2, 1}}, -3, 3});
    constraints.linear.push_back({2, {{1, 1, 1}, {2, 4, normal(random)}}, -8, 8});
    return constraints;
  });
}

TEST(ConstraintTranslation, NormsOfLayers) {
  for (const auto norm :
       {WeightTerm::Kind::frobenius_ball, WeightTerm::Kind::row_ball, WeightTerm::Kind::spectral_ball}) {
    for (const Index layer : {1, 2}) {
      expect_agreement(true, [&](Generator& random) {
        Constraints constraints;
        constraints.norms.push_back({layer, norm, uniform(random, 0.5, 12)});
        return constraints;
      });
    }
  }
}

/// A product of layer bounds is enough for the whole network's, and they hold in both or in neither.
TEST(ConstraintTranslation, LipschitzBoundsOfLayersAreEnough) {
  int kept = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Generator random(seed);
    const Translation translation(random, true);
    Constraints constraints;
    constraints.lipschitz = uniform(random, 1, 400);
    if (translation.violation(constraints) > -1e-9) continue;
    EXPECT_GT(translation.slack(constraints), 0) << seed;
    ++kept;
  }
  EXPECT_GE(kept, 10);
}

/// Signs do not depend on scales: a network whose weights are moved to the bounds is monotone as a raw one.
TEST(ConstraintTranslation, MonotoneNetworks) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Generator random(seed);
    Translation translation(random, false);
    Constraints constraints;
    constraints.monotone = {{"v", "y", seed % 2 == 0}};
    std::vector<Layer> layers = translation.model.network.layers();
    for (const WeightTerm& term : scaled_weight_terms(constraints, translation.shape, translation.model.input_scaling,
                                                      translation.model.target_scaling)) {
      apply_prox(term, 1, layers[static_cast<std::size_t>(term.layer) - 1].weights);
    }
    translation.model.network = translation.model.network.with_layers(layers);
    EXPECT_GE(translation.slack(constraints), 0);
    // And in fact, along v.
    Matrix low = normal_matrix(random, 3, 200);
    Matrix high = low;
    high.row(1).array() += 0.3;
    const Matrix rise = translation.model.predict(high).row(0) - translation.model.predict(low).row(0);
    EXPECT_GE((seed % 2 == 0 ? 1 : -1) * rise.sum(), 0);
    EXPECT_GE(((seed % 2 == 0 ? 1 : -1) * rise).minCoeff(), -1e-12);
  }
}

}  // namespace
}  // namespace relufit
