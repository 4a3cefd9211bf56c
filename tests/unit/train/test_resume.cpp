// A training that is gone on with from any of its checkpoints ends as the one that was not ended: bit for bit.
#include <algorithm>
#include <cmath>
#include <functional>
#include <mutex>
#include <ostream>

#include "relufit/teacher.h"
#include "relufit/train.h"
#include "support/io_helpers.h"
#include "support/named_data.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_data::dataset;
using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_io::same_bits;
using testing_random::Generator;
using testing_random::normal_matrix;

constexpr double kNever = 1e9;
constexpr std::size_t kMostResumed = 40;  // checkpoints of one training that are gone on from, evenly over all of it

Dataset smooth_data(Index samples = 30, Index outputs = 1) {
  Generator random(5);
  const Matrix inputs = normal_matrix(random, 2, samples);
  Matrix targets(outputs, samples);
  for (Index i = 0; i < outputs; ++i) {
    targets.row(i) = (inputs.row(0) * (1 + static_cast<double>(i))).array().sin() + inputs.row(1).array().abs();
  }
  targets += normal_matrix(random, outputs, samples, 0.1);
  return dataset(inputs, targets);
}

Dataset teacher_data() {
  const Teacher teacher = make_teacher({3, 3, 2}, OutputActivation::linear, 30, 42);
  return dataset(teacher.inputs, teacher.targets);
}

/// A sum of ReLUs, which output weights of 1 fit.
Dataset sum_data() {
  Generator random(3);
  const Matrix inputs = normal_matrix(random, 3, 60);
  const Matrix units = normal_matrix(random, 4, 3) * inputs;
  return dataset(inputs, units.cwiseMax(0).colwise().sum());
}

Dataset class_data(Link link = Link::softmax) {
  Dataset data = smooth_data(40);
  std::vector<Index> classes;
  for (Index i = 0; i < data.samples(); ++i) classes.push_back(data.targets(0, i) > 1 ? 2 : data.targets(0, i) > 0);
  data.classification = {"y", {"a", "b", "c"}, link};
  data.targets = class_targets(data.classification, classes);
  data.target_names = output_names(data.classification);
  return data;
}

struct Case {
  const char* name;
  Dataset data;
  TrainOptions options;
};

std::ostream& operator<<(std::ostream& stream, const Case& test) { return stream << test.name; }

/// A relaxation alone, and not to its end.
Case sequence(const char* name, Strategy strategy, Index inner_iterations, Index iterations) {
  Case test{name, smooth_data(), {.hidden = {3}}};
  test.options.ridge = 0.01;
  test.options.polish = false;
  test.options.strategy = strategy;
  test.options.inner_iterations = inner_iterations;
  test.options.iterations = iterations;
  test.options.record_interval = 2;
  return test;
}

Case changed(Case test, const char* name, const std::function<void(TrainOptions&)>& change) {
  test.name = name;
  change(test.options);
  return test;
}

std::vector<Case> sequences() {
  const Case usual = sequence("inexact", Strategy::inexact, 5, 30);
  std::vector<Case> cases = {
      usual,
      sequence("converged", Strategy::converged, 0, 3),
      sequence("extrapolated", Strategy::extrapolated, 0, 4),
      sequence("continuation", Strategy::continuation, 5, 30),
      sequence("reweighted", Strategy::reweighted, 0, 4),
      sequence("safeguarded", Strategy::safeguarded, 0, 6),
      sequence("safeguarded, refusing", Strategy::safeguarded, 1, 40),  // its problems being unsolved
      sequence("projection", Strategy::projection, 1, 40),
      sequence("one inner iteration", Strategy::inexact, 1, 40),
      sequence("many inner iterations", Strategy::inexact, 35, 6),
      changed(usual, "two layers",
              [](TrainOptions& o) {
                o.hidden = {3, 2};
              }),
      changed(usual, "linear", [](TrainOptions& o) { o.hidden = {}; }),
      changed(usual, "skip connections",
              [](TrainOptions& o) {
                o.hidden = {3, 2};
                o.skip_connections = true;
              }),
      changed(usual, "maxout", [](TrainOptions& o) { o.activation = Activation::maxout; }),
      changed(usual, "hard tanh", [](TrainOptions& o) { o.activation = Activation::hard_tanh; }),
      changed(usual, "absolute loss", [](TrainOptions& o) { o.loss = Loss::absolute; }),
      changed(usual, "exact loss",
              [](TrainOptions& o) {
                o.loss = Loss::exact;
                o.ridge.reset();
                o.method = Method::relaxation;
              }),
      changed(usual, "zero start", [](TrainOptions& o) { o.init = ZeroStart{}; }),
      changed(usual, "no bias", [](TrainOptions& o) { o.bias = false; }),
      changed(usual, "regularizers",
              [](TrainOptions& o) {
                o.lasso = 0.01;
                o.group_lasso = 0.01;
                o.nuclear = 0.01;
              }),
      changed(usual, "threads over samples", [](TrainOptions& o) { o.threads = 3; }),
  };
  cases.push_back(changed(cases[5], "safeguarded, skipping", [](TrainOptions& o) {
    o.hidden = {2, 2};
    o.skip_connections = true;
    o.activation = Activation::maxout;
    o.iterations = 2;
  }));
  return cases;
}

