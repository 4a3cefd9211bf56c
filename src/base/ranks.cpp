#include "relufit/ranks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace relufit {

namespace {

std::vector<double> of_all(const Ranks& ranks, double mine) {
  std::vector<double> all(static_cast<std::size_t>(ranks.size()));
  ranks.gather(&mine, std::vector<Index>(all.size(), 1), all.data());
  return all;
}

}  // namespace

std::vector<double> gathered(const Ranks* ranks, const std::vector<double>& mine) {
  if (ranks == nullptr) return mine;
  std::vector<Index> counts;
  Index total = 0;
  for (const double size : of_all(*ranks, static_cast<double>(mine.size()))) {
    counts.push_back(static_cast<Index>(size));
    total += counts.back();
  }
  std::vector<double> all(static_cast<std::size_t>(total));
  ranks->gather(mine.data(), counts, all.data());
  return all;
}

void broadcast(const Ranks* ranks, std::vector<double>& numbers) {
  if (ranks == nullptr) return;
  if (ranks->rank() != 0) numbers.clear();
  numbers = gathered(ranks, numbers);
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
  if (first - failures.begin() != ranks->rank()) message.clear();
  const std::vector<double> letters = gathered(ranks, {message.begin(), message.end()});
  message.clear();
  for (const double letter : letters) message += static_cast<char>(letter);
  throw std::invalid_argument(message);
}

}  // namespace relufit
