/// \file
/// What one rank computes, and all get.
#pragma once

#include <string>
#include <string_view>

#include "checkpoint/state_visitor.h"
#include "relufit/ranks.h"

namespace relufit {

/// What rank 0 makes of it, on every rank; what it throws as bad input is thrown by all.
template <class Make>
auto by_first_rank(const Ranks* ranks, Make&& make) -> decltype(make()) {
  if (ranks == nullptr) return make();
  decltype(make()) made;
  std::string bytes;
  collectively(ranks, [&] {
    if (ranks->rank() != 0) return;
    made = make();
    bytes = saved_state(made);
  });
  broadcast(ranks, bytes);
  StateVisitor visitor{std::string_view(bytes)};
  visitor(made);
  return made;
}

}  // namespace relufit
