/// \file
/// Ranks that exchange their numbers through Python: any communicator of mpi4py.
#pragma once

#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "interruptible.h"
#include "relufit/ranks.h"

namespace relufit::python {

/// `gather`: gather(mine, counts, everything), which fills everything with the counts[r] numbers of every rank r.
/// Called in the thread that waits for the computation.
class PythonRanks final : public Ranks {
 public:
  PythonRanks(nanobind::object gather, int size, int rank, Interruptible& computation)
      : gather_(std::move(gather)), size_(size), rank_(rank), computation_(computation) {}

  int size() const override { return size_; }
  int rank() const override { return rank_; }

  void gather(const double* mine, const std::vector<Index>& counts, double* all) const override {
    bool gathered = false;
    computation_.ask([&] {
      Index total = 0;
      for (const Index count : counts) total += count;
      gather_(array(mine, counts[static_cast<std::size_t>(rank_)]), counts, array(all, total));
      gathered = true;
      return true;
    });
    if (!gathered) throw std::runtime_error("the processes could not exchange their numbers");
  }

 private:
  template <class Number>
  static nanobind::ndarray<nanobind::numpy, Number> array(Number* numbers, Index count) {
    static double none = 0;  // an array needs an address, even of nothing
    const auto size = static_cast<std::size_t>(count);
    return {count > 0 ? numbers : &none, {size}, nanobind::none()};
  }

  nanobind::object gather_;
  int size_, rank_;
  Interruptible& computation_;
};

}  // namespace relufit::python
