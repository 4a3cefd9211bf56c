#include "relufit/mpi_ranks.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <thread>

namespace relufit {

namespace {

/// Until it has ended, `seconds` at most; whether it has. MPI's own waiting keeps a processor busy, which other ranks,
/// or threads, may need: this gives way after some microseconds, and sleeps where it takes long.
bool wait_for(MPI_Request request, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (Index tried = 0;; ++tried) {
    int ended = 0;
    MPI_Test(&request, &ended, MPI_STATUS_IGNORE);
    if (ended != 0) return true;
    if (tried < 100) continue;
    const auto waited = Clock::now() - begin;
    if (waited > std::chrono::duration<double>(seconds)) return false;
    if (waited < std::chrono::milliseconds(5)) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
}

}  // namespace

// Several threads may work, but only the one that trains speaks.
MpiRanks::MpiRanks(Index piece) {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  piece_ = std::min<Index>(piece, std::numeric_limits<int>::max() / size_);  // all ranks' together are an int
}

MpiRanks::~MpiRanks() { MPI_Finalize(); }

void MpiRanks::gather(const double* mine, const std::vector<Index>& counts, double* all) const {
  const Index longest = *std::max_element(counts.begin(), counts.end());
  std::vector<int> sizes(counts.size()), offsets(counts.size());
  std::vector<double> pieces;
  for (Index done = 0; done < longest; done += piece_) {
    int total = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      sizes[r] = static_cast<int>(std::clamp<Index>(counts[r] - done, 0, piece_));
      offsets[r] = total;
      total += sizes[r];
    }
    const bool whole = longest <= piece_;
    if (!whole) pieces.resize(static_cast<std::size_t>(total));
    double* const received = whole ? all : pieces.data();
    const int sent = sizes[static_cast<std::size_t>(rank_)];
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallgatherv(sent > 0 ? mine + done : nullptr, sent, MPI_DOUBLE, received, sizes.data(), offsets.data(),
                    MPI_DOUBLE, MPI_COMM_WORLD, &request);
    wait_for(request, std::numeric_limits<double>::infinity());
    if (whole) return;
    double* to = all;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      std::copy_n(pieces.data() + offsets[r], sizes[r], to + std::min(done, counts[r]));
      to += counts[r];
    }
  }
}

bool MpiRanks::all_arrive(double seconds) const {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  return wait_for(request, seconds);
}

void MpiRanks::abort(int code) const {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace relufit
