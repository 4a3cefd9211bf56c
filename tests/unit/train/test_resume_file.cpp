// Checkpoint files of trainings: with many samples, time limits and observers, and those that are refused.
#include "support/same_training.h"
#include "support/training_cases.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_trainings::Case;
using testing_trainings::expect_same;
using testing_trainings::monotone;
using testing_trainings::sequence;
using testing_trainings::smooth_data;
using testing_trainings::whole;

constexpr double kNever = 1e9;

using ResumeFile = testing_io::FileTest;

/// Large enough to iterate without acceleration, and for several chunks of samples.
TEST_F(ResumeFile, GoesOnWithManySamples) {
  Case test = sequence("", Strategy::inexact, 25, 3);
  test.data = smooth_data(700, 2);
  const TrainResult plain = train(test.data, test.options);
  TrainOptions options = test.options;
  options.checkpoint = path("c.ckpt");
  options.resume = true;
  int asked = 0;
  options.should_stop = [&] { return ++asked == 37; };
  EXPECT_EQ(train(test.data, options).status, SequenceStatus::interrupted);
  options.should_stop = {};
  options.threads = 2;
  expect_same(train(test.data, options), plain);
}

/// Where descents on batches choose the ridge and train, and are interrupted in each.
TEST_F(ResumeFile, GoesOnWithLargeData) {
  const Case test = whole(
      "", [](TrainOptions& o) { o.hidden = {2}; }, smooth_data(20001));
  const TrainResult plain = train(test.data, test.options);
  EXPECT_EQ(plain.starts.front().polish_iterations, 12000);
  TrainOptions options = test.options;
  options.checkpoint = path("c.ckpt");
  options.checkpoint_interval = kNever;
  options.resume = true;
  for (const int most : {150, 500}) {  // questions: 63 or so for each of the ridges, then 750
    int asked = 0;
    options.should_stop = [&] { return ++asked > most; };
    train(test.data, options);
    EXPECT_GT(asked, most);
  }
  options.should_stop = {};
  options.threads = 2;
  expect_same(train(test.data, options), plain);
}

TEST_F(ResumeFile, GoesOnAfterATimeLimitWithALargerOne) {
  Case test = sequence("", Strategy::inexact, 5, 200000);
  test.options.tolerance = 1e-300;
  test.options.stall_window = 0;
  TrainOptions options = test.options;
  options.checkpoint = path("c.ckpt");
  options.resume = true;
  options.time_limit = 0.05;
  const TrainResult first = train(test.data, options);
  ASSERT_EQ(first.status, SequenceStatus::time_limit);
  options.time_limit = 0.15;
  const TrainResult second = train(test.data, options);
  EXPECT_EQ(second.status, SequenceStatus::time_limit);
  EXPECT_GE(second.seconds_before, 0.05);
  EXPECT_GE(second.model.training.seconds, 0.15);
  // It went on from the records of the first, but for one at which that may have been cut short.
  const auto& records = second.starts[0].trace;
  ASSERT_GE(records.size(), first.starts[0].trace.size());
  for (std::size_t i = 0; i + 1 < first.starts[0].trace.size(); ++i) {
    EXPECT_EQ(records[i].seconds, first.starts[0].trace[i].seconds);
  }
  for (std::size_t i = 0; i + 1 < records.size(); ++i) EXPECT_LE(records[i].seconds, records[i + 1].seconds);
}

TEST_F(ResumeFile, ShowsAnObserverWhatIsNewAlone) {
  Case test = sequence("", Strategy::inexact, 5, 40);
  TrainOptions options = test.options;
  options.checkpoint = path("c.ckpt");
  options.resume = true;
  std::vector<Index> seen;
  double best = 0;
  const auto watch = [&](Index last) {
    return [&seen, &best, last](const TrainProgress& progress) {
      seen.push_back(progress.record.iteration);
      best = progress.best_value;
      return progress.record.iteration < last;
    };
  };
  train(test.data, options, watch(10));
  const std::size_t before = seen.size();
  const TrainResult result = train(test.data, options, watch(1000));
  ASSERT_LT(before, seen.size());
  EXPECT_EQ(seen[before - 1], 10);
  EXPECT_EQ(seen[before], 12);
  double least = std::numeric_limits<double>::infinity();
  for (const SequenceRecord& record : result.starts[0].trace) least = std::min(least, record.loss);
  EXPECT_EQ(best, least);
}

