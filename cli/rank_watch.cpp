#include "rank_watch.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "output.h"
#include "progress.h"

namespace relufit::cli {

namespace {

constexpr unsigned kPrecedence = 3;  // seconds

/// By what mpirun of MPICH or Open MPI tells its processes; null without it.
const char* number_of_rank() {
  const char* const number = std::getenv("PMI_RANK");
  return number != nullptr ? number : std::getenv("OMPI_COMM_WORLD_RANK");
}

[[noreturn]] void wait_for_rank(const char* number, pid_t rank) {
  // They go to the group of processes, and it is the rank that answers them.
  for (const int signal : InterruptGuard::signals) std::signal(signal, SIG_IGN);
  int status = 0;
  while (waitpid(rank, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  std::array<char, 256> host = {};
  gethostname(host.data(), host.size() - 1);
  const int signal = WTERMSIG(status);
  // MPI ends a rank so that misses another one, whose watch is to speak first: its memory may take longer to be freed.
  if (signal == SIGABRT) sleep(kPrecedence);
  complain(fmt::format("rank {} is lost: process {} on {}, signal {} ({})", number, rank, host.data(), signal,
                       strsignal(signal)));
  // By the same signal: mpirun of MPICH goes on where a process ends with an exit code before MPI has begun.
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  std::signal(signal, SIG_DFL);
  raise(signal);
  _exit(128 + signal);
}

}  // namespace

void watch_over_rank() {
  const char* const number = number_of_rank();
  if (number == nullptr) return;
  const pid_t watch = getpid();
  const pid_t rank = fork();
  if (rank > 0) wait_for_rank(number, rank);
  if (rank < 0) return;  // goes on unwatched
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != watch) _exit(128 + SIGKILL);
}

}  // namespace relufit::cli