Case whole(const char* name, const std::function<void(TrainOptions&)>& change = {}, Dataset data = smooth_data()) {
  Case test{name, std::move(data), {.hidden = {3}}};
  if (change) change(test.options);
  return test;
}

Constraints monotone() {
  Constraints constraints;
  constraints.monotone = {{"u0", "y0", true}};
  return constraints;
}

Constraints bounded() {
  Constraints constraints;
  constraints.outputs = {{{{"y0", 1}}, Vector::Constant(1, -0.5), Vector::Constant(1, 1), {}, false}};
  return constraints;
}

std::vector<Case> trainings() {
  return {
      whole("defaults"),
      whole("given ridge", [](TrainOptions& o) { o.ridge = 0.003; }),
      whole("no ridge",
            [](TrainOptions& o) {
              o.ridge = 0;
              o.iterations = 20;
            }),
      whole("large ridge", [](TrainOptions& o) { o.ridge = 2; }),
      whole("starts",
            [](TrainOptions& o) {
              o.ridge = 0.003;
              o.starts = 3;
            }),
      whole("starts in threads",
            [](TrainOptions& o) {
              o.starts = 3;
              o.threads = 3;
              o.ridge = 0.003;
            }),
      whole("folds in threads", [](TrainOptions& o) { o.threads = 4; }),
      whole(
          "width",
          [](TrainOptions& o) {
            o.hidden = {};
            o.automatic_width = true;
            o.folds = 2;
            o.ridge = 0.03;
          },
          smooth_data(16)),
      whole("validation",
            [](TrainOptions& o) {
              o.validation = smooth_data(12);
              o.starts = 2;
            }),
      whole(
          "classes", [](TrainOptions& o) { o.loss = Loss::cross_entropy; }, class_data()),
      whole(
          "hinge",
          [](TrainOptions& o) {
            o.loss = Loss::hinge;
            o.ridge = 0.01;
            o.iterations = 20;
          },
          class_data(Link::none)),
      whole("race under bounds",
            [](TrainOptions& o) {
              o.constraints = monotone();
              o.candidates = 4;
              o.ridge = 0.01;
            }),
      whole("race under norms",
            [](TrainOptions& o) {
              o.constraints.lipschitz = 0.7;
              o.candidates = 4;
              o.ridge = 0.01;
              o.threads = 2;
            }),
      whole("constraints and ridge",
            [](TrainOptions& o) {
              o.constraints = monotone();
              o.candidates = 2;
              o.folds = 2;
            }),
      whole("output bounds",
            [](TrainOptions& o) {
              o.constraints = bounded();
              o.ridge = 0.01;
              o.iterations = 20;
            }),
      whole("regularized",
            [](TrainOptions& o) {
              o.group_lasso = 0.05;
              o.iterations = 15;
              o.folds = 2;
            }),
      whole("weight grid",
            [](TrainOptions& o) {
              o.ridge = 0.01;
              o.weight_grid = 0.25;
            }),
      whole("absolute loss",
            [](TrainOptions& o) {
              o.loss = Loss::absolute;
              o.ridge = 0.01;
              o.iterations = 20;
            }),
      whole(
          "exact race",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.method = Method::relaxation;
            o.candidates = 6;
            o.iterations = 60;
          },
          teacher_data()),
      whole(
          "search",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {1};  // which is soon out of patience
            o.iterations = 100;
          },
          teacher_data()),
      whole(
          "search, two layers",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {3, 2};
            o.iterations = 12;
          },
          teacher_data()),
      whole(
          "search that finds",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.starts = 2;
          },
          teacher_data()),
      whole(
          "fixed output",
          [](TrainOptions& o) {
            o.loss = Loss::exact;
            o.hidden = {4};
            o.fixed_output = Matrix::Ones(1, 4);
            o.iterations = 600;
            o.tolerance = 1e-300;
          },
          sum_data()),
  };
}

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

