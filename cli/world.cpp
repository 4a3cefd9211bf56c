#include "world.h"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "output.h"
#include "parallel/chunks.h"
#ifdef RELUFIT_MPI
#include "rank_watch.h"
#include "relufit/mpi_ranks.h"
#endif

namespace relufit::cli {

Matrix own_part(const Ranks* ranks, const Matrix& all) {
  if (ranks == nullptr) return all;
  const auto [begin, size] = Chunks(all.cols(), ranks).samples();
  return all.middleCols(begin, size);
}

Dataset own_part(const Ranks* ranks, const Dataset& all) {
  if (ranks == nullptr) return all;
  const auto [begin, size] = Chunks(all.samples(), ranks).samples();
  Dataset part = all;
  part.inputs = all.inputs.middleCols(begin, size);
  part.targets = all.targets.middleCols(begin, size);
  if (all.sample_weights.size() > 0) part.sample_weights = all.sample_weights.segment(begin, size);
  return part;
}

#ifdef RELUFIT_MPI

namespace {

constexpr double kPatience = 5;  // seconds: others that fail, too, do so within them

// At the end of the program MPI is finalized, which other exits (a signal, abort) leave out.
std::optional<MpiRanks> world;

}  // namespace

World::World() {
  watch_over_rank();
  world.emplace();
  if (world->rank() != 0) mute();
}
World::~World() { world.reset(); }
const Ranks* World::ranks() const { return world->size() > 1 ? &*world : nullptr; }
bool World::all_end() const { return world->all_arrive(kPatience); }
void World::abort(int code) const { world->abort(code); }

#else

// As many equal trainings as processes, all writing the same files, are what nobody asked for.
World::World() {
  for (const char* name : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE"}) {
    const char* const size = std::getenv(name);
    if (size == nullptr || std::string(size) == "1") continue;
    throw std::invalid_argument(std::string(size) +
                                " processes: this program was built for one, expected one with -DRELUFIT_MPI=ON");
  }
}
World::~World() = default;
const Ranks* World::ranks() const { return nullptr; }
bool World::all_end() const { return true; }
void World::abort(int code) const { std::_Exit(code); }

#endif

}  // namespace relufit::cli
