// CSV files, numbers and texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <clocale>
#include <limits>
#include <map>

#include "base/random.h"
#include "files/text.h"
#include "support/io_helpers.h"

namespace relufit {
namespace {

using testing_io::expect_one_line_with;
using testing_io::message_of;
using CsvTest = testing_io::FileTest;
using Strings = std::vector<std::string>;

struct BadCsv {
  std::string content;
  Strings expected;  ///< parts of the message besides the path
};

const std::vector<BadCsv>& bad_csv_files() {
  using namespace std::string_literals;
  static const std::vector<BadCsv> cases = {
      {"", {": empty file", "expected a header"}},
      {"\xEF\xBB\xBF", {": empty file"}},
      {"\n\r\n  \n", {": empty file"}},
      {"a,b\n", {": no data rows"}},
      {"a,b", {": no data rows"}},
      {"a,b\n\n\n", {": no data rows"}},
      {"a,b\n1,abc\n", {":2: column 'b': 'abc' is not a number"}},
      {"a,b\n1,2\n3,\n", {":3: column 'b': missing value, expected a number"}},
      {"a,b\n1,2\n  ,3\n", {":3: column 'a': missing value"}},
      {"a,b\n\"\",3\n", {":2: column 'a': missing value"}},
      {"a,b\n1,nan\n", {":2: column 'b': 'nan' is not a finite number"}},
      {"a,b\n1,-inf\n", {":2: column 'b': '-inf' is not a finite number"}},
      {"a,b\n1,Infinity\n", {":2: column 'b': 'Infinity' is not a finite number"}},
      {"a,b\n1,NA\n", {":2: column 'b': 'NA' is not a number"}},
      {"a,b\n1,0x10\n", {":2: column 'b': '0x10' is not a number"}},
      {"a;b\n1;2,5\n", {":2: column 'b': '2,5' is not a number", "decimal separator"}},
      {"a,b\n1,\"2,5\"\n", {":2: column 'b': '2,5' is not a number"}},
      {"a,b\n1,1e999\n", {":2: column 'b': '1e999' is outside the range"}},
      {"a,b\n1,1e-999\n", {":2: column 'b': '1e-999' is outside the range"}},
      {"a,b\n1,+-2\n", {":2: column 'b': '+-2' is not a number"}},
      {"a,b\n1,++2\n", {":2: column 'b': '++2' is not a number"}},
      {"a,b\n1,+\n", {":2: column 'b': '+' is not a number"}},
      {"a,b\n1,1 000\n", {":2: column 'b': '1 000' is not a number"}},
      {"a,b\n1,2e\n", {":2: column 'b': '2e' is not a number"}},
      {"a,b\n1,.\n", {":2: column 'b': '.' is not a number"}},
      {"a,b\n1,1.2.3\n", {":2: column 'b': '1.2.3' is not a number"}},
      {"a,b\n1,TRUE\n", {":2: column 'b': 'TRUE' is not a number"}},
      {"a,b\n1,\xE4\n", {":2: column 'b': '\\xe4' is not a number"}},
      {"a,b\n1,\"4\n5\"\n", {":2: column 'b': '4\\n5' is not a number"}},
      {"a,b\n1," + std::string(500, 'x') + "\n", {":2: column 'b': 'xxx", "...' is not a number"}},
      {"a,b,c\n1,2,3\n1,2\n", {":3: 2 fields, expected 3"}},
      {"a,b,c\n1,2,3\n1,2,3,\n", {":3: 4 fields, expected 3"}},
      {"a,b,c\r\n1,2,3\r\n1\r\n", {":3: 1 fields, expected 3"}},
      {"a,b\r1,2\rx,2\r", {":3: column 'a': 'x' is not a number"}},
      {"a,b\n1,2\n\n3,4\n", {":3: blank line between rows, expected 2 fields"}},
      {"a\n1\n\n2\n", {":3: blank line"}},
      {"\n\na,b\n1,x\n", {":4: column 'b': 'x'"}},
      {"a,b,a\n1,2,3\n", {":1: column 3: the name 'a' repeats that of column 1"}},
      {"a,,c\n1,2,3\n", {":1: column 2: the name '' is empty"}},
      {",a\n1,2\n", {":1: column 1: the name '' is empty"}},
      {"a,b,\n1,2,3\n", {":1: column 3: the name '' is empty"}},
      {"a,\"  \"\n1,2\n", {":1: column 2: the name '  ' is empty"}},
      {"1,2.5,-3e4\n1,2,3\n", {":1: the first line ('1', ...) looks like data, a header is expected"}},
      {"7\n8\n", {":1: the first line ('7') looks like data"}},
      {"a,gr\xF6\xDF"s + "e\n1,2\n", {":1: column 2: the name 'gr\\xf6\\xdfe' is not UTF-8"}},
      {"a,b\n1,2\n3,\0004\n"s, {":3: NUL byte, expected UTF-8 text"}},
      {"\xFF\xFE"s + "a\0,\0b\0\n\0"s, {":1: NUL byte"}},
      {"a,b\n1,2\"3\n", {":2: column 'b': misplaced quote"}},
      {"a,b\n\"1\"x,2\n", {":2: column 'a': misplaced quote"}},
      {"a,b\"c\n1,2\n", {":1: column 2: misplaced quote"}},
      {"a,b\n1,\"2\n3,4\n", {":2: column 'b': the opening quote has no closing quote"}},
      {"a,\"b\n1,2\n", {":1: column 2: the opening quote has no closing quote"}},
      // The line counts go on rightly behind quoted line ends.
      {"\"a\nb\",c\n1,2\n3,x\n", {":4: column 'c': 'x'"}},
      {"\"a\nb\",c\n1,2\ny,3\n", {":4: column 'a\\nb': 'y'"}},
      {"a,b\n\"\n1\",x\n", {":2: column 'a': '\\n1' is not a number"}},
      {"\"a\r\nb\",c\r\n1,2\r\n3\r\n", {":4: 1 fields, expected 2"}},
  };
  return cases;
}

TEST_F(CsvTest, RefusesBadFilesNamingThePlace) {
  for (const BadCsv& bad : bad_csv_files()) {
    SCOPED_TRACE(bad.content.substr(0, 80));
    const std::string file = write("data.csv", bad.content);
    const std::string message = message_of<std::invalid_argument>([&] { read_csv(file); });
    expect_one_line_with(message, {file + bad.expected.front()});
    expect_one_line_with(message, bad.expected);
  }
}

TEST_F(CsvTest, RefusesWhatIsNotAFile) {
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_csv(path("none.csv")); }),
                       {path("none.csv") + ": cannot be read: No such file"});
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_csv(folder_.string()); }),
                       {folder_.string() + ": cannot be read: Is a directory"});
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_csv(""); }), {"cannot be read"});
}

