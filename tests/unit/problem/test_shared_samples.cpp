// A problem whose samples lie with several ranks is the same problem, to the last bit: its loss, objective, violations
// and gradient, the iterates of a relaxation, and the polished network.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "problem/network_errors.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"
#include "relufit/polish.h"
#include "relufit/sequence.h"
#include "support/thread_ranks.h"

namespace relufit {
namespace {

constexpr Index kSamples = 2900;  // 12 chunks, the last one not whole

struct Setting {
  std::string name;
  LiftedProblem problem;
};

LiftedProblem random_problem(unsigned seed, std::vector<Index> widths) {
  Random random(seed);
  LiftedProblem problem;
  problem.network.widths = std::move(widths);
  problem.inputs = random.normal(problem.network.inputs(), kSamples);
  problem.targets = random.normal(problem.network.outputs(), problem.network.inputs()) * problem.inputs.cwiseAbs() +
                    0.1 * random.normal(problem.network.outputs(), kSamples);
  problem.loss = Loss::squared;
  problem.ridge = 1;
  return problem;
}

std::vector<Setting> settings() {
  std::vector<Setting> all;
  all.push_back({"squared", random_problem(1, {4, 6, 1})});
  all.push_back({"deep, skip connections, two outputs", random_problem(2, {3, 5, 4, 2})});
  all.back().problem.network.skip_connections = true;
  all.push_back({"weights", random_problem(3, {4, 5, 1})});
  all.back().problem.sample_weights = all.back().problem.inputs.row(0).cwiseAbs().transpose();
  all.push_back({"logistic", random_problem(4, {4, 5, 1})});
  all.back().problem.loss = Loss::logistic;
  all.back().problem.targets = (all.back().problem.targets.array() > 2).cast<double>();
  all.push_back({"exact, no bias", random_problem(5, {4, 5, 1})});
  all.back().problem.loss = Loss::exact;
  all.back().problem.ridge = 0;
  all.back().problem.bias = false;
  all.push_back({"leaky ReLU, lasso", random_problem(6, {4, 5, 1})});
  all.back().problem.network.activation = Activation::leaky_relu(0.1);
  all.back().problem.weight_terms = {{WeightTerm::Kind::lasso, 1, 3.0, {}, {}}};
  all.push_back({"wide", random_problem(8, {20, 35, 3})});
  all.push_back({"linear, huber", random_problem(7, {4, 1})});
  all.back().problem.loss = Loss{Loss::Kind::huber, 0.3};
  return all;
}

LiftedProblem part_of(const LiftedProblem& problem, const Ranks* ranks) {
  if (ranks == nullptr) return problem;
  const Range mine = Chunks(problem.samples(), ranks).samples();
  LiftedProblem part = with_samples(problem, problem.inputs.middleCols(mine.begin, mine.size),
                                    problem.targets.middleCols(mine.begin, mine.size), weights_of(problem, mine));
  part.share = {ranks, problem.samples()};
  return part;
}

/// Everything about the problem, as numbers.
std::vector<double> numbers_of(const LiftedProblem& problem, int threads) {
  std::vector<double> numbers;
  const auto add = [&](const auto& values) {
    for (const double value : values.reshaped()) numbers.push_back(value);
  };
  SequenceOptions options;
  set_strategy(options, Strategy::inexact, 5);
  options.max_iterations = 4;
  options.threads = threads;
  if (problem.network.hidden_layers() == 0) set_strategy(options, Strategy::inexact, 20);
  const SequenceResult result =
      run_sequence(problem, random_parameters(problem, 1, 9), options, [&](const SequenceRecord& record, const auto&) {
        for (const double value :
             {record.objective, record.merit, record.loss, record.pair, record.product, record.fit})
          numbers.push_back(value);
        return true;
      });
  for (const Layer& layer : result.best_layers) {
    add(layer.weights);
    add(layer.bias);
  }
  numbers.push_back(relative_residual(problem, result.best_layers));
  numbers.push_back(network_loss(problem, result.best_layers));
  NetworkErrors errors(problem, threads);
  const Vector parameters = errors.pack(result.best_layers);
  Vector gradient(parameters.size());
  numbers.push_back(errors.loss(parameters, gradient));
  add(gradient);
  if (!problem.weight_terms.empty()) return numbers;
  PolishOptions polishing;
  polishing.threads = threads;
  polishing.max_iterations = 20;
  polishing.largest_dense = 0;
  const PolishResult polished = polish(problem, result.best_layers, polishing);
  numbers.push_back(polished.after);
  for (const Layer& layer : polished.layers) add(layer.weights);
  return numbers;
}

TEST(SharedSamples, AreTheSameProblem) {
  for (const Setting& setting : settings()) {
    const std::vector<double> expected = numbers_of(setting.problem, 1);
    EXPECT_EQ(numbers_of(setting.problem, 2), expected) << setting.name;
    for (const int size : {1, 2, 3, 5, 12}) {
      test::RankGroup(size).run([&](const Ranks& ranks) {
        EXPECT_EQ(numbers_of(part_of(setting.problem, &ranks), size == 2 ? 2 : 1), expected)
            << setting.name << " with " << size << " ranks";
      });
    }
  }
}

TEST(SharedSamples, ComeTogetherInAnyOrder) {
  const LiftedProblem problem = random_problem(8, {3, 2, 1});
  const std::vector<Index> some = {2899, 0, 17, 1500, 17, 256, 255, 2304};
  test::RankGroup(5).run([&](const Ranks& ranks) {
    const LiftedProblem together = on_samples(part_of(problem, &ranks), some);
    EXPECT_EQ(together.inputs, problem.inputs(Eigen::all, some));
    EXPECT_EQ(together.targets, problem.targets(Eigen::all, some));
    EXPECT_EQ(together.total_samples(), 8);
  });
}

}  // namespace
}  // namespace relufit
