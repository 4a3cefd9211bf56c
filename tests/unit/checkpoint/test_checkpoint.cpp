// The file of a checkpoint: what is kept comes back, and whatever is wrong with a file is told and does no harm.
#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "network/layer_state.h"
#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using testing_io::random_bits;
using testing_io::same_bits;

constexpr double kNever = 1e9;

/// Everything that a visitor knows.
struct State {
  bool flag = false;
  long count = 0;
  std::string text;
  std::vector<std::optional<double>> numbers;
  std::vector<Layer> layers;
  Matrix samples;
  Eigen::MatrixXf single;

  void visit_state(StateVisitor& visitor) {
    visitor(flag, count, text, numbers, layers, single);
    visitor.samples(samples);
  }
};

State some_state(std::mt19937_64& random) {
  State state{true, -7, std::string("a\0b\nc", 5), {1.5, {}, -0.0}, {}, random_bits(3, 4, random), {}};
  state.layers = {{random_bits(2, 3, random), random_bits(2, 1, random)}, {random_bits(0, 2, random), Vector()}};
  state.single = testing_io::random_values(2, 5, random).cast<float>();
  return state;
}

void expect_same(const State& a, const State& b) {
  EXPECT_EQ(std::tie(a.flag, a.count, a.text, a.numbers), std::tie(b.flag, b.count, b.text, b.numbers));
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    EXPECT_TRUE(same_bits(a.layers[i].weights, b.layers[i].weights));
    EXPECT_TRUE(same_bits(a.layers[i].bias, b.layers[i].bias));
  }
  EXPECT_TRUE(same_bits(a.samples, b.samples));
  EXPECT_EQ(a.single, b.single);
}

TEST(StateVisitor, RestoresWhatItSaved) {
  std::mt19937_64 random(1);
  State saved = some_state(random);
  const std::string bytes = saved_state(saved);
  State restored = some_state(random);  // of other sizes in part
  restored.numbers.resize(9);
  StateVisitor visitor{std::string_view(bytes)};
  visitor(restored);
  visitor.end();
  expect_same(restored, saved);
}

TEST(StateVisitor, RefusesBytesThatDoNotSuit) {
  std::mt19937_64 random(2);
  State saved = some_state(random);
  const std::string bytes = saved_state(saved);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    State restored;
    StateVisitor visitor{std::string_view(bytes).substr(0, size)};
    EXPECT_THROW(visitor(restored), DamagedState) << size;
  }
  const std::string longer = bytes + "x";
  State restored;
  StateVisitor visitor{std::string_view(longer)};
  visitor(restored);
  EXPECT_THROW(visitor.end(), DamagedState);
  std::vector<double> numbers(12);
  Eigen::Map<Matrix> fixed(numbers.data(), 4, 3);
  const std::string matrix = saved_state(saved.samples);  // 3 x 4
  StateVisitor other{std::string_view(matrix)};
  EXPECT_THROW(other.samples(fixed), DamagedState);
}

class CheckpointTest : public testing_io::FileTest {
 protected:
  std::string file() const { return path("c.ckpt"); }
  Checkpoint::Identity identity() const { return {{"ridge", "0.1"}, {"inputs", "#12"}}; }
  Checkpoint open(bool resume, double interval = 0) const { return {file(), interval, resume, identity()}; }
  static Piece whole(Checkpoint& checkpoint) {
    return {&checkpoint, [] { return false; }};
  }

  void make_version(const std::string& version) const {
    std::filesystem::remove(file());
    make();
    std::string content = read(file());
    write("c.ckpt", content.replace(content.find(' ') + 1, 1, version));
  }

  /// A file with a state and a result.
  void make() const {
    Checkpoint checkpoint(file(), 0, false, identity());
    const Piece piece = whole(checkpoint);
    piece.part("a").once([] { return std::string("result"); });
    piece.part("b").offer(true, [](StateVisitor& visitor) {
      int number = 7;
      visitor(number);
    });
  }
};

TEST_F(CheckpointTest, GivesResultsAndStatesBack) {
  make();
  Checkpoint checkpoint(file(), 0, true, identity());
  EXPECT_GT(checkpoint.seconds_before(), 0);
  const Piece piece = whole(checkpoint);
  EXPECT_TRUE(piece.part("a").begun());
  EXPECT_EQ(piece.part("a").once([] { return std::string("another"); }), "result");
  int number = 0;
  const auto visit = [&](StateVisitor& visitor) { visitor(number); };
  EXPECT_FALSE(piece.part("a").restore(visit));  // it has a result, and no state
  EXPECT_FALSE(piece.part("c").restore(visit));
  EXPECT_FALSE(piece.part("c").begun());
  EXPECT_TRUE(piece.part("b").restore(visit));
  EXPECT_EQ(number, 7);
}