TEST_F(CsvTest, ReadsEveryAcceptedForm) {
  const Matrix values = (Matrix(2, 2) << 1.5, -2, 3e4, 0.25).finished();
  const Strings forms = {
      "a,b\n1.5,-2\n3e4,.25\n",
      "a,b\n1.5,-2\n3e4,.25",
      "a,b\r\n1.5,-2\r\n3e4,.25\r\n",
      "a,b\r1.5,-2\r3e4,.25",
      "\xEF\xBB\xBF"
      "a,b\n+1.5,-2.\n30000,+.25\n",
      "a;b\n1.5;-2\n3e4;.25\n",
      "a\tb\n1.5\t-2\n3E+4\t.25\n",
      "\"a\",\"b\"\n\"1.5\",\"-2\"\n\" 3e4 \",\" +.25\"\n",
      " a , b \n 1.5 ,\t-2\n3e4 , .25\t\n",
      "a,b\n1.5,-2\n3e4,.25\n\n\r\n   \n",
  };
  for (const std::string& form : forms) {
    SCOPED_TRACE(form);
    const std::string file = write("data.csv", form);
    const Table table = read_csv(file);
    EXPECT_EQ(table.source, file);
    EXPECT_EQ(table.columns, (Strings{"a", "b"}));
    EXPECT_EQ(table.lines, (std::vector<Index>{2, 3}));
    EXPECT_EQ(table.values, values);
  }
}

TEST_F(CsvTest, KnowsTheLineOfEveryRow) {
  const Table table = read_csv(write("data.csv", "\n\"a\nb\",\"c\"\"\"\n1,2\n\"3\",4\n5,\"6\"\n\n"));
  EXPECT_EQ(table.columns, (Strings{"a\nb", "c\""}));
  EXPECT_EQ(table.lines, (std::vector<Index>{4, 5, 6}));
}

TEST_F(CsvTest, DetectsTheSeparatorOutsideQuotes) {
  EXPECT_EQ(read_csv(write("1.csv", "\"x,y,z\";b\n1;2\n")).columns, (Strings{"x,y,z", "b"}));
  EXPECT_EQ(read_csv(write("2.csv", "w;x;y, z\n1;2;3\n")).columns, (Strings{"w", "x", "y, z"}));
  EXPECT_EQ(read_csv(write("3.csv", "only\n1\n-0\n")).columns, (Strings{"only"}));
  EXPECT_EQ(read_csv(write("4.csv", "a,2020\n1,2\n")).columns, (Strings{"a", "2020"}));
}

TEST_F(CsvTest, DoesNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no German locale here";
  write_csv(path("data.csv"), {"a"}, Matrix::Constant(1, 1, 0.5));
  const double value = read_csv(path("data.csv")).values(0, 0);
  std::setlocale(LC_ALL, before.c_str());
  EXPECT_EQ(value, 0.5);
}

