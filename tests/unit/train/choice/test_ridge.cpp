// The ridge from the data: what it must be on data whose answer is known, and what it must not depend on.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "relufit/teacher.h"
#include "relufit/train.h"
#include "support/named_data.h"
#include "train/choice/ridge.h"
#include "train/choice/ridge_path.h"

namespace relufit {
namespace {

using testing_data::dataset;

/// A teacher's outputs, and noise of `noise` times their size.
Dataset noisy_teacher(Index samples, double noise) {
  const Teacher teacher = make_teacher({4, 3, 1}, OutputActivation::linear, samples, 5);
  Random random(8);
  const double size = teacher.targets.norm() / std::sqrt(static_cast<double>(samples));
  return dataset(teacher.inputs, teacher.targets + noise * size * random.normal(1, samples));
}

TEST(Ridges, FallInHalfDecadesToTheLast) {
  EXPECT_EQ(ridges_to(0.02), (std::vector<double>{0.3, 0.1, 0.03, 0.02}));
  EXPECT_EQ(ridges_to(0.03), (std::vector<double>{0.3, 0.1, 0.03}));
  EXPECT_EQ(ridges_to(7), (std::vector<double>{7}));
}

TEST(RidgeChoice, IsLargeForNoiseAndSmallForANetwork) {
  Random random(1);
  const Dataset noise = dataset(random.normal(6, 120), random.normal(1, 120));
  TrainOptions options{.hidden = {5}};
  const TrainResult of_noise = train(noise, options);
  ASSERT_TRUE(of_noise.ridge_choice);
  EXPECT_GE(of_noise.ridge_choice->ridge, 0.1);
  const TrainResult of_network = train(noisy_teacher(200, 0), options);
  EXPECT_GE(of_network.evaluation.all.r2, 0.999);
  EXPECT_LT(of_network.ridge_choice->ridge, of_noise.ridge_choice->ridge);
  const TrainResult between = train(noisy_teacher(200, 0.5), options);
  EXPECT_LT(between.ridge_choice->ridge, of_noise.ridge_choice->ridge);
}

TEST(RidgeChoice, IsTheFirstNearlyBestOfThePath) {
  const TrainResult result = train(noisy_teacher(150, 0.3), TrainOptions{.hidden = {5}});
  const RidgeChoice& choice = *result.ridge_choice;
  ASSERT_EQ(choice.ridges.size(), choice.held_out.size());
  ASSERT_EQ(choice.ridges.size(), choice.standard_error.size());
  EXPECT_TRUE(std::is_sorted(choice.ridges.rbegin(), choice.ridges.rend()));
  const double least = *std::min_element(choice.held_out.begin(), choice.held_out.end());
  const auto chosen = std::find(choice.ridges.begin(), choice.ridges.end(), choice.ridge) - choice.ridges.begin();
  EXPECT_LE(choice.held_out[static_cast<std::size_t>(chosen)], least * 1.002);
}

TEST(RidgeChoice, DoesNotDependOnThreads) {
  const Dataset data = noisy_teacher(300, 0.3);
  TrainOptions options{.hidden = {6}};
  const TrainResult one = train(data, options);
  for (const int threads : {2, 3, 7}) {
    options.threads = threads;
    const TrainResult several = train(data, options);
    EXPECT_EQ(one.ridge_choice->held_out, several.ridge_choice->held_out);
    EXPECT_EQ(one.model.predict(data.inputs), several.model.predict(data.inputs));
  }
}

TEST(RidgeChoice, TrainsAsTheSameRidgeGiven) {
  const Dataset data = noisy_teacher(300, 0.3);
  TrainOptions options{.hidden = {6}};
  const TrainResult chosen = train(data, options);
  options.ridge = chosen.ridge_choice->ridge;
  const TrainResult given = train(data, options);
  EXPECT_FALSE(given.ridge_choice);
  EXPECT_EQ(chosen.model.predict(data.inputs), given.model.predict(data.inputs));
}

TEST(RidgeChoice, HoldsOutOnePartOfManySamples) {
  const TrainResult result = train(noisy_teacher(5001, 0.3), TrainOptions{.hidden = {4}});
  for (const double error : result.ridge_choice->standard_error) EXPECT_EQ(error, 0);
}

TEST(RidgeChoice, NeedsSomeSamplesAndARandomStart) {
  TrainOptions options{.hidden = {3}};
  EXPECT_FALSE(train(noisy_teacher(19, 0.3), options).ridge_choice);
  EXPECT_TRUE(train(noisy_teacher(20, 0.3), options).ridge_choice);
  options.folds = 2;
  EXPECT_TRUE(train(noisy_teacher(8, 0.3), options).ridge_choice);
  options.init = ZeroStart{};
  EXPECT_FALSE(train(noisy_teacher(40, 0.3), options).ridge_choice);
  options.folds = 1;
  EXPECT_THROW(plan(options), std::invalid_argument);
}

/// As if the width that predicts best, and its ridge, had been given.
TEST(WidthChoice, IsTheLastThatPredictsBetter) {
  Random random(3);
  const Matrix inputs = random.normal(2, 200);
  const Dataset data = dataset(inputs, ((2 * inputs.row(0).array()).sin() + inputs.row(1).array().abs()).matrix());
  TrainOptions options;
  options.automatic_width = true;
  options.threads = 2;
  const TrainResult result = train(data, options);
  ASSERT_TRUE(result.width_choice && result.ridge_choice);
  const WidthChoice& choice = *result.width_choice;
  EXPECT_EQ(choice.widths.front(), 10);
  EXPECT_GE(choice.width, 20);  // of a sine
  EXPECT_EQ(result.model.network.widths(), (std::vector<Index>{2, choice.width, 1}));
  for (std::size_t i = 0; i < choice.widths.size(); ++i) {
    TrainOptions given{.hidden = {choice.widths[i]}};
    const TrainResult same = train(data, given);
    const std::vector<double>& losses = same.ridge_choice->held_out;
    EXPECT_NEAR(*std::min_element(losses.begin(), losses.end()), choice.held_out[i], 2e-3 * choice.held_out[i]);
    if (i > 0 && choice.widths[i] <= choice.width) {
      EXPECT_LT(choice.held_out[i], 0.98 * choice.held_out[i - 1]);
    }
    if (choice.widths[i] > choice.width) {
      EXPECT_GE(choice.held_out[i], 0.98 * choice.held_out[i - 1]);
    }
    if (choice.widths[i] == choice.width) {
      EXPECT_EQ(same.model.predict(inputs), result.model.predict(inputs));
    }
  }
}

TEST(WidthChoice, IsTheUsualOneForFewSamplesAndRefusesWhatNamesUnits) {
  TrainOptions options;
  options.automatic_width = true;
  const TrainResult few = train(noisy_teacher(15, 0.3), options);
  EXPECT_TRUE(few.width_choice->widths.empty());
  EXPECT_EQ(few.model.network.widths()[1], 10);
  options.ridge = 0.01;
  const TrainResult given = train(noisy_teacher(60, 0.3), options);
  EXPECT_FALSE(given.ridge_choice);
  EXPECT_EQ(given.width_choice->widths.size(), given.width_choice->held_out.size());
  const auto refused = [&](const auto& change) {
    TrainOptions changed = options;
    change(changed);
    EXPECT_THROW(plan(changed), std::invalid_argument);
  };
  refused([](TrainOptions& o) { o.loss = Loss::exact; });
  refused([](TrainOptions& o) { o.hidden = {3}; });
  refused([](TrainOptions& o) { o.init = Model{}; });
  refused([](TrainOptions& o) { o.constraints.weights = {{1, 1, {}, 0, 1}}; });
}

/// Recomputed from networks trained with each ridge: what they lose on the validation samples.
TEST(RidgeChoice, IsThatOfTheValidationSamples) {
  const Split split = split_dataset(noisy_teacher(400, 0.5), 0.3, 1);
  TrainOptions options{.hidden = {5}};
  options.validation = split.test;
  const TrainResult result = train(split.train, options);
  ASSERT_TRUE(result.ridge_choice);
  const RidgeChoice& choice = *result.ridge_choice;
  EXPECT_TRUE(choice.by_validation);
  EXPECT_EQ(result.model.training.samples, split.train.samples());
  const double scale = result.model.target_scaling.scale(0);
  for (std::size_t i = 0; i < choice.ridges.size(); ++i) {
    TrainOptions given{.hidden = {5}};
    given.ridge = choice.ridges[i];
    const Model model = train(split.train, given).model;
    const double error = evaluate(model.predict(split.test.inputs), split.test.targets).all.mean_squared_error;
    EXPECT_NEAR(choice.held_out[i], 0.5 * error / (scale * scale), 0.1 * choice.held_out[i]);
    if (choice.ridges[i] == choice.ridge) {
      EXPECT_EQ(model.predict(split.test.inputs), result.model.predict(split.test.inputs));
    }
  }
}

TEST(RidgeChoice, RefusesValidationSamplesThatAreNotLikeTheData) {
  const Dataset data = noisy_teacher(40, 0.3);
  TrainOptions options{.hidden = {3}};
  const auto refused = [&](const auto& change) {
    options.validation = data;
    change(*options.validation);
    EXPECT_THROW(train(data, options), std::invalid_argument);
  };
  refused([](Dataset& d) { d.input_names[0] = "other"; });
  refused([](Dataset& d) { d.target_names[0] = "other"; });
  refused([](Dataset& d) { d.inputs.conservativeResize(Eigen::NoChange, 39); });
  refused([](Dataset& d) { d.inputs(0, 0) = std::numeric_limits<double>::quiet_NaN(); });
  refused([](Dataset& d) { d.sample_weights = -Vector::Ones(40); });
  options.loss = Loss::exact;
  refused([](Dataset&) {});
}

/// Every method under which a ridge is chosen: no curvature, terms, constraints, no polish, no hidden layer.
TEST(RidgeChoice, IsMadeForEveryRelaxation) {
  Dataset data = noisy_teacher(60, 0.3);
  std::vector<TrainOptions> all(6, TrainOptions{.hidden = {3}});
  all[0].loss = Loss{Loss::Kind::quantile, 0.8};
  all[1].nuclear = 1e-3;
  all[2].group_lasso = 1e-3;
  all[3].constraints.monotone = {{"u0", "y0"}};
  all[4].polish = false;
  all[5].hidden = {};
  for (TrainOptions& options : all) {
    options.iterations = 20;
    const TrainResult result = train(data, options);
    ASSERT_TRUE(result.ridge_choice);
    for (const double loss : result.ridge_choice->held_out) EXPECT_TRUE(std::isfinite(loss));
    for (const ConstraintCheck& check : result.constraints) EXPECT_GE(check.slack, 0) << check.name;
  }
}

TEST(RidgeChoice, EndsWithTheTimeOrTheUser) {
  const Dataset data = noisy_teacher(2000, 0.3);
  TrainOptions options{.hidden = {20}};
  options.should_stop = [] { return true; };
  const TrainResult stopped = train(data, options);
  EXPECT_TRUE(stopped.model.predict(data.inputs).allFinite());
  options.should_stop = {};
  options.time_limit = 1e-3;
  EXPECT_TRUE(train(data, options).model.predict(data.inputs).allFinite());
}

/// Samples that do not count are no help in choosing, wherever they lie.
TEST(RidgeChoice, IgnoresSamplesOfWeightZero) {
  Dataset data = noisy_teacher(60, 0.3);
  data.sample_weights = Vector::Zero(60);
  data.sample_weights.head(3).setOnes();
  const TrainResult result = train(data, TrainOptions{.hidden = {3}});
  EXPECT_TRUE(result.model.predict(data.inputs).allFinite());
}

}  // namespace
}  // namespace relufit
