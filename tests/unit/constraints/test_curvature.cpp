// Convex and concave in chosen inputs: what signs of weights promise, checked at midpoints of random segments.
#include <gtest/gtest.h>

#include <limits>

#include "constraints/monotone.h"
#include "relufit/constraints.h"
#include "relufit/train.h"
#include "support/io_helpers.h"
#include "support/named_data.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_random::Generator;
using testing_random::normal_matrix;

struct Case {
  const char* name;
  std::vector<Index> widths;
  Activation activation;
  bool skip;
  std::vector<Curvature> curvature;
  std::vector<Monotone> monotone;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"one", {3, 6, 2}, Activation::relu, false, {{"u", "y", true}}, {}},
      {"both", {3, 6, 2}, Activation::relu, false, {{"u", "y", true}, {"v", "y", false}}, {}},
      {"two targets", {3, 6, 2}, Activation::relu, false, {{"u", "y", true}, {"u", "z", false}}, {}},
      {"all concave",
       {3, 5, 2},
       Activation::relu,
       false,
       {{"u", "y", false}, {"v", "y", false}, {"w", "y", false}},
       {}},
      {"rising", {3, 6, 2}, Activation::relu, false, {{"u", "y", false}}, {{"u", "y", true}, {"v", "y", false}}},
      {"deep", {3, 6, 5, 4, 2}, Activation::relu, false, {{"u", "y", true}, {"w", "y", false}}, {}},
      {"deep rising", {3, 6, 4, 2}, Activation::relu, false, {{"u", "y", true}}, {{"u", "y", false}}},
      {"skip", {3, 6, 4, 2}, Activation::relu, true, {{"u", "y", true}, {"w", "z", false}}, {}},
      {"maxout", {3, 6, 4, 2}, Activation::maxout, false, {{"u", "y", false}, {"v", "z", true}}, {}},
      {"absolute", {3, 6, 2}, Activation::absolute, false, {{"u", "y", true}, {"v", "y", false}}, {}},
  };
  return all;
}

NamedNetwork shape_of(const Case& c) {
  return {{c.widths, OutputActivation::linear, c.activation, c.skip}, {"u", "v", "w"}, {"y", "z"}};
}

Model random_model(const Case& c, Generator& random) {
  Model model;
  std::vector<Layer> layers;
  for (const LayerShape& layer : shape_of(c).network.layers()) {
    layers.push_back({normal_matrix(random, layer.rows, layer.columns), normal_matrix(random, layer.rows, 1)});
  }
  model.network = Network(layers, OutputActivation::linear, c.activation, c.skip);
  model.input_scaling = Scaling::identity(3);
  model.target_scaling = Scaling::identity(2);
  model.input_names = {"u", "v", "w"};
  model.target_names = {"y", "z"};
  return model;
}

Model constrained(Model model, const Constraints& constraints, const NamedNetwork& shape) {
  std::vector<Layer> layers = model.network.layers();
  for (const WeightTerm& term : weight_terms(constraints, shape)) {
    apply_prox(term, 1, layers[static_cast<std::size_t>(term.layer) - 1].weights);
  }
  model.network = model.network.with_layers(layers);
  return model;
}

double slack(const Constraints& constraints, const Model& model) {
  double least = std::numeric_limits<double>::infinity();
  for (const ConstraintCheck& check : check_constraints(constraints, model)) least = std::min(least, check.slack);
  return least;
}

/// The most by which a value between lies above the chord, times the direction, over segments along those of these
/// inputs of a target that bend in this direction.
double largest_break(const std::vector<Curvature>& demands, const Model& model, bool convex, Index target,
                     Generator& random) {
  Matrix from = normal_matrix(random, 3, 500);
  Matrix step = Matrix::Zero(3, 500);
  bool any = false;
  for (const Curvature& demand : demands) {
    if (demand.convex != convex || demand.target != model.target_names[static_cast<std::size_t>(target)]) continue;
    const Index input = demand.input == "u" ? 0 : demand.input == "v" ? 1 : 2;
    step.row(input) = normal_matrix(random, 1, 500);
    any = true;
  }
  if (!any) return -1;
  const Matrix middle = model.predict(from);
  const Matrix chord = (model.predict(from + step) + model.predict(from - step)) / 2;
  return ((convex ? 1 : -1) * (middle - chord).row(target)).maxCoeff();
}