TEST_F(CsvTest, RoundTripIsBitForBit) {
  std::mt19937_64 generator(1);
  const Strings& names = testing_io::odd_names();
  for (std::size_t columns = 1; columns <= names.size(); ++columns) {
    const Strings some(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(columns));
    Matrix values = testing_io::random_bits(40, static_cast<Index>(columns), generator);
    values(0, 0) = -0.0;
    values(1, 0) = std::numeric_limits<double>::denorm_min();
    values(2, 0) = std::numeric_limits<double>::max();
    values(3, 0) = std::numeric_limits<double>::lowest();
    values(4, 0) = 0.1;
    write_csv(path("data.csv"), some, values);
    const Table table = read_csv(path("data.csv"));
    EXPECT_EQ(table.columns, some);
    EXPECT_TRUE(testing_io::same_bits(table.values, values));
  }
  // The last names come first as well: a byte order mark that is part of a name.
  write_csv(path("data.csv"), {names[10], names[4]}, Matrix::Ones(1, 2));
  EXPECT_EQ(read_csv(path("data.csv")).columns, (Strings{names[10], names[4]}));
  EXPECT_EQ(files(), 1u);
}

TEST_F(CsvTest, NamesThatAreNumbersAreQuoted) {
  for (const Strings& names : {Strings{"2020"}, Strings{"1", "-2.5"}, Strings{"a", "2020"}}) {
    write_csv(path("data.csv"), names, Matrix::Ones(1, static_cast<Index>(names.size())));
    EXPECT_EQ(read_csv(path("data.csv")).columns, names);
  }
  EXPECT_EQ(csv_text("", {"2020"}, Matrix::Ones(1, 1)), "\"2020\"\n1\n");
  EXPECT_EQ(csv_text("", {"a", "2020"}, Matrix::Ones(1, 2)), "a,2020\n1,1\n");
  EXPECT_EQ(read_csv(write("data.csv", "1,\"2\"\n3,4\n")).columns, (Strings{"1", "2"}));
  // Quotes around data do not make the line before them a header.
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_csv(write("data.csv", "1,2\n\"3\",4\n")); }),
                       {"looks like data"});
}

TEST_F(CsvTest, ColumnsThatAreNotAskedForMayHoldAnything) {
  const std::string file = write("data.csv", "id,a,note,b\nx7,1,,2\nx8,3,nan,4\n");
  const Table table = read_csv(file, {}, {"b", "a"});
  EXPECT_EQ(table.columns, (Strings{"a", "b"}));
  EXPECT_EQ(table.values, (Matrix{{1, 2}, {3, 4}}));
  EXPECT_TRUE(table.texts.empty());
  const Table with_text = read_csv(file, {"id"}, {"a"});
  EXPECT_EQ(with_text.columns, Strings{"a"});
  EXPECT_EQ(with_text.texts.at("id"), (Strings{"x7", "x8"}));
  try {
    read_csv(file, {"id"});
    ADD_FAILURE() << "accepted";
  } catch (const NotANumber& error) {
    EXPECT_EQ(error.column, "note");
    EXPECT_EQ(error.what(), file + ":2: column 'note': missing value, expected a number");
  }
  expect_one_line_with(message_of<std::invalid_argument>([&] {
                         read_csv(file, {}, {"a", "c"});
                       }),
                       {file + ": no column 'c', expected one of 'id', 'a', 'note', 'b'"});
  // Rows must be rows all the same.
  expect_one_line_with(
      message_of<std::invalid_argument>([&] { read_csv(write("data.csv", "a,b\n1,2\n3\n"), {}, {"a"}); }),
      {":3: 1 fields, expected 2"});
}

