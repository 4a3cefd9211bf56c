// What an iteration of the subproblem solver costs per pair (hidden unit and sample), in time and memory, beside the
// floor that the machine sets, measured in turn with it.
//
//     build/release/bench_speed                       10-20-1 and 50-100-1, one and two threads
//     build/release/bench_speed --hidden 20 --inputs 10 --samples 1000 100000 --threads 1
//
// Columns, per pair: nanoseconds of an iteration with fixed parameters, and of one of five between two changes of the
// parameters (Strategy::inexact, the changes included); peak bytes of the process in the latter, data included; floor
// by bandwidth (triad) and by products (DGEMM, of Eigen as the library is compiled), in nanoseconds; and both times
// over the larger of the two. All times are the least of several rounds.
//
// The floor counts what two passes over the samples cannot do without, for k units, m outputs and a row space of
// dimension r. Numbers moved per pair: H, S and the lower part of M read twice and written once, X and Y of the pairs,
// Y of the product, the pairs' minimizers written and read: 15, and twice r / k. Products per sample: T M (k + m)^2, M
// M' half of it, a target times Y' k^2, two targets times Q and two results times Q' 4 k r multiply-adds.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <limits>
#include <vector>

#include "linear_algebra/products.h"
#include "parallel/chunks.h"
#include "parallel/workers.h"
#include "relufit/sequence.h"
#include "relufit/teacher.h"

namespace {

using relufit::Index;
using relufit::Matrix;
using relufit::Vector;

constexpr int kRounds = 5;

/// Seconds of the fastest call so far: of the processor for one thread, which others on the machine disturb less, else
/// of the clock.
class Fastest {
 public:
  explicit Fastest(int threads) : clock_(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC) {}

  template <class Work>
  void time(Work&& work) {
    const double begin = now();
    work();
    seconds_ = std::min(seconds_, now() - begin);
  }
  double seconds() const { return seconds_; }

