// Iterating allocates nothing: solve() asks for memory equally often whatever the number of iterations. Every
// allocation of this executable is counted, C++ and Eigen's alike, by taking the place of glibc's malloc.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "relufit/subproblem.h"
#include "support/random.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RELUFIT_COUNTS_ALLOCATIONS 1
#else
#define RELUFIT_COUNTS_ALLOCATIONS 0
#endif

namespace {
std::atomic<long> allocations{0};
}

#if RELUFIT_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory != nullptr || size == 0 ? 0 : ENOMEM;
}
}
#endif

namespace relufit {
namespace {

using testing_random::Generator;

struct Case {
  std::vector<Index> widths;
  Index samples;
  OutputActivation output;
  int threads;
  Loss loss = Loss::squared;
};

class Allocation : public ::testing::TestWithParam<Case> {
 protected:
  static long during(SubproblemSolver& solver, Index iterations, bool accelerate) {
    SubproblemOptions options;
    options.tolerance = 0;
    options.adapt_penalties = false;
    options.accelerate = accelerate;
    options.max_iterations = iterations;
    const long before = allocations;
    solver.solve(options);
    return allocations - before;
  }
};

TEST(AllocationCounter, Counts) {
  if (!RELUFIT_COUNTS_ALLOCATIONS) GTEST_SKIP() << "no counter under sanitizers";
  const long before = allocations;
  void* plain = ::operator new(8);  // unlike a new expression, not to be optimized away
  const Matrix matrix = Matrix::Zero(10, 10);
  const long counted = allocations - before;
  ::operator delete(plain);
  EXPECT_EQ(matrix.norm(), 0);
  EXPECT_EQ(counted, 2);
}

TEST_P(Allocation, DoesNotGrowWithIterations) {
  if (!RELUFIT_COUNTS_ALLOCATIONS) GTEST_SKIP() << "no counter under sanitizers";
  const Case& test = GetParam();
  Generator random(1);
  LiftedProblem problem =
      testing_random::teacher_problem(random, test.widths, test.samples, test.output, test.loss, 0.1).problem;
  if (is_for_classes(test.loss)) {
    problem.targets = testing_random::random_targets(random, test.loss, test.widths.back(), test.samples);
  }
  SubproblemSolver solver(problem, {}, {}, test.threads);
  solver.set_parameters(testing_random::random_parameters(random, problem, 0.5));
  const Index many = test.widths.front() > 8 ? 110 : 1000;
  for (const bool accelerate : {false, true}) {
    during(solver, 20, accelerate);  // what is set up on first use is set up
    const long few = during(solver, 10, accelerate);
    EXPECT_EQ(during(solver, many, accelerate), few) << (accelerate ? "accelerated" : "plain");
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Allocation,
                         ::testing::Values(Case{{3, 3, 2}, 30, OutputActivation::relu, 1},
                                           Case{{3, 3, 2}, 1000, OutputActivation::linear, 1},
                                           Case{{1, 1, 1}, 1, OutputActivation::linear, 1},
                                           Case{{10, 10, 1}, 300, OutputActivation::linear, 2},
                                           Case{{3, 5, 4, 2}, 30, OutputActivation::relu, 1},
                                           Case{{8, 20, 5}, 129, OutputActivation::relu, 1},
                                           Case{{20, 16, 10, 4}, 500, OutputActivation::linear, 2},
                                           Case{{64, 32, 10}, 30, OutputActivation::relu, 1},
                                           Case{{64, 32, 10}, 1000, OutputActivation::relu, 1},
                                           Case{{4, 3, 2}, 40, OutputActivation::linear, 1, Loss::huber(0.5)},
                                           Case{{4, 3, 2}, 50, OutputActivation::linear, 1, Loss::logistic},
                                           Case{{4, 3, 3}, 60, OutputActivation::linear, 2, Loss::cross_entropy}),
                         [](const auto& test) {
                           std::string name;
                           for (const Index width : test.param.widths) name += std::to_string(width) + "_";
                           return name + "N" + std::to_string(test.param.samples);
                         });

}  // namespace
}  // namespace relufit