/// A field as any writer may write it: quoted where it must be, or at random; blanks around it do not count.
std::string written(const std::string& text, char separator, Random& random) {
  const bool must = text.find_first_of("\"\r\n \t") != std::string::npos || text.find(separator) != std::string::npos;
  std::string field = text;
  if (must || random.index(4) == 0) {
    field = "\"";
    for (const char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
    field += '"';
  }
  const auto blanks = [&] { return std::string(random.index(3) == 0 ? 2 : 0, ' '); };
  return blanks() + field + blanks();
}

TEST_F(CsvTest, ReadsBackRandomTextsAndKnowsTheirLines) {
  const Strings pieces = {"a", "\"", "\"\"", ",", ";", "\n", "\r\n", "\r", " ", "\t", "1.5", "\xC3\xA9"};
  const Strings line_ends = {"\n", "\r\n", "\r"};
  const auto lines_of = [](const std::string& text) {  // line ends in it
    Index count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      count += text[i] == '\n' || (text[i] == '\r' && text.substr(i, 2) != "\r\n") ? 1 : 0;
    }
    return count;
  };
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    const char separator = std::string(",;\t")[static_cast<std::size_t>(random.index(3))];
    const std::string end = line_ends[static_cast<std::size_t>(random.index(3))];
    const Index columns = 1 + random.index(4);
    Strings names;
    for (Index j = 0; j < columns; ++j) names.push_back(fmt::format("name{}", j));
    std::string content = fmt::format("{}{}", fmt::join(names, std::string(1, separator)), separator) + "last" + end;
    std::map<std::string, Strings> expected;
    std::vector<Index> lines;
    Index line = 2;
    const Index rows = 1 + random.index(5);
    for (Index i = 0; i < rows; ++i) {
      lines.push_back(line);
      for (const std::string& name : names) {
        std::string text;
        for (Index k = random.index(5); k > 0; --k) text += pieces[static_cast<std::size_t>(random.index(12))];
        expected[name].push_back(text);
        content += written(text, separator, random) + separator;
        line += lines_of(text);
      }
      content += "1" + (i + 1 < rows || random.index(2) == 0 ? end : "");
      ++line;
    }
    SCOPED_TRACE(content);
    const Table table = read_csv(write("data.csv", content), names, {"last"});
    for (const auto& [name, texts] : expected) EXPECT_EQ(table.texts.at(name), texts);
    EXPECT_EQ(table.lines, lines);
  }
}

TEST_F(CsvTest, ReadsWideFiles) {
  Strings names;
  for (int i = 0; i < 40000; ++i) names.push_back(fmt::format("c{}", i));
  Matrix values(2, 40000);
  values.row(0).setLinSpaced(0, 39999);
  values.row(1) = -values.row(0);
  write_csv(path("wide.csv"), names, values);
  std::reverse(names.begin(), names.end());
  const Table table = read_csv(path("wide.csv"), {}, names);
  EXPECT_EQ(select_columns(table, names), values.transpose().colwise().reverse());
  const Dataset data = make_dataset(table, {"c7"});
  EXPECT_EQ(data.inputs.rows(), 39999);
  EXPECT_EQ(data.input_names[7], "c8");
  EXPECT_EQ(data.targets, (Matrix{{7, -7}}));
}

TEST_F(CsvTest, RefusesToWriteWhatCouldNotBeRead) {
  struct Case {
    Strings names;
    Matrix values;
    std::string expected;
  };
  Matrix infinite = Matrix::Zero(3, 2);
  infinite(2, 1) = std::numeric_limits<double>::infinity();
  const std::vector<Case> cases = {
      {{"a", "b"}, infinite, "row 3, column 'b': inf is not a finite number"},
      {{"a", "b"}, Matrix::Zero(1, 3), "2 column names for 3 columns"},
      {{}, Matrix::Zero(1, 0), "0 column names for 0 columns"},
      {{"a", "a"}, Matrix::Zero(1, 2), "column 2: the name 'a' repeats that of column 1"},
      {{"a", ""}, Matrix::Zero(1, 2), "column 2: the name '' is empty"},
      {{std::string("a\0b", 3)}, Matrix::Zero(1, 1), "column 1: the name 'a\\x00b' is not UTF-8 text"},
  };
  for (const Case& bad : cases) {
    const std::string message =
        message_of<std::invalid_argument>([&] { write_csv(path("out.csv"), bad.names, bad.values); });
    expect_one_line_with(message, {path("out.csv") + ": ", bad.expected});
    EXPECT_EQ(files(), 0u);
  }
}

TEST(ParseNumber, AcceptsAndRefuses) {
  double value = 0;
  for (const auto& [text, expected] : std::vector<std::pair<std::string, double>>{
           {"1", 1}, {" +1 ", 1}, {"-.5", -0.5}, {"5.", 5}, {"\t2e-3", 2e-3}, {"1E5", 1e5}, {"007", 7}}) {
    EXPECT_EQ(detail::parse_number(text, value), detail::NumberStatus::ok) << text;
    EXPECT_EQ(value, expected) << text;
  }
  value = 42;
  for (const char* text : {"", " ", "1,5", "0x10", "1f", "- 1", "e5", "1e+", "--1", "1_000",
                           "\xC2\xA0"
                           "1",
                           "1\n"}) {
    EXPECT_NE(detail::parse_number(text, value), detail::NumberStatus::ok) << text;
    EXPECT_EQ(value, 42) << text;
  }
}

TEST(Utf8, IsChecked) {
  for (const char* good : {"", "abc", "ä", "€", "😀", "\xF4\x8F\xBF\xBF"}) EXPECT_TRUE(detail::is_valid_utf8(good));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF",
                          "a\xE2\x82", "\xF0\x8F\xBF\xBF", "\xC3(", "\xF5\x80\x80\x80"}) {
    EXPECT_FALSE(detail::is_valid_utf8(bad)) << detail::shown(bad);
  }
}

}  // namespace
}  // namespace relufit
