// Teams of threads.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "parallel/chunks.h"
#include "parallel/workers.h"

namespace relufit {
namespace {

TEST(Workers, HandOnWhatATaskThrowsAndGoOn) {
  for (const int threads : {1, 2, 5}) {
    Workers workers(threads);
    for (const Index bad : {0, 7, 63}) {
      const auto task = [bad](Index i) {
        if (i == bad) throw std::out_of_range("task");
      };
      EXPECT_THROW(workers.run(64, task), std::out_of_range);
      EXPECT_THROW(workers.run(64, [](Index) { throw std::bad_alloc(); }), std::bad_alloc);
      std::atomic<Index> sum{0};
      workers.run(64, [&sum](Index i) { sum += i; });
      EXPECT_EQ(sum, 64 * 63 / 2);
    }
  }
}

}  // namespace
}  // namespace relufit
