#include "checkpoint/state_visitor.h"

#include <cstdint>
#include <cstring>

namespace relufit {

void StateVisitor::bytes(void* data, std::size_t size) {
  if (size == 0) return;
  if (!restores()) {
    to_->append(static_cast<const char*>(data), size);
    return;
  }
  if (from_.size() < size) throw DamagedState();
  std::memcpy(data, from_.data(), size);
  from_.remove_prefix(size);
}

/// How many parts follow, each of one byte at least.
std::size_t StateVisitor::count(std::size_t size) {
  auto number = static_cast<std::uint64_t>(size);
  visit(number);
  if (restores() && number > from_.size()) throw DamagedState();
  return static_cast<std::size_t>(number);
}

unsigned long long hash_of(std::string_view bytes, unsigned long long before) {
  for (const char byte : bytes) {
    before = (before ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return before;
}

}  // namespace relufit