TEST_F(CheckpointTest, ForgetsPartsOfWhatIsDone) {
  Checkpoint checkpoint(file(), 0, false, identity());
  const auto nothing = [](StateVisitor&) {};
  const Piece piece = whole(checkpoint).part("start 1");
  piece.part("x").offer(true, nothing);
  piece.part("y").part("z").offer(true, nothing);
  whole(checkpoint).part("start 10").offer(true, nothing);
  EXPECT_TRUE(piece.part("y").begun());
  piece.once([] { return 1; });
  EXPECT_FALSE(piece.part("x").begun());
  EXPECT_FALSE(piece.part("y").begun());
  EXPECT_TRUE(piece.begun());
  EXPECT_TRUE(whole(checkpoint).part("start 10").begun());
}

TEST_F(CheckpointTest, KeepsNoResultOfWhatIsCutShort) {
  Checkpoint checkpoint(file(), 0, false, identity());
  bool stopped = false;
  const Piece piece(&checkpoint, [&] { return stopped; });
  const Piece before = piece.part("before");
  before.once([&] {
    stopped = true;
    return 1;
  });
  EXPECT_FALSE(before.begun());
  before.offer(true, [](StateVisitor&) {});  // a state from before the end is one to go on from
  EXPECT_TRUE(before.begun());
  const Piece after = piece.part("after");
  after.offer(true, [](StateVisitor&) {});
  EXPECT_FALSE(after.begun());
}

TEST_F(CheckpointTest, WritesWhenItIsDue) {
  Checkpoint checkpoint(file(), kNever, false, identity());
  const Piece piece = whole(checkpoint);
  const auto nothing = [](StateVisitor&) {};
  piece.offer(false, nothing);
  EXPECT_FALSE(piece.begun());
  piece.part("a").once([] { return 1; });
  piece.part("b").offer(true, nothing);
  EXPECT_EQ(files(), 0U);
  checkpoint.write();
  const std::string content = read(file());
  EXPECT_EQ(files(), 1U);
  checkpoint.write();  // nothing has changed
  EXPECT_EQ(read(file()), content);
}

TEST_F(CheckpointTest, RefusesWhatIsThereUnlessItResumes) {
  make();
  const std::string content = read(file());
  expect_one_line_with(message_of<std::invalid_argument>([&] { open(false); }), {"c.ckpt: ", "expected none"});
  EXPECT_EQ(read(file()), content);
  std::filesystem::remove(file());
  const Checkpoint anew = open(true);
  EXPECT_EQ(anew.seconds_before(), 0);
}

TEST_F(CheckpointTest, RefusesPlacesThatCannotBeWritten) {
  std::filesystem::create_directory(file());
  expect_one_line_with(message_of<std::invalid_argument>([&] { open(true); }), {"c.ckpt: ", "folder"});
  const auto no_folder = [&] { Checkpoint(path("none/c.ckpt"), 0, true, identity()); };
  expect_one_line_with(message_of<std::invalid_argument>(no_folder), {"none/c.ckpt: ", "folder"});
  const auto device = [&] { Checkpoint("/dev/null", 0, true, identity()); };
  expect_one_line_with(message_of<std::invalid_argument>(device), {"/dev/null: ", "regular file"});
}

TEST_F(CheckpointTest, RefusesOtherTrainings) {
  make();
  const auto with = [&](Checkpoint::Identity other) {
    return message_of<std::invalid_argument>([&] { Checkpoint(file(), 0, true, std::move(other)); });
  };
  expect_one_line_with(with({{"ridge", "0.2"}, {"inputs", "#12"}}), {"c.ckpt: ", "ridge 0.1", "expected 0.2"});
  expect_one_line_with(with({{"ridge", "0.1"}, {"inputs", "#13"}}), {"c.ckpt: ", "other inputs"});
  expect_one_line_with(with({{"other", "0.1"}, {"inputs", "#12"}}), {"c.ckpt: "});
}

TEST_F(CheckpointTest, RefusesOtherFilesAndVersions) {
  for (const char* content : {"", "x", "relufit", "{\"format\": \"relufit-model\"}", "relufit-checkpoin\n"}) {
    write("c.ckpt", content);
    expect_one_line_with(message_of<std::invalid_argument>([&] { open(true); }), {"c.ckpt: no checkpoint"});
  }
  make_version("2");
  expect_one_line_with(message_of<std::invalid_argument>([&] { open(true); }), {"version 2, expected version 1"});
  make_version("\1\2");
  expect_one_line_with(message_of<std::invalid_argument>([&] { open(true); }), {"version unknown"});
  make_version("");
  expect_one_line_with(message_of<std::invalid_argument>([&] { open(true); }), {"expected version 1"});
}

/// A flipped bit, and a missing end, wherever they are.
TEST_F(CheckpointTest, RefusesDamagedFiles) {
  make();
  const std::string whole = read(file());
  const auto refused = [&](const std::string& content, std::size_t at) {
    write("c.ckpt", content);
    const std::string message = message_of<std::invalid_argument>([&] { open(true); });
    EXPECT_NE(message.find("c.ckpt: "), std::string::npos) << at << ": " << message;
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const unsigned change : {1U, 0x80U, 0xffU}) {
      std::string content = whole;
      content[i] = static_cast<char>(static_cast<unsigned char>(content[i]) ^ change);
      refused(content, i);
    }
    refused(whole.substr(0, i), i);
  }
  refused(whole + "x", whole.size());
  refused(whole + whole, whole.size());
}

}  // namespace
}  // namespace relufit
