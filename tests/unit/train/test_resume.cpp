// A training that is gone on with from any of its checkpoints ends as the one that was not ended: bit for bit.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "support/same_training.h"
#include "support/training_cases.h"

namespace relufit {
namespace {

using testing_trainings::Case;
using testing_trainings::expect_same;

constexpr double kNever = 1e9;
constexpr std::size_t kMostResumed = 40;  // checkpoints of one training that are gone on from, evenly over all of it

class Resume : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("relufit_resume_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return (folder_ / "c.ckpt").string(); }

  TrainResult resumed(const Case& test, double interval = kNever) const {
    TrainOptions options = test.options;
    options.checkpoint = file();
    options.checkpoint_interval = interval;
    options.resume = true;
    return train(test.data, options);
  }

  std::filesystem::path folder_;
};

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The contents that the checkpoint had whenever training asked whether to stop.
class Witness {
 public:
  explicit Witness(std::string file) : file_(std::move(file)) {}

  bool look() {
    const std::lock_guard lock(mutex_);
    std::string content = read_file(file_);
    if (!content.empty() && (seen_.empty() || content != seen_.back())) seen_.push_back(std::move(content));
    return false;
  }

  /// Some of them, the first and the last among these.
  std::vector<std::string> seen() {
    look();
    std::vector<std::string> some;
    const double step = std::max(1.0, static_cast<double>(seen_.size() - 1) / static_cast<double>(kMostResumed - 1));
    for (double at = 0; at <= static_cast<double>(seen_.size() - 1) + 1e-6; at += step) {
      some.push_back(seen_[static_cast<std::size_t>(std::lround(at))]);
    }
    return some;
  }
  std::size_t count() const { return seen_.size(); }

 private:
  std::string file_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
};

TEST_P(Resume, FromEveryCheckpointEndsWithTheSameBits) {
  const Case& test = GetParam();
  const TrainResult plain = train(test.data, test.options);
  Witness witness(file());
  TrainOptions options = test.options;
  options.checkpoint = file();
  options.checkpoint_interval = 0;
  options.should_stop = [&] { return witness.look(); };
  {
    SCOPED_TRACE("not resumed");
    expect_same(train(test.data, options), plain);
  }
  const std::vector<std::string> checkpoints = witness.seen();
  EXPECT_GE(witness.count(), 3U);
  for (std::size_t i = 0; i < checkpoints.size() && !HasFailure(); ++i) {
    SCOPED_TRACE("checkpoint " + std::to_string(i) + " of " + std::to_string(checkpoints.size()));
    std::ofstream(file(), std::ios::binary) << checkpoints[i];
    const TrainResult result = resumed(test);
    expect_same(result, plain);
    EXPECT_GT(result.seconds_before, 0);
    EXPECT_GE(result.model.training.seconds, result.seconds_before);
  }
}

/// Interrupted again and again, a little later each time, with nothing written but at the end of each.
TEST_P(Resume, AfterInterruptsEndsWithTheSameBits) {
  const Case& test = GetParam();
  const TrainResult plain = train(test.data, test.options);
  TrainOptions options = test.options;
  options.checkpoint = file();
  options.checkpoint_interval = kNever;
  options.resume = true;
  long asked = 0, most = 20;
  std::mutex mutex;
  options.should_stop = [&] {
    const std::lock_guard lock(mutex);
    return ++asked > most;
  };
  TrainResult result;
  int trainings = 0;
  do {
    asked = 0;
    most = most * 3 / 2;
    result = train(test.data, options);
    ++trainings;
  } while (asked > most);
  EXPECT_GT(trainings, 1);
  expect_same(result, plain);
  // What is finished is not done again.
  asked = 0;
  expect_same(train(test.data, options), plain);
  EXPECT_LE(asked, 200);
}

const auto name_of = [](const auto& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == ','; }, '_');
  return name;
};
INSTANTIATE_TEST_SUITE_P(Sequences, Resume, ::testing::ValuesIn(testing_trainings::sequences()), name_of);
INSTANTIATE_TEST_SUITE_P(Trainings, Resume, ::testing::ValuesIn(testing_trainings::trainings()), name_of);

}  // namespace
}  // namespace relufit
