// Exact fits by the relaxation: a start is a race of short relaxations.
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "relufit/teacher.h"
#include "relufit/train.h"
#include "support/named_data.h"

namespace relufit {
namespace {

using testing_data::dataset;

Dataset teacher_data(unsigned seed) {
  const Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::linear, 30, seed);
  return dataset(teacher.inputs, teacher.targets);
}

TrainOptions relaxation() {
  TrainOptions options{.hidden = {3}, .loss = Loss::exact};
  options.method = Method::relaxation;
  return options;
}

void expect_same_network(const TrainResult& a, const TrainResult& b) {
  EXPECT_EQ(a.best_start, b.best_start);
  EXPECT_EQ(a.status, b.status);
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(a.model.network.layers()[l].weights, b.model.network.layers()[l].weights);
    EXPECT_EQ(a.model.network.layers()[l].bias, b.model.network.layers()[l].bias);
  }
}

/// One candidate in three is exact here (docs/strategies.md): that 30 of them fail on all of 4 problems has a
/// probability below 1e-13.
TEST(ExactRace, FindsTeachers) {
  int exact = 0;
  for (unsigned seed = 40; seed < 44; ++seed) {
    const TrainResult result = train(teacher_data(seed), relaxation());
    const bool converged = result.status == SequenceStatus::converged;
    EXPECT_EQ(converged, result.evaluation.all.relative_residual <= 1e-9) << seed;
    exact += converged;
  }
  EXPECT_GE(exact, 1);
}

TEST(ExactRace, DoesNotDependOnThreads) {
  const Dataset data = teacher_data(50);
  TrainOptions options = relaxation();
  options.starts = 3;
  options.candidates = 2;
  const TrainResult one = train(data, options);
  options.threads = 3;
  expect_same_network(one, train(data, options));
}

TEST(ExactRace, MoreCandidatesAreNeverWorse) {
  const Dataset data = teacher_data(51);
  TrainOptions options = relaxation();
  options.iterations = 20;
  double before = std::numeric_limits<double>::infinity();
  for (const Index candidates : {1, 2, 4, 8}) {
    options.candidates = candidates;
    const double residual = train(data, options).evaluation.all.relative_residual;
    EXPECT_LE(residual, before * (1 + 1e-9)) << candidates;
    before = residual;
  }
}

TEST(ExactRace, IsForWhatItsConstantsAreFor) {
  EXPECT_TRUE(plan(relaxation()).exact_race);
  EXPECT_EQ(plan(relaxation()).candidates, 30);
  const auto races = [](auto change) {
    TrainOptions options = relaxation();
    change(options);
    return plan(options).exact_race;
  };
  EXPECT_FALSE(races([](TrainOptions& o) { o.hidden = {3, 3}; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.polish = false; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.ridge = 0.1; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.init = ZeroStart{}; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.strategy = Strategy::converged; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.inner_iterations = 0; }));
  EXPECT_FALSE(races([](TrainOptions& o) { o.activation = Activation::hard_tanh; }));
  EXPECT_TRUE(races([](TrainOptions& o) { o.inner_iterations = 2; }));
}

TEST(ExactRace, GivenConstantsReplaceItsOwn) {
  TrainOptions options = relaxation();
  options.penalty_product = 0.5;
  options.lambda_pair = 7;
  options.over_relaxation = 1.1;
  const SequenceOptions relaxation = plan(options).relaxation;
  EXPECT_EQ(relaxation.penalties.product, 0.5);
  EXPECT_EQ(relaxation.weights.pair, 7);
  EXPECT_EQ(relaxation.subproblem.over_relaxation, 1.1);
  EXPECT_NE(relaxation.penalties.pair, Penalties().pair);
  for (const double bad : {0., 2., -1., std::numeric_limits<double>::quiet_NaN()}) {
    options.over_relaxation = bad;
    EXPECT_THROW(plan(options), std::invalid_argument);
  }
  options.over_relaxation = 1;
  options.penalty_pair = 0;
  EXPECT_THROW(plan(options), std::invalid_argument);
}

}  // namespace
}  // namespace relufit