 private:
  double now() const {
    timespec time{};
    clock_gettime(clock_, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

  clockid_t clock_;
  double seconds_ = std::numeric_limits<double>::infinity();
};

/// a = b + c d over arrays larger than the caches, and products of matrices that fit them: all threads at once.
class Machine {
 public:
  explicit Machine(int threads) : workers_(threads), threads_(threads), triad_(threads), products_(threads) {
    for (Vector& array : arrays_) array = Vector::Ones(kEntries);
    factors_.assign(static_cast<std::size_t>(threads), Matrix::Ones(kOrder, kOrder));
    results_ = factors_;
  }

  void measure() {
    triad_.time([&] { workers_.run(kPieces, [&](Index i) { triad(i); }); });
    products_.time([&] { workers_.run(threads_, [&](Index i) { multiply(static_cast<std::size_t>(i)); }); });
  }
  double seconds_per_number() const { return triad_.seconds() / (3.0 * kEntries); }
  double seconds_per_multiply_add() const {
    return products_.seconds() / (static_cast<double>(kOrder * kOrder * kOrder) * kProducts * threads_);
  }

 private:
  static constexpr Index kEntries = Index{1} << 23;  // 64 MB an array
  static constexpr Index kPieces = 64;
  static constexpr Index kOrder = 192;
  static constexpr int kProducts = 20;

  void triad(Index i) {
    constexpr Index size = kEntries / kPieces;
    arrays_[0].segment(i * size, size) = arrays_[1].segment(i * size, size) + 3.0 * arrays_[2].segment(i * size, size);
  }
  void multiply(std::size_t i) {
    for (int k = 0; k < kProducts; ++k) relufit::set_product(results_[i], factors_[i], factors_[i]);
  }

  relufit::Workers workers_;
  int threads_;
  Vector arrays_[3];
  std::vector<Matrix> factors_, results_;
  Fastest triad_, products_;
};

struct Size {
  Index inputs, hidden, samples;

  double pairs() const { return static_cast<double>(hidden * samples); }
};

relufit::LiftedProblem make_problem(const Size& size) {
  relufit::LiftedProblem problem;
  problem.network.widths = {size.inputs, size.hidden, 1};
  relufit::Teacher teacher = make_teacher(problem.network.widths, relufit::OutputActivation::linear, size.samples, 1);
  problem.inputs = std::move(teacher.inputs);
  problem.targets = std::move(teacher.targets);
  problem.loss = relufit::Loss::squared;
  return problem;
}

relufit::SequenceOptions sequence_options(int threads, Index iterations) {
  relufit::SequenceOptions options;
  set_strategy(options, relufit::Strategy::inexact, 5);
  options.subproblem.check_interval = 1000000;
  options.threads = threads;
  options.max_iterations = iterations;
  options.record_interval = iterations;
  return options;
}

double run_sequence(const relufit::LiftedProblem& problem, int threads, Index iterations) {
  return relufit::run_sequence(problem, relufit::random_parameters(problem, 0.5, 2),
                               sequence_options(threads, iterations))
      .best_value;
}

double floor_seconds(const Size& size, double per_number, double per_multiply_add, bool products) {
  const auto k = static_cast<double>(size.hidden);
  const auto rank = static_cast<double>(size.inputs + 1);
  if (!products) return (15 + 2 * rank / k) * per_number;
  return (1.5 * (k + 1) * (k + 1) + k * k + 4 * k * rank) / k * per_multiply_add;
}

/// Peak bytes of this process so far.
double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

/// Runs the work in a process of its own, whose memory is then its alone.
template <class Work>
void isolate(Work&& work) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    work();
    std::fflush(stdout);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

void print_memory(const Size& size, int threads) {
  const double before = peak_bytes();
  run_sequence(make_problem(size), threads, 3);
  fmt::print(" {:6.0f}", (peak_bytes() - before) / size.pairs());
}

void print_times(const Size& size, int threads, Index changes) {
  const relufit::LiftedProblem problem = make_problem(size);
  relufit::SubproblemSolver solver(problem, {}, {}, threads);
  relufit::RelaxationParameters parameters = relufit::random_parameters(problem, 0.5, 2);
  solver.refer_to(parameters, {});
  relufit::SubproblemOptions options = sequence_options(threads, 1).subproblem;
  for (Index i = 0; i < changes; ++i) {
    solver.solve(options);
    move_parameters(solver.point(), parameters);
    solver.refer_to(parameters, {});
  }
  const auto repeats = std::max<Index>(1, 500000 / (size.hidden * size.samples));
  options.max_iterations = 5 * repeats;
  solver.solve(options);

  Machine machine(threads);
  Fastest fixed(threads), few(threads), many(threads);
  for (int round = 0; round < kRounds; ++round) {
    machine.measure();
    fixed.time([&] { solver.solve(options); });
    few.time([&] { run_sequence(problem, threads, 1); });  // to subtract, set-up and all
    many.time([&] { run_sequence(problem, threads, 1 + repeats); });
  }
  const auto nanoseconds = [&](double seconds) { return 1e9 * seconds; };
  const double scale = size.pairs() * static_cast<double>(5 * repeats);
  const double iteration = nanoseconds(fixed.seconds() / scale);
  const double changing = nanoseconds((many.seconds() - few.seconds()) / scale);
  const double numbers =
      nanoseconds(floor_seconds(size, machine.seconds_per_number(), machine.seconds_per_multiply_add(), false));
  const double products =
      nanoseconds(floor_seconds(size, machine.seconds_per_number(), machine.seconds_per_multiply_add(), true));
  const double floor = std::max(numbers, products);
  fmt::print(" {:9.2f} {:9.2f} {:9.2f} {:9.2f} {:7.2f} {:7.2f}   {:.1f} GB/s, {:.1f} Gflop/s\n", iteration, changing,
             numbers, products, iteration / floor, changing / floor, 8e-9 / machine.seconds_per_number(),
             2e-9 / machine.seconds_per_multiply_add());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Cost of an iteration of the subproblem solver per pair, beside the machine's floor");
  Index inputs = 0, hidden = 0, changes = 0;
  std::vector<Index> samples{1000, 10000, 100000, 200000};
  std::vector<int> threads{1, 2};
  app.add_option("--inputs", inputs, "width of the data; with --hidden, in place of 10-20-1 and 50-100-1");
  app.add_option("--hidden", hidden, "hidden units");
  app.add_option("--samples", samples, "numbers of samples");
  app.add_option("--threads", threads, "numbers of threads");
  app.add_option("--changes", changes, "of the parameters before they are fixed: the later, the nearer to a solution");
  CLI11_PARSE(app, argc, argv);

  std::vector<std::pair<Index, Index>> networks{{10, 20}, {50, 100}};
  if (inputs > 0 && hidden > 0) networks = {{inputs, hidden}};
  fmt::print("{:>10} {:>8} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}\n", "network", "samples", "threads", "bytes",
             "ns fixed", "changing", "triad", "DGEMM", "ratio", "ratio");
  for (const auto& [n0, k] : networks) {
    for (const Index n : samples) {
      for (const int count : threads) {
        const Size size{n0, k, n};
        fmt::print("{:>10} {:>8} {:>7}", fmt::format("{}-{}-1", n0, k), n, count);
        isolate([&] { print_memory(size, count); });
        isolate([&] { print_times(size, count, changes); });
      }
    }
  }
  return 0;
}
