// Success and time of the exact-fit searches over problems drawn from random networks.
//
//     build/release/bench_search E --seeds 40 --first-seed 1000 --time-limit 5
//
// A: 3-3-2 ReLU output, 30 samples   B: 3-5-3 ReLU output, 30 samples   C: 3-3-2, 30 samples   D: 5-5-2, 60 samples
// E: 10-10-1, 300 samples            Fk: k-k-1, 5 k^2 samples, output weights fixed to ones, no biases
// A problem with an output that is zero at every sample is reported apart: it is easier, and another problem.

#include "relufit/search.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <ctime>
#include <string>
#include <vector>

#include "base/random.h"
#include "relufit/fit.h"
#include "relufit/fixed_output.h"
#include "relufit/teacher.h"

namespace {

using relufit::Index;
using relufit::LiftedProblem;
using relufit::Matrix;
using relufit::OutputActivation;

constexpr double kSolved = 1e-9;

struct Kind {
  std::string name;
  std::vector<Index> widths;
  OutputActivation output;
  Index samples;
};

const std::vector<Kind> kKinds = {{"A", {3, 3, 2}, OutputActivation::relu, 30},
                                  {"B", {3, 5, 3}, OutputActivation::relu, 30},
                                  {"C", {3, 3, 2}, OutputActivation::linear, 30},
                                  {"D", {5, 5, 2}, OutputActivation::linear, 60},
                                  {"E", {10, 10, 1}, OutputActivation::linear, 300}};

struct Run {
  bool solved = false;
  double seconds = 0;
  Index runs = 0;
  double processor_seconds = 0;
};

bool has_dead_output(const LiftedProblem& problem) {
  return (problem.targets.rowwise().lpNorm<Eigen::Infinity>().array() == 0).any();
}

double plain_residual(const LiftedProblem& problem, const std::vector<relufit::Layer>& layers) {
  const Matrix outputs = relufit::Network(layers, problem.network.output).forward(problem.inputs);
  const double size = problem.targets.norm();
  return (outputs - problem.targets).norm() / (size > 0 ? size : 1);
}

LiftedProblem draw(const Kind& kind, unsigned long long seed) {
  const relufit::Teacher teacher = relufit::make_teacher(kind.widths, kind.output, kind.samples, seed);
  LiftedProblem problem;
  problem.inputs = teacher.inputs;
  problem.targets = teacher.targets;
  problem.network.widths = kind.widths;
  problem.network.output = kind.output;
  return problem;
}

Run search(const LiftedProblem& problem, unsigned long long seed, double time_limit) {
  relufit::SearchOptions options;
  options.seed = seed;
  options.time_limit = time_limit;
  options.max_runs = 1000000000;
  const relufit::SearchResult result = relufit::search_exact_fit(problem, options);
  return {plain_residual(problem, result.layers) <= kSolved, result.seconds, result.runs};
}

Run search_fixed_output(Index width, unsigned long long seed, double time_limit) {
  relufit::Random random(seed);
  LiftedProblem problem;
  problem.inputs = random.normal(width, 5 * width * width);
  problem.targets = problem.inputs.cwiseMax(0.0).colwise().sum();
  problem.network.widths = {width, width, 1};
  problem.bias = false;
  relufit::FixedOutputOptions options;
  options.seed = seed;
  options.time_limit = time_limit;
  const relufit::FixedOutputResult result = relufit::fit_fixed_output(problem, options);
  LiftedProblem test = problem;
  test.inputs = random.normal(width, 4000);
  test.targets = test.inputs.cwiseMax(0.0).colwise().sum();
  const bool solved = plain_residual(problem, result.layers) <= kSolved && plain_residual(test, result.layers) <= 1e-6;
  return {solved, result.seconds, result.starts};
}

void report(const std::string& title, const std::vector<Run>& runs) {
  if (runs.empty()) return;
  const auto n = static_cast<double>(runs.size());
  double solved = 0;
  double seconds = 0;
  double attempts = 0;
  double processor_seconds = 0;
  std::vector<double> times;
  for (const Run& run : runs) {
    solved += run.solved ? 1 : 0;
    seconds += run.seconds;
    processor_seconds += run.processor_seconds;
    attempts += static_cast<double>(run.runs);
    times.push_back(run.seconds);
  }
  std::sort(times.begin(), times.end());
  // Wilson's interval for the probability of success.
  constexpr double z = 1.959964;
  const double share = solved / n;
  const double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  fmt::print(
      "{}: {:.0f} of {:.0f} solved ({:.1f}%, 95% interval {:.1f} to {:.1f}), {:.4g} s per start (median {:.3g}, "
      "largest {:.3g}; processor {:.3g}), {:.4g} s to a success, {:.1f} runs per start, {:.3g} ms per run\n",
      title, solved, n, 100 * share, 100 * (middle - half), 100 * std::min(1.0, middle + half), seconds / n,
      times[times.size() / 2], times.back(), processor_seconds / n, seconds / std::max(1.0, solved), attempts / n,
      1e3 * seconds / attempts);
}

}  // namespace

int main(int argc, char** argv) {
  std::string name;
  unsigned long long seeds = 40;
  unsigned long long first_seed = 1000;
  double time_limit = 0;
  CLI::App app("Success and time of the exact-fit searches");
  app.add_option("problem", name, "Kind of problem, A to E, or F and a width (F20)")->required();
  app.add_option("--seeds", seeds, "Problems to draw")->capture_default_str();
  app.add_option("--first-seed", first_seed, "Seed of the first problem")->capture_default_str();
  app.add_option("--time-limit", time_limit, "Seconds per problem (0: none)")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::vector<Run> alive;
  std::vector<Run> dead;
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& entry) { return entry.name == name; });
  const bool fixed = name.size() > 1 && name[0] == 'F' && name.find_first_not_of("0123456789", 1) == std::string::npos;
  if (kind == kKinds.end() && !fixed) {
    fmt::print(stderr, "problem: '{}', expected A, B, C, D, E, or F and a width\n", name);
    return 1;
  }
  for (unsigned long long seed = first_seed; seed < first_seed + seeds; ++seed) {
    const LiftedProblem problem = fixed ? LiftedProblem() : draw(*kind, seed);
    const std::clock_t begin = std::clock();
    Run run =
        fixed ? search_fixed_output(std::stol(name.substr(1)), seed, time_limit) : search(problem, seed, time_limit);
    run.processor_seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    (!fixed && has_dead_output(problem) ? dead : alive).push_back(run);
  }
  report(name, alive);
  report(name + " (an output is zero)", dead);
  return 0;
}
