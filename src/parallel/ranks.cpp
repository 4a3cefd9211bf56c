#include "relufit/ranks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace relufit {

namespace {

std::vector<double> of_all(const Ranks& ranks, double mine) {
  std::vector<double> all(static_cast<std::size_t>(ranks.size()));
  ranks.gather(&mine, std::vector<Index>(all.size(), 1), all.data());
  return all;
}

}  // namespace

// Bytes travel in numbers, eight in each.
std::vector<std::string> gathered_bytes(const Ranks* ranks, const std::string& mine) {
  if (ranks == nullptr) return {mine};
  constexpr std::size_t kSize = sizeof(double);
  const auto numbers_of = [](std::size_t bytes) { return (bytes + kSize - 1) / kSize; };
  const std::vector<double> sizes = of_all(*ranks, static_cast<double>(mine.size()));
  std::vector<Index> counts;
  std::size_t total = 0;
  for (const double size : sizes) {
    counts.push_back(static_cast<Index>(numbers_of(static_cast<std::size_t>(size))));
    total += static_cast<std::size_t>(counts.back());
  }
  std::vector<double> sent(numbers_of(mine.size()));
  if (!mine.empty()) std::memcpy(sent.data(), mine.data(), mine.size());
  std::vector<double> all(total);
  ranks->gather(sent.data(), counts, all.data());
  std::vector<std::string> result;
  const double* at = all.data();
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    result.emplace_back(reinterpret_cast<const char*>(at), static_cast<std::size_t>(sizes[r]));
    at += counts[r];
  }
  return result;
}

void broadcast(const Ranks* ranks, std::string& bytes) {
  if (ranks == nullptr) return;
  if (ranks->rank() != 0) bytes.clear();
  bytes = gathered_bytes(ranks, bytes).front();
}

double agreed(const Ranks* ranks, double mine) { return ranks == nullptr ? mine : of_all(*ranks, mine).front(); }

bool agreed(const Ranks* ranks, bool mine) { return agreed(ranks, mine ? 1.0 : 0.0) > 0; }

double largest_of(const Ranks* ranks, double mine) {
  if (ranks == nullptr) return mine;
  const std::vector<double> all = of_all(*ranks, mine);
  const auto nan = std::find_if(all.begin(), all.end(), [](double value) { return std::isnan(value); });
  return nan != all.end() ? *nan : *std::max_element(all.begin(), all.end());
}

Matrix gathered_columns(const Ranks* ranks, const Matrix& mine) {
  if (ranks == nullptr) return mine;
  std::vector<Index> counts;
  Index columns = 0;
  for (const double count : of_all(*ranks, static_cast<double>(mine.cols()))) {
    counts.push_back(mine.rows() * static_cast<Index>(count));
    columns += static_cast<Index>(count);
  }
  Matrix all(mine.rows(), columns);
  ranks->gather(mine.data(), counts, all.data());
  return all;
}

void collectively(const Ranks* ranks, const std::function<void()>& work) {
  if (ranks == nullptr) {
    work();
    return;
  }
  std::string message;
  bool failed = false;
  try {
    work();
  } catch (const std::invalid_argument& error) {
    message = error.what();
    failed = true;
  }
  const std::vector<double> failures = of_all(*ranks, failed ? 1 : 0);
  const auto first = std::find(failures.begin(), failures.end(), 1.0);
  if (first == failures.end()) return;
  throw std::invalid_argument(gathered_bytes(ranks, message)[static_cast<std::size_t>(first - failures.begin())]);
}

}  // namespace relufit
