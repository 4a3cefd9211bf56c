#include "relufit/mpi_ranks.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <thread>

namespace relufit {

namespace {

constexpr Index kPiece = Index{1} << 26;  // numbers of a rank exchanged at once: MPI counts in int

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
MpiRanks::MpiRanks() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
}

MpiRanks::~MpiRanks() { MPI_Finalize(); }

void MpiRanks::gather(const double* mine, const std::vector<Index>& counts, double* all) const {
  const Index longest = *std::max_element(counts.begin(), counts.end());
  std::vector<int> sizes(counts.size()), offsets(counts.size());
  std::vector<double> piece;
  for (Index done = 0; done < longest; done += kPiece) {
    int total = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      sizes[r] = static_cast<int>(std::clamp<Index>(counts[r] - done, 0, kPiece));
      offsets[r] = total;
      total += sizes[r];
    }
    const bool whole = longest <= kPiece;
    if (!whole) piece.resize(static_cast<std::size_t>(total));
    double* const received = whole ? all : piece.data();
    const int sent = sizes[static_cast<std::size_t>(rank_)];
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallgatherv(sent > 0 ? mine + done : nullptr, sent, MPI_DOUBLE, received, sizes.data(), offsets.data(),
                    MPI_DOUBLE, MPI_COMM_WORLD, &request);
    wait_for(request, std::numeric_limits<double>::infinity());
    if (whole) return;
    double* to = all;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      std::copy_n(piece.data() + offsets[r], sizes[r], to + std::min(done, counts[r]));
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