TEST_F(ResumeFile, RefusesOtherDataAndOptions) {
  const Case test = sequence("", Strategy::inexact, 5, 10);
  TrainOptions options = test.options;
  options.checkpoint = path("c.ckpt");
  train(test.data, options);
  const std::string content = read(path("c.ckpt"));
  options.resume = true;
  const auto refused = [&](const Dataset& data, const TrainOptions& given, const std::string& what) {
    SCOPED_TRACE(what);
    expect_one_line_with(message_of<std::invalid_argument>([&] { train(data, given); }), {"c.ckpt: ", what});
    EXPECT_EQ(read(path("c.ckpt")), content);
  };
  Dataset data = test.data;
  data.inputs(1, 3) = std::nextafter(data.inputs(1, 3), 9);
  refused(data, options, "inputs");
  data = test.data;
  data.targets(0, 29) += 1;
  refused(data, options, "targets");
  data = test.data;
  data.sample_weights = Vector::Constant(30, 2);
  refused(data, options, "sample weights");
  data = test.data;
  data.input_names[0] = "other";
  refused(data, options, "input names u0, u1, expected other, u1");
  const auto with = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions other = options;
    change(other);
    return other;
  };
  refused(test.data, with([](TrainOptions& o) { o.hidden = {4}; }), "hidden 3, expected 4");
  refused(test.data, with([](TrainOptions& o) { o.ridge.reset(); }), "ridge 0.01, expected auto");
  refused(test.data, with([](TrainOptions& o) { o.seed = 1; }), "seed 0, expected 1");
  refused(test.data, with([](TrainOptions& o) { o.polish = true; }), "polish no, expected yes");
  refused(test.data, with([](TrainOptions& o) { o.iterations = 11; }), "iterations 10, expected 11");
  refused(test.data, with([](TrainOptions& o) { o.constraints = monotone(); }), "constraints");
  refused(test.data, with([](TrainOptions& o) { o.validation = smooth_data(12); }), "validation samples");
  TrainOptions same = with([](TrainOptions& o) {
    o.threads = 2;
    o.time_limit = 1000;
    o.checkpoint_interval = 3;
  });
  expect_same(train(test.data, same), train(test.data, test.options));
  options.resume = false;
  refused(test.data, options, "expected none");
  options.checkpoint.clear();
  options.resume = true;
  expect_one_line_with(message_of<std::invalid_argument>([&] { plan(options); }), {"resume: "});
  options.resume = false;
  options.checkpoint_interval = -1;
  expect_one_line_with(message_of<std::invalid_argument>([&] { plan(options); }), {"checkpoint_interval: -1"});
}

/// A run that ended in a file that cannot be written any more tells so, and leaves the one before.
TEST_F(ResumeFile, EndsWhereTheCheckpointCannotBeWritten) {
  const Case test = sequence("", Strategy::inexact, 5, 30);
  std::filesystem::create_directory(path("folder"));
  TrainOptions options = test.options;
  options.checkpoint = path("folder/c.ckpt");
  options.checkpoint_interval = 0;
  int asked = 0;
  options.should_stop = [&] {
    if (++asked == 20) std::filesystem::rename(path("folder"), path("moved"));
    return false;
  };
  expect_one_line_with(message_of<std::runtime_error>([&] { train(test.data, options); }),
                       {"folder/c.ckpt: cannot be written: "});
  options.should_stop = {};
  options.checkpoint = path("moved/c.ckpt");
  options.resume = true;
  expect_same(train(test.data, options), train(test.data, test.options));
}

}  // namespace
}  // namespace relufit
