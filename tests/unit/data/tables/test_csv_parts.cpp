// CSV files read in parts: together they are the whole, whatever the bytes are.
#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/random.h"
#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using CsvPartsTest = testing_io::FileTest;
using Strings = std::vector<std::string>;

constexpr Index kMostParts = 9;

void append(Table& whole, const Table& part) {
  EXPECT_EQ(part.columns, whole.columns);
  EXPECT_EQ(part.header, whole.header);
  const Index rows = whole.values.rows();
  whole.values.conservativeResize(rows + part.values.rows(), Eigen::NoChange);
  whole.values.bottomRows(part.values.rows()) = part.values;
  whole.lines.insert(whole.lines.end(), part.lines.begin(), part.lines.end());
  for (const auto& [name, texts] : part.texts) {
    whole.texts[name].insert(whole.texts[name].end(), texts.begin(), texts.end());
  }
}

/// Nothing where a part is refused.
std::optional<Table> read_parts(const std::string& file, Index parts, const Strings& texts, const Strings& numbers) {
  std::optional<Table> whole;
  for (Index part = 0; part < parts; ++part) {
    try {
      const Table table = read_csv_part(file, part, parts, texts, numbers);
      if (whole) {
        append(*whole, table);
      } else {
        whole = table;
      }
    } catch (const std::invalid_argument&) {
      return std::nullopt;
    }
  }
  return whole;
}

/// Returns whether the whole is read.
bool expect_parts_are_the_whole(const std::string& file, const Strings& texts, const Strings& numbers) {
  std::optional<Table> whole;
  try {
    whole = read_csv(file, texts, numbers);
  } catch (const std::invalid_argument&) {
  }
  for (Index parts = 1; parts <= kMostParts; ++parts) {
    SCOPED_TRACE(parts);
    const std::optional<Table> together = read_parts(file, parts, texts, numbers);
    EXPECT_EQ(whole.has_value(), together.has_value());
    if (!whole || !together) continue;
    EXPECT_EQ(whole->columns, together->columns);
    EXPECT_TRUE(testing_io::same_bits(whole->values, together->values));
    EXPECT_EQ(whole->texts, together->texts);
    EXPECT_EQ(whole->lines, together->lines);
  }
  return whole.has_value();
}

std::string random_text(Random& random) {
  static const Strings pieces = {"a", "\"\"", ",", "\n", "\r\n", "\r", " ", "1.5"};
  std::string text;
  for (Index k = random.index(6); k > 0; --k) text += pieces[static_cast<std::size_t>(random.index(8))];
  return text;
}

TEST_F(CsvPartsTest, AreTheWholeOfRandomFiles) {
  const Strings ends = {"\n", "\r\n", "\r"};
  Random random(11);
  Index read = 0;
  for (int round = 0; round < 200; ++round) {
    const std::string end = ends[static_cast<std::size_t>(random.index(3))];
    std::string content = random.index(4) == 0 ? "\xEF\xBB\xBF" : "";
    content += (random.index(4) == 0 ? end : "") + "t,\"x\ny\",z" + end;
    const Index rows = 1 + random.index(30);
    for (Index i = 0; i < rows; ++i) {
      const bool quoted = random.index(3) == 0;
      content += (quoted ? '"' + random_text(random) + '"' : "plain") + ",";
      content += fmt::format("{:.17g},{}", random.normal(), random.index(5) == 0 ? "\"7\"" : " 8");
      if (i + 1 < rows || random.index(2) == 0) content += end;
    }
    for (Index k = random.index(3); k > 0; --k) content += " " + end;
    SCOPED_TRACE(content);
    read += expect_parts_are_the_whole(write("data.csv", content), {"t"}, {}) ? 1 : 0;
  }
  EXPECT_GT(read, 150);
}

TEST_F(CsvPartsTest, RefuseTogetherWhatTheWholeRefuses) {
  const Strings pieces = {"1", ",", "\"", "\n", "\r\n", "\r", " ", "x", std::string(1, '\0'), "1,2\n", "\"3\n\",4\n"};
  Random random(12);
  Index read = 0;
  for (int round = 0; round < 600; ++round) {
    std::string content = "a,b\n";
    for (Index k = random.index(14); k > 0; --k) {
      // Seldom a byte that makes the file bad, so that some are good.
      content += pieces[random.index(3) == 0 ? static_cast<std::size_t>(random.index(9)) : 9 + random.index(2)];
    }
    SCOPED_TRACE(content);
    read += expect_parts_are_the_whole(write("data.csv", content), {"a"}, {}) ? 1 : 0;
  }
  EXPECT_GT(read, 40);
  EXPECT_LT(read, 560);
}

TEST_F(CsvPartsTest, ReadTheColumnsThatAreAskedFor) {
  const std::string file = write("data.csv", "a,t,b\n1,x,?\n2,y,?\n3,z,?\n");
  const std::optional<Table> table = read_parts(file, 3, {"t"}, {"a"});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->values, (Matrix{{1}, {2}, {3}}));
  EXPECT_EQ(table->texts.at("t"), (Strings{"x", "y", "z"}));
}

TEST_F(CsvPartsTest, RefusesPartsThatThereCannotBe) {
  const std::string file = write("data.csv", "a\n1\n");
  const auto message = [&](Index part, Index parts) {
    return message_of<std::invalid_argument>([&] { read_csv_part(file, part, parts); });
  };
  expect_one_line_with(message(0, 0), {"parts: 0, expected 1 to"});
  expect_one_line_with(message(2, 2), {"part: 2, expected 0 to 1"});
  expect_one_line_with(message(-1, 2), {"part: -1, expected 0 to 1"});
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_csv_part(path("none"), 0, 1); }),
                       {"cannot be read"});
}

}  // namespace
}  // namespace relufit
