/// \file
/// Says which rank is lost. Where one of its processes dies, mpirun kills the others at once, and names one that it saw
/// end, which need not be the first.
#pragma once

namespace relufit::cli {

/// Where mpirun has started this process, forks: the child returns, and is the rank; this process waits for it and ends
/// as it does, after a message where a signal has killed it. So mpirun knows of the loss after the message is out. To
/// be called before MPI and threads begin.
void watch_over_rank();

}  // namespace relufit::cli
