// NumPy files: values of every type and order, and every way in which a file can be wrong. What numpy.save itself
// writes is read in tests/cli/test_cli_arrays.py.
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include "support/io_helpers.h"

namespace relufit {
namespace {

using namespace std::string_literals;
using testing_io::expect_one_line_with;
using testing_io::message_of;
using NpyTest = testing_io::FileTest;

/// The format, from its description (NEP 1), with a header of given text.
std::string with_header(const std::string& header, const std::string& values, int version = 1) {
  const std::size_t size = header.size() + 1;
  std::string length = {static_cast<char>(size % 256), static_cast<char>(size / 256)};
  if (version > 1) length += "\0\0"s;
  return "\x93NUMPY"s + static_cast<char>(version) + '\0' + length + header + "\n" + values;
}

template <typename Number>
std::string bytes_of(const std::vector<Number>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename Number>
std::string npy(const std::string& type, const std::string& shape, const std::vector<Number>& numbers,
                bool fortran_order = false, int version = 1) {
  const std::string order = fortran_order ? "True" : "False";
  return with_header("{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': (" + shape + "), }",
                     bytes_of(numbers), version);
}

TEST_F(NpyTest, ReadsEveryTypeOrderAndVersion) {
  const auto read = [&](const std::string& content) { return read_npy(write("a.npy", content)); };
  for (const int version : {1, 2, 3}) {
    EXPECT_EQ(read(npy<double>("<f8", "2, 3", {1, 2, 3, 4, 5, 6}, false, version)), (Matrix{{1, 4}, {2, 5}, {3, 6}}));
    EXPECT_EQ(read(npy<double>("<f8", "2, 3", {1, 4, 2, 5, 3, 6}, true, version)), (Matrix{{1, 4}, {2, 5}, {3, 6}}));
  }
  EXPECT_EQ(read(npy<double>("<f8", "3,", {1, 2, 3})), (Matrix{{1, 2, 3}}));
  EXPECT_EQ(read(npy<double>("<f8", "3,", {1, 2, 3}, true)), (Matrix{{1, 2, 3}}));
  EXPECT_EQ(read(npy<float>("<f4", "1, 2", {0.1f, -3})), (Matrix{{static_cast<double>(0.1f)}, {-3}}));
  EXPECT_EQ(read(npy<std::uint8_t>("|b1", "2,", {0, 1})), (Matrix{{0, 1}}));
  EXPECT_EQ(read(npy<std::uint8_t>("|u1", "2,", {0, 255})), (Matrix{{0, 255}}));
  EXPECT_EQ(read(npy<std::int8_t>("|i1", "2,", {-128, 127})), (Matrix{{-128, 127}}));
  EXPECT_EQ(read(npy<std::uint16_t>("<u2", "1,", {65535})), (Matrix{{65535}}));
  EXPECT_EQ(read(npy<std::int16_t>("<i2", "1,", {-32768})), (Matrix{{-32768}}));
  EXPECT_EQ(read(npy<std::uint32_t>("<u4", "1,", {4294967295})), (Matrix{{4294967295}}));
  EXPECT_EQ(read(npy<std::int32_t>("<i4", "1,", {-2147483647})), (Matrix{{-2147483647}}));
  const std::int64_t largest = std::int64_t{1} << 53;
  EXPECT_EQ(read(npy<std::int64_t>("<i8", "2,", {largest, -largest})), (Matrix{{0x1p53, -0x1p53}}));
  EXPECT_EQ(read(npy<std::uint64_t>("<u8", "1,", {1})), (Matrix{{1}}));
  // Members in another order, with other quotes and blanks.
  EXPECT_EQ(read(with_header("{ \"shape\":(2 ,1),'fortran_order' :False, 'descr':'<f8' }  ", bytes_of<double>({1, 2}))),
            (Matrix{{1, 2}}));
}

struct BadFile {
  std::string content;
  std::string expected;  ///< behind the path
};

const std::vector<BadFile>& bad_npy_files() {
  const auto header = [](const std::string& text) { return with_header(text, bytes_of<double>({1, 2})); };
  const std::string good = npy<double>("<f8", "2,", {1, 2});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  static const std::vector<BadFile> cases = {
      {"", ": no NumPy file"},
      {"a,b\n1,2\n", ": no NumPy file (.npy), as numpy.save writes it"},
      {"PK\x03\x04", ": no NumPy file"},
      {good.substr(0, 7), ": the file ends in its header"},
      {good.substr(0, 9), ": the file ends in its header"},
      {good.substr(0, 40), ": the file ends in its header"},
      {good.substr(0, good.size() - 1), ": 15 bytes of values, expected 2 x 1 values of 8 bytes"},
      {good + "x", ": 17 bytes of values, expected 2 x 1 values of 8 bytes"},
      {npy<double>("<f8", "2,", {1, 2}, false, 4), ": version 4.0 of the format, expected 1.0, 2.0 or 3.0"},
      {npy<double>(">f8", "2,", {1, 2}), ": an array of big endian numbers '>f8', expected"},
      {npy<double>("|O", "2,", {1, 2}), ": an array of objects '|O', expected"},
      {npy<double>("<c16", "1,", {1, 2}), ": an array of '<c16', expected"},
      {npy<double>("<U2", "2,", {1, 2}), ": an array of '<U2', expected"},
      {npy<double>("<f2", "8,", {1, 2}), ": an array of '<f2', expected floating point numbers of 32 or 64 bits"},
      {header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }"), ": an array of records"},
      {npy<double>("<f8", "", {1}), ": an array of 0 dimensions, expected 1 or 2"},
      {npy<double>("<f8", "1, 1, 2", {1, 2}), ": an array of 3 dimensions, expected 1 or 2"},
      {npy<double>("<f8", "0, 2", {}), ": no values, expected at least one"},
      {npy<double>("<f8", "2, 0", {}), ": no values, expected at least one"},
      {npy<double>("<f8", "4611686018427387904, 2", {}), ": 0 bytes of values, expected 4611686018427387904 x 2"},
      {npy<double>("<f8", "2, 2", {1, 2, 3, nan}), ": row 2, column 2: nan is not a finite number"},
      {npy<double>("<f8", "2, 2", {1, 2, -1 / 0.0, 3}, true), ": row 1, column 2: -inf is not a finite number"},
      {npy<float>("<f4", "2,", {1, std::numeric_limits<float>::infinity()}), ": row 2, column 1: inf is not a finite"},
      {npy<std::int64_t>("<i8", "1,", {(std::int64_t{1} << 53) + 1}), ": row 1, column 1: 9007199254740993 is beyond"},
      {npy<std::int64_t>("<i8", "1,", {std::numeric_limits<std::int64_t>::min()}),
       "-9223372036854775808 is beyond 2^53"},
      {npy<std::uint64_t>("<u8", "1,", {~std::uint64_t{0}}), ": row 1, column 1: 18446744073709551615 is beyond 2^53"},
      {header("{'descr': '<f8', 'fortran_order': False}"), ": the header is not that of a NumPy array"},
      {header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}"), ": the header is not"},
      {header("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}"), ": the header is not"},
      {header("{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}"), ": the header is not"},
      {header("{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}"), ": the header is not"},
      {header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,"), ": the header is not"},
      {header("{'descr': '<f8"), ": the header is not"},
      {header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} x"), ": the header is not"},
      {header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}"), ": the header is not"},
      {header(""), ": the header is not"},
  };
  return cases;
}

TEST_F(NpyTest, RefusesBadFilesNamingThePlace) {
  for (const BadFile& bad : bad_npy_files()) {
    SCOPED_TRACE(bad.expected);
    const std::string file = write("a.npy", bad.content);
    expect_one_line_with(message_of<std::invalid_argument>([&] { read_npy(file); }), {file + ": ", bad.expected});
  }
  const auto message = [&](const std::string& file) {
    return message_of<std::invalid_argument>([&] { read_npy(file); });
  };
  expect_one_line_with(message(path("none.npy")), {path("none.npy") + ": cannot be read: No such file"});
  expect_one_line_with(message(folder_.string()), {"cannot be read: Is a directory"});
  const std::string file = write("a.npy", npy<double>("<f8", "2,", {1, 2}));
  expect_one_line_with(message_of<std::invalid_argument>([&] { read_npy(file, 2); }),
                       {file + ": an array of 1 dimensions, expected 2"});
}

/// Any byte of a header may be any other: what is read then is finite, or the file is refused.
TEST_F(NpyTest, DamagedHeadersDoNoHarm) {
  const std::string good = npy<double>("<f8", "2, 3", {1, 2, 3, 4, 5, 6});
  for (std::size_t at = 0; at < good.size() - 48; ++at) {
    for (int byte = 0; byte < 256; byte += 17) {
      std::string content = good;
      content[at] = static_cast<char>(byte);
      const std::string file = write("a.npy", content);
      try {
        EXPECT_TRUE(read_npy(file).allFinite());
      } catch (const std::invalid_argument& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
    }
  }
}

TEST_F(NpyTest, MakesDatasets) {
  const std::string x = write("x.npy", npy<double>("<f8", "3, 2", {1, 2, 3, 4, 5, 6}));
  const std::string y = write("y.npy", npy<float>("<f4", "3,", {7, 8, 9}));
  const std::string w = write("w.npy", npy<std::uint8_t>("|u1", "3,", {1, 0, 2}));
  const Dataset data = read_dataset({x, y, w});
  EXPECT_EQ(data.inputs, (Matrix{{1, 3, 5}, {2, 4, 6}}));
  EXPECT_EQ(data.targets, (Matrix{{7, 8, 9}}));
  EXPECT_EQ(data.sample_weights, Vector({{1, 0, 2}}));
  EXPECT_EQ(data.input_names, (std::vector<std::string>{"x0", "x1"}));
  EXPECT_EQ(data.target_names, std::vector<std::string>{"y0"});
  const Dataset classes = read_classification({x, y, ""}, Loss::cross_entropy);
  EXPECT_EQ(classes.classification.classes, (std::vector<std::string>{"7", "8", "9"}));
  EXPECT_EQ(classes.targets, Matrix::Identity(3, 3));
  EXPECT_EQ(classes.target_names, (std::vector<std::string>{"class=7", "class=8", "class=9"}));
  EXPECT_EQ(read_classification({x, y, ""}, classes.classification).targets, classes.targets);

  const auto message = [&](const ArrayFiles& files) {
    return message_of<std::invalid_argument>([&] { read_dataset(files); });
  };
  const std::string two = write("two.npy", npy<double>("<f8", "2,", {7, 8}));
  expect_one_line_with(message({x, two, ""}), {two + ": 2 rows of targets, expected 3 as in " + x});
  expect_one_line_with(message({x, y, two}), {two + ": 2 rows of weights, expected 3 as in " + x});
  expect_one_line_with(message({x, y, x}), {x + ": 2 columns of weights, expected 1"});
  expect_one_line_with(message({y, y, ""}), {y + ": an array of 1 dimensions, expected 2"});
  expect_one_line_with(message_of<std::invalid_argument>([&] {
                         read_classification({x, x, ""}, Loss::hinge);
                       }),
                       {x + ": 2 columns of labels, expected 1"});
  const std::string others = write("others.npy", npy<double>("<f8", "3,", {7, 8, 10}));
  expect_one_line_with(message_of<std::invalid_argument>([&] {
                         read_classification({x, others, ""}, classes.classification);
                       }),
                       {others + ": row 3: '10' is no class, expected one of '7', '8', '9'"});
}

TEST_F(NpyTest, PartsAreTheRowsOneAfterTheOther) {
  std::vector<double> numbers;
  for (int i = 0; i < 22; ++i) numbers.push_back(i);
  const std::string y = write("y.npy", npy<std::uint8_t>("|u1", "11,", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  const std::string w = write("w.npy", npy<float>("<f4", "11, 1", {1, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  for (const bool fortran_order : {false, true}) {
    const std::string x = write("x.npy", npy<double>("<f8", "11, 2", numbers, fortran_order));
    const Dataset all = read_dataset({x, y, w});
    for (const Index parts : {1, 2, 3, 11, 13}) {
      Index row = 0;
      for (Index part = 0; part < parts; ++part) {
        const Dataset some = read_dataset_part({x, y, w}, part, parts);
        EXPECT_EQ(some.inputs, all.inputs.middleCols(row, some.samples()));
        EXPECT_EQ(some.targets, all.targets.middleCols(row, some.samples()));
        EXPECT_EQ(some.sample_weights, all.sample_weights.segment(row, some.samples()));
        EXPECT_EQ(some.input_names, all.input_names);
        EXPECT_NEAR(static_cast<double>(some.samples()), 11.0 / static_cast<double>(parts), 1 - 1e-9);
        row += some.samples();
      }
      EXPECT_EQ(row, 11);
    }
  }
  const auto message = [](const ArrayFiles& files, Index part, Index parts) {
    return message_of<std::invalid_argument>([&] { read_dataset_part(files, part, parts); });
  };
  numbers[20] = std::numeric_limits<double>::infinity();
  const std::string bad = write("bad.npy", npy<double>("<f8", "11, 2", numbers));
  read_dataset_part({bad, y, ""}, 0, 2);  // has nothing of the last row
  expect_one_line_with(message({bad, y, ""}, 1, 2), {bad + ": row 11, column 1: inf"});
  const std::string ten = write("ten.npy", npy<double>("<f8", "10,", std::vector<double>(10, 1.0)));
  const std::string x = write("x.npy", npy<double>("<f8", "11, 2", std::vector<double>(22, 1.0)));
  for (const Index part : {0, 1}) {
    expect_one_line_with(message({x, ten, ""}, part, 2), {ten + ": 10 rows of targets, expected 11 as in " + x});
  }
  expect_one_line_with(message({x, y, ""}, 2, 2), {"part: 2, expected 0 to 1"});
}

}  // namespace
}  // namespace relufit
