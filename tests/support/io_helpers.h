/// \file
/// Shared by the tests of files, data and models.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "relufit/model.h"

namespace relufit::testing_io {

/// A fresh folder per test, removed afterwards.
class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("relufit_") + info->name() + "_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  static std::string read(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

/// The message of an exception of exactly this kind; a failed expectation and "" where there is none.
template <typename Exception, typename Function>
std::string message_of(Function&& function) {
  try {
    function();
  } catch (const Exception& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no exception";
  return {};
}

inline void expect_one_line_with(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

inline bool same_bits(const Matrix& a, const Matrix& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(double)) == 0);
}

/// Any finite double, all exponents alike: what a round trip must survive.
inline Matrix random_bits(Index rows, Index columns, std::mt19937_64& generator) {
  return Matrix::NullaryExpr(rows, columns, [&generator](Index, Index) {
    double value = 0;
    do {
      const std::uint64_t bits = generator();
      std::memcpy(&value, &bits, sizeof value);
    } while (!std::isfinite(value));
    return value;
  });
}

/// Uniform in [-1, 1).
inline Matrix random_values(Index rows, Index columns, std::mt19937_64& generator) {
  return Matrix::NullaryExpr(
      rows, columns, [&generator](Index, Index) { return static_cast<double>(generator() >> 11) * 0x1p-52 - 1.0; });
}

inline const std::vector<std::string>& odd_names() {
  static const std::vector<std::string> names = {"a,b",   "say \"hi\"", "Größe (µm)",       "semi;colon",
                                                 " lead", "tab\tbed",   "two\nlines",       "体重",
                                                 "17",    "'",          "\xEF\xBB\xBFmark", "cr\rname"};
  return names;
}

}  // namespace relufit::testing_io