TEST(Curvature, SignsOfWeightsKeepIt) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Constraints constraints;
    constraints.curvature = c.curvature;
    constraints.monotone = c.monotone;
    int varied = 0;  // some clipped at random are constant
    for (unsigned seed = 0; seed < 10; ++seed) {
      Generator random(seed);
      const Model model = constrained(random_model(c, random), constraints, shape_of(c));
      EXPECT_GE(slack(constraints, model), 0);
      for (const Index target : {0, 1}) {
        for (const bool convex : {true, false}) {
          EXPECT_LE(largest_break(c.curvature, model, convex, target, random), 1e-11);
        }
      }
      const Matrix inputs = normal_matrix(random, 3, 300);
      varied += (model.predict(inputs).colwise() - model.predict(inputs).col(0)).row(0).norm() > 0;
    }
    EXPECT_GE(varied, 5);
  }
}

/// Whatever a proof accepts is true, of networks with signs at random, in any order of the units.
TEST(Curvature, WhatIsProvenHolds) {
  const Case& c = cases()[5];
  int proven = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Generator random(seed);
    Model model = random_model({c.name, {3, 2, 2, 2}, c.activation, false, {}, {}}, random);
    std::vector<Layer> layers = model.network.layers();
    for (Layer& layer : layers) {
      for (double& weight : layer.weights.reshaped()) {
        if (testing_random::uniform(random, 0, 1) < 0.4) weight = 0;
        if (testing_random::uniform(random, 0, 1) < 0.4) weight = std::abs(weight);
      }
    }
    model.network = model.network.with_layers(layers);
    Constraints constraints;
    constraints.curvature = {{"u", "y", true}, {"v", "y", true}};
    const double found = slack(constraints, model);
    const double broken = largest_break(constraints.curvature, model, true, 0, random);
    if (found >= 0) {
      ++proven;
      EXPECT_LE(broken, 1e-11) << seed;
    }
  }
  EXPECT_GE(proven, 300);
}

TEST(Curvature, BrokenOnesAreFound) {
  const Case& c = cases()[1];
  Constraints constraints;
  constraints.curvature = c.curvature;
  Generator random(4);
  const Model kept = constrained(random_model(c, random), constraints, shape_of(c));
  std::vector<Layer> layers = kept.network.layers();
  Index unit = 0;
  while (layers[0].weights(unit, 0) == 0 || layers[1].weights(0, unit) == 0) ++unit;
  layers[1].weights(0, unit) *= -1;
  Model broken = kept;
  broken.network = kept.network.with_layers(layers);
  EXPECT_EQ(slack(constraints, broken), -std::abs(layers[1].weights(0, unit)));
}

TEST(Curvature, TrainedNetworksKeepItAndFit) {
  Generator random(1);
  const Matrix inputs = normal_matrix(random, 3, 200);
  Matrix targets(1, 200);  // convex in u0, concave and rising in u1
  targets.row(0) = inputs.row(0).array().square() - (-inputs.row(1).array()).exp() + 0.3 * inputs.row(2).array();
  TrainOptions options{.hidden = {10}, .ridge = 1e-3};
  options.constraints.curvature = {{"u0", "y0", true}, {"u1", "y0", false}};
  options.constraints.monotone = {{"u1", "y0", true}};
  const TrainResult result = train(testing_data::dataset(inputs, targets), options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  EXPECT_GE(result.evaluation.all.r2, 0.95);
}

TEST(Curvature, RefusesWhatItCannotPromise) {
  const auto refused = [](const Constraints& constraints, const NamedNetwork& shape, const std::string& part) {
    expect_one_line_with(message_of<std::invalid_argument>([&] { weight_terms(constraints, shape); }), {part});
  };
  const NamedNetwork shape = shape_of(cases().front());
  Constraints constraints;
  constraints.curvature = {{"q", "y", true}};
  refused(constraints, shape, "curvature: 'q' is not an input");
  constraints.curvature = {{"u", "q", true}};
  refused(constraints, shape, "curvature: 'q' is not a target");
  constraints.curvature = {{"u", "y", true}, {"u", "y", false}};
  refused(constraints, shape, "curvature[1]: y in u contradicts the others");
  constraints.curvature = {{"u", "y", true}};
  refused(constraints, shape_of({"", {3, 4, 2}, Activation::hard_tanh, false, {}, {}}),
          "curvature: with the activation");
  refused(constraints, shape_of({"", {3, 4, 4, 2}, Activation::absolute, false, {}, {}}), "curvature: with the activ");
}

TEST(Curvature, IsReadFromAFile) {
  const Constraints read =
      parse_constraints(R"({"curvature": [{"input": "u", "target": "y", "shape": "concave"}]})", "c.json");
  ASSERT_EQ(read.curvature.size(), 1U);
  EXPECT_EQ(read.curvature[0].input, "u");
  EXPECT_FALSE(read.curvature[0].convex);
  expect_one_line_with(
      message_of<std::invalid_argument>(
          [] { parse_constraints(R"({"curvature": [{"input": "u", "target": "y", "shape": "flat"}]})", "c.json"); }),
      {"c.json", "curvature[0].shape", "convex or concave"});
}

}  // namespace
}  // namespace relufit
