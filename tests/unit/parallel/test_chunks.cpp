// The cut of the samples into chunks, and sums over them: the same for every number of ranks.
#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "base/random.h"
#include "parallel/chunks.h"
#include "support/thread_ranks.h"

namespace relufit {
namespace {

TEST(Chunks, OfAllRanksAreThoseOfOne) {
  for (const Index samples : {1, 255, 256, 257, 5000, 16384, 16385, 100000}) {
    const Chunks all(samples);
    EXPECT_LE(all.total(), Chunks::most);
    EXPECT_EQ(all.samples().size, samples);
    for (const int size : {1, 2, 3, 5, 64, 70}) {
      test::RankGroup(size).run([&](const Ranks& ranks) {
        const Chunks mine(samples, &ranks);
        EXPECT_EQ(mine.total(), all.total());
        for (Index i = 0; i < mine.count(); ++i) {
          const Range of_all = all[mine.first() + i];
          EXPECT_EQ(mine.samples().begin + mine[i].begin, of_all.begin);
          EXPECT_EQ(mine[i].size, of_all.size);
          EXPECT_GT(mine[i].size, 0);
        }
        const double others = largest_of(&ranks, static_cast<double>(mine.samples().begin + mine.samples().size));
        EXPECT_EQ(others, static_cast<double>(samples));
      });
    }
  }
}

TEST(ChunkSums, AreTheSameBitsForEveryNumberOfRanks) {
  Random random(3);
  for (const Index samples : {200, 300, 1000, 5 * 256, 16384, 16385, 12800}) {
    constexpr Index kSize = 13;
    const Matrix values = random.normal(kSize, Chunks(samples).total());
    const auto total = [&](const Ranks* ranks) {
      const Chunks chunks(samples, ranks);
      ChunkSums sums(chunks, kSize);
      Vector result;
      for (int repeated = 0; repeated < 2; ++repeated) {
        for (Index i = 0; i < chunks.count(); ++i) {
          sums.clear(i);
          sums[i] += values.col(chunks.first() + i);
        }
        result = sums.total();
      }
      return result;
    };
    const Vector expected = total(nullptr);
    EXPECT_LE((expected - values.rowwise().sum()).norm(), 1e-13 * values.norm());
    for (const int size : {1, 2, 3, 5, 7, 64, 66}) {
      test::RankGroup(size).run([&](const Ranks& ranks) { EXPECT_EQ(total(&ranks), expected) << size; });
    }
  }
}

TEST(Ranks, AgreeWithTheFirst) {
  test::RankGroup(4).run([](const Ranks& ranks) {
    EXPECT_EQ(agreed(&ranks, 3.0 + ranks.rank()), 3.0);
    EXPECT_TRUE(agreed(&ranks, ranks.rank() == 0));
    EXPECT_FALSE(agreed(&ranks, ranks.rank() != 0));
    EXPECT_EQ(largest_of(&ranks, -ranks.rank()), 0.0);
    std::string bytes = ranks.rank() == 0 ? "eleven, " + std::string(1, '\0') + "ab" : "other";
    broadcast(&ranks, bytes);
    EXPECT_EQ(bytes, "eleven, " + std::string(1, '\0') + "ab");
    const std::string mine(static_cast<std::size_t>(3 * ranks.rank()), 'x');
    const std::vector<std::string> all = gathered_bytes(&ranks, mine);
    EXPECT_EQ(all, (std::vector<std::string>{"", "xxx", "xxxxxx", "xxxxxxxxx"}));
    const Matrix columns = gathered_columns(&ranks, Matrix::Constant(2, ranks.rank(), ranks.rank()));
    EXPECT_EQ(columns.row(1), Eigen::RowVectorXd({{1, 2, 2, 3, 3, 3}}));
  });
}

TEST(Ranks, AllThrowWhatTheFirstOfThemSays) {
  for (const int bad : {0, 2, 3}) {
    test::RankGroup(4).run([bad](const Ranks& ranks) {
      const auto work = [&] {
        if (ranks.rank() >= bad) throw std::invalid_argument("rank " + std::to_string(ranks.rank()));
      };
      try {
        collectively(&ranks, work);
        ADD_FAILURE() << "nothing thrown";
      } catch (const std::invalid_argument& error) {
        EXPECT_EQ(error.what(), "rank " + std::to_string(bad));
      }
      collectively(&ranks, [] {});
    });
  }
}

TEST(Random, SkipsNormals) {
  for (const Index skipped : {0, 1, 2, 3, 10, 11}) {
    for (const Index before : {0, 1, 2}) {
      Random one(5);
      Random other(5);
      for (Index i = 0; i < before; ++i) one.normal();
      for (Index i = 0; i < before; ++i) other.normal();
      for (Index i = 0; i < skipped; ++i) one.normal();
      other.skip_normals(skipped);
      for (int i = 0; i < 5; ++i) EXPECT_EQ(one.normal(), other.normal());
      EXPECT_EQ(one.uniform(), other.uniform());
    }
  }
}

}  // namespace
}  // namespace relufit
