// Cost of one iteration of the subproblem solver against the number of samples, at 10-20-1 and 3-3-2, without
// acceleration.
//
//     build/release/bench_iteration

#include <benchmark/benchmark.h>

#include "relufit/sequence.h"
#include "relufit/teacher.h"

namespace {

using relufit::Index;

void iterate(benchmark::State& state, const std::vector<Index>& widths, int threads) {
  const Index samples = state.range(0);
  const relufit::Teacher teacher = make_teacher(widths, relufit::OutputActivation::linear, samples, 1);
  relufit::LiftedProblem problem;
  problem.inputs = teacher.inputs;
  problem.targets = teacher.targets;
  problem.widths = widths;
  relufit::SubproblemSolver solver(problem, {}, {}, threads);
  solver.set_parameters(relufit::random_parameters(problem, 0.5, 2));
  relufit::SubproblemOptions options;
  options.tolerance = 0;
  options.accelerate = false;
  options.adapt_penalties = false;
  options.check_interval = 1000000;
  options.max_iterations = std::max<Index>(3, 300000 / samples);
  Index iterations = 0;
  for (auto _ : state) iterations += solver.solve(options).iterations;
  state.counters["seconds_per_iteration"] =
      benchmark::Counter(static_cast<double>(iterations), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetComplexityN(samples);
}

void wide(benchmark::State& state) { iterate(state, {10, 20, 1}, 1); }
void wide_two_threads(benchmark::State& state) { iterate(state, {10, 20, 1}, 2); }
void small(benchmark::State& state) { iterate(state, {3, 3, 2}, 1); }

}  // namespace

BENCHMARK(small)->Arg(30)->Arg(300);
BENCHMARK(wide)->Arg(1000)->Arg(10000)->Arg(100000)->MeasureProcessCPUTime();
BENCHMARK(wide_two_threads)->Arg(1000)->Arg(10000)->Arg(100000)->UseRealTime();
BENCHMARK_MAIN();
