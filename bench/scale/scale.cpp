// What one iteration costs on several processes: seconds, bytes that a process sends, and memory.
//
//     mpirun -n 4 build/mpi/bench_scale --samples 100000 --inputs 50 --hidden 100
//
// Prints one line of JSON. `relaxation`: an iteration of the subproblem solver, of those that are four in five with the
// strategy inexact; `polish`: the loss and its gradient, once. bench/scale/scale.py runs it for many sizes and draws
// the law.

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "parallel/chunks.h"
#include "problem/network_errors.h"
#include "relufit/mpi_ranks.h"
#include "relufit/subproblem.h"

namespace {

using namespace relufit;

/// Ranks that count what they send.
class CountingRanks : public Ranks {
 public:
  explicit CountingRanks(const Ranks& ranks) : ranks_(ranks) {}
  int size() const override { return ranks_.size(); }
  int rank() const override { return ranks_.rank(); }
  void gather(const double* mine, const std::vector<Index>& counts, double* all) const override {
    ranks_.gather(mine, counts, all);
    sent_ += 8.0 * static_cast<double>(counts[static_cast<std::size_t>(rank())]);
    ++rounds_;
  }
  double sent() const { return sent_; }
  double rounds() const { return rounds_; }

 private:
  const Ranks& ranks_;
  mutable double sent_ = 0, rounds_ = 0;
};

struct Arguments {
  Index samples = 100000, inputs = 50, hidden = 100, iterations = 10;
  int threads = 1;
};

/// Each chunk from a seed of its own: the same data for every number of processes.
LiftedProblem make_problem(const Arguments& a, const Ranks& ranks) {
  LiftedProblem problem;
  problem.network.widths = {a.inputs, a.hidden, 1};
  problem.loss = Loss::squared;
  problem.ridge = 1e-3 * static_cast<double>(a.samples);
  problem.share = {&ranks, a.samples};
  const Chunks chunks = Chunks::of(problem);
  problem.inputs.resize(a.inputs, chunks.samples().size);
  problem.targets.resize(1, chunks.samples().size);
  for (Index i = 0; i < chunks.count(); ++i) {
    Random random(static_cast<unsigned long long>(1 + chunks.first() + i));
    const Range mine = chunks[i];
    problem.inputs.middleCols(mine.begin, mine.size) = random.normal(a.inputs, mine.size);
    problem.targets.middleCols(mine.begin, mine.size) = random.normal(1, mine.size);
  }
  return problem;
}

struct Cost {
  double seconds = 0, sent = 0, rounds = 0;  // per iteration
};

/// Of the fastest of three calls, each of so many iterations.
template <class Work>
Cost cost_of(const CountingRanks& ranks, Index iterations, Work&& work) {
  const auto count = static_cast<double>(iterations);
  Cost cost{std::numeric_limits<double>::infinity()};
  work(iterations);
  for (int round = 0; round < 3; ++round) {
    const double sent = ranks.sent();
    const double rounds = ranks.rounds();
    const Clock clock;
    work(iterations);
    cost.seconds = std::min(cost.seconds, largest_of(&ranks, clock.seconds()) / count);
    cost.sent = (ranks.sent() - sent) / count;
    cost.rounds = (ranks.rounds() - rounds) / count;
  }
  return cost;
}

std::string json_of(const Cost& cost) {
  return fmt::format(R"({{"seconds": {:.6g}, "bytes": {:.0f}, "rounds": {:.3g}}})", cost.seconds, cost.sent,
                     cost.rounds);
}

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Cost of an iteration on several processes"};
  Arguments a;
  app.add_option("--samples", a.samples, "Of all processes");
  app.add_option("--inputs", a.inputs);
  app.add_option("--hidden", a.hidden, "Units of one hidden layer");
  app.add_option("--iterations", a.iterations, "Timed together");
  app.add_option("--threads", a.threads, "Of every process");
  CLI11_PARSE(app, argc, argv);

  const MpiRanks world;
  const CountingRanks ranks(world);
  const LiftedProblem problem = make_problem(a, ranks);
  NetworkErrors errors(problem, a.threads);
  Vector parameters = 0.1 * Vector(Random(7).normal(errors.parameter_count(), 1));
  Vector gradient(parameters.size());
  const Cost polish = cost_of(ranks, a.iterations, [&](Index iterations) {
    for (Index i = 0; i < iterations; ++i) errors.loss(parameters, gradient);
  });
  const double polish_memory = largest_of(&ranks, peak_bytes());

  SubproblemSolver solver(problem, {100, 100}, {100, 100, 100}, a.threads);
  solver.set_parameters(with_scales(random_parameters(problem, 1, 3), {}));
  SubproblemOptions options;
  options.tolerance = 0;
  options.accelerate = options.adapt_penalties = false;
  options.check_interval = 1000000;
  const Cost relaxation = cost_of(ranks, a.iterations, [&](Index iterations) {
    options.max_iterations = iterations;
    solver.solve(options);
  });
  const double memory = largest_of(&ranks, peak_bytes());
  if (world.rank() > 0) return 0;
  fmt::print(R"({{"samples": {}, "inputs": {}, "hidden": {}, "processes": {}, "threads": {}, "relaxation": {}, )"
             R"("polish": {}, "memory": {:.0f}, "polish_memory": {:.0f}}})"
             "\n",
             a.samples, a.inputs, a.hidden, world.size(), a.threads, json_of(relaxation), json_of(polish), memory,
             polish_memory);
  return 0;
}