void expect_same_layers(const std::vector<Layer>& a, const std::vector<Layer>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t l = 0; l < a.size(); ++l) {
    EXPECT_TRUE(same_bits(a[l].weights, b[l].weights)) << l;
    EXPECT_TRUE(same_bits(a[l].bias, b[l].bias)) << l;
  }
}

void expect_same_trace(const std::vector<SequenceRecord>& a, const std::vector<SequenceRecord>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::tie(a[i].iteration, a[i].inner_iterations), std::tie(b[i].iteration, b[i].inner_iterations));
    EXPECT_EQ(std::tie(a[i].objective, a[i].merit, a[i].loss, a[i].pair, a[i].product, a[i].fit),
              std::tie(b[i].objective, b[i].merit, b[i].loss, b[i].pair, b[i].product, b[i].fit))
        << i;
  }
}

void expect_same(const RidgeChoice& a, const RidgeChoice& b) {
  EXPECT_EQ(a.ridge, b.ridge);
  EXPECT_EQ(a.ridges, b.ridges);
  EXPECT_EQ(a.held_out, b.held_out);
  EXPECT_EQ(a.standard_error, b.standard_error);
  EXPECT_EQ(std::tie(a.parts, a.by_validation), std::tie(b.parts, b.by_validation));
}

/// All but seconds.
void expect_same(const TrainResult& a, const TrainResult& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.best_start, b.best_start);
  EXPECT_EQ(a.removed_units, b.removed_units);
  expect_same_layers(a.model.network.layers(), b.model.network.layers());
  EXPECT_TRUE(same_bits(a.model.target_scaling.scale, b.model.target_scaling.scale));
  EXPECT_EQ(a.model.training.iterations, b.model.training.iterations);
  EXPECT_EQ(a.model.training.ridge, b.model.training.ridge);
  ASSERT_EQ(a.starts.size(), b.starts.size());
  for (std::size_t i = 0; i < a.starts.size(); ++i) {
    const StartSummary& s = a.starts[i];
    const StartSummary& t = b.starts[i];
    EXPECT_EQ(std::tie(s.status, s.ran, s.value, s.polish_iterations),
              std::tie(t.status, t.ran, t.value, t.polish_iterations));
    EXPECT_EQ(std::tie(s.violations.pair, s.violations.product), std::tie(t.violations.pair, t.violations.product));
    expect_same_trace(s.trace, t.trace);
  }
  ASSERT_EQ(a.ridge_choice.has_value(), b.ridge_choice.has_value());
  if (a.ridge_choice) expect_same(*a.ridge_choice, *b.ridge_choice);
  ASSERT_EQ(a.width_choice.has_value(), b.width_choice.has_value());
  if (a.width_choice) {
    EXPECT_EQ(a.width_choice->widths, b.width_choice->widths);
    EXPECT_EQ(a.width_choice->held_out, b.width_choice->held_out);
    expect_same(a.width_choice->ridge, b.width_choice->ridge);
  }
  ASSERT_EQ(a.grid.has_value(), b.grid.has_value());
  if (a.grid) {
    EXPECT_EQ(a.grid->repaired, b.grid->repaired);
  }
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
INSTANTIATE_TEST_SUITE_P(Sequences, Resume, ::testing::ValuesIn(sequences()), name_of);
INSTANTIATE_TEST_SUITE_P(Trainings, Resume, ::testing::ValuesIn(trainings()), name_of);

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
