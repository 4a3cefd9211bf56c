#include "checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/refusal.h"
#include "relufit/files.h"

namespace relufit {

namespace {

constexpr std::string_view kName = "relufit-checkpoint ";
constexpr std::string_view kFirstLine = "relufit-checkpoint 1\n";
constexpr std::size_t kNumber = sizeof(std::uint64_t);

std::uint64_t number_at(std::string_view bytes) {
  StateVisitor visitor(bytes.substr(0, kNumber));
  std::uint64_t number = 0;
  visitor(number);
  return number;
}

/// The body of a file, which is whole.
std::string_view body_of(const std::string& path, std::string_view content) {
  if (content.substr(0, kName.size()) != kName) {
    fail(fmt::format("{}: no checkpoint of a training, expected one: '{}...'", path, kName));
  }
  if (content.substr(0, kFirstLine.size()) != kFirstLine) {
    const std::string_view version = content.substr(kName.size(), content.find('\n') - kName.size());
    const bool printable = version.size() < 20 && version.find_first_not_of("0123456789.") == std::string_view::npos;
    fail(fmt::format("{}: checkpoint of version {}, expected version 1", path, printable ? version : "unknown"));
  }
  const std::string_view rest = content.substr(kFirstLine.size());
  const std::size_t size = rest.size() < 2 * kNumber ? 0 : rest.size() - 2 * kNumber;
  if (rest.size() < 2 * kNumber || number_at(rest) != size) {
    fail(fmt::format("{}: damaged, {} bytes are not as many as it should have", path, content.size()));
  }
  const std::size_t hashed = content.size() - kNumber;
  if (number_at(content.substr(hashed)) != hash_of(content.substr(0, hashed))) {
    fail(fmt::format("{}: damaged, its content does not have the hash that it should have", path));
  }
  return rest.substr(kNumber, size);
}

}  // namespace

Checkpoint::Checkpoint(const std::string& path, double interval, bool resumes, Identity identity, int rank)
    : path_(rank == 0 ? path : fmt::format("{}.{}", path, rank)), interval_(interval), identity_(std::move(identity)) {
  check_output(path_);
  for (int r = 0;; ++r) {
    const std::string file = r == 0 ? path : fmt::format("{}.{}", path, r);
    const std::filesystem::file_status status = std::filesystem::status(file);
    if (!std::filesystem::exists(status)) {
      if (r == 0) continue;
      break;
    }
    if (!std::filesystem::is_regular_file(status)) fail(fmt::format("{}: is no regular file, expected one", file));
    if (!resumes) {
      fail(fmt::format("{}: a file is there, expected none where training does not resume from it", file));
    }
    read(file);
  }
  clock_ = Clock(before_);
  written_ = before_;
}

void Checkpoint::read(const std::string& path) {
  const std::string content = read_file(path);
  const std::string_view body = body_of(path, content);
  try {
    StateVisitor visitor(body);
    Identity found;
    std::uint64_t count = 0;
    double seconds = 0;
    visitor(found);
    compare(path, found);
    visitor(seconds, count);
    before_ = std::max(before_, seconds);
    for (; count > 0; --count) {
      std::string name;
      Entry entry;
      visitor(name, entry.done, entry.bytes);
      entry.kept = seconds;
      Entry& known = entries_[name];
      if (!known.done) known = std::move(entry);
    }
    visitor.end();
  } catch (const DamagedState&) {
    fail(path + ": damaged, its content does not fit together");
  }
}

void Checkpoint::compare(const std::string& path, const Identity& found) const {
  for (std::size_t i = 0; i < identity_.size(); ++i) {
    const Property& given = identity_[i];
    if (i >= found.size() || found[i].name != given.name) throw DamagedState();
    if (found[i].value == given.value) continue;
    if (given.value.starts_with('#') || found[i].value.starts_with('#')) {
      fail(fmt::format("{}: checkpoint of a training with other {}, expected those given", path, given.name));
    }
    fail(fmt::format("{}: checkpoint of a training with {} {}, expected {}", path, given.name, found[i].value,
                     given.value));
  }
}

void Checkpoint::write() {
  const std::lock_guard lock(mutex_);
  if (changed_) write_locked();
}

void Checkpoint::write_locked() {
  // Small texts between the states, which are large and not copied.
  std::vector<std::string> texts;
  texts.reserve(entries_.size() + 2);
  double seconds = clock_.seconds();
  auto count = static_cast<std::uint64_t>(entries_.size());
  texts.push_back(saved_state(identity_, seconds, count));
  std::vector<std::string_view> parts = {kFirstLine, {}, texts.front()};
  for (auto& [name, entry] : entries_) {
    std::string text = name;
    auto size = static_cast<std::uint64_t>(entry.bytes.size());
    texts.push_back(saved_state(text, entry.done, size));
    parts.insert(parts.end(), {texts.back(), entry.bytes});
  }
  std::uint64_t body = 0;
  for (std::size_t i = 2; i < parts.size(); ++i) body += parts[i].size();
  const std::string size = saved_state(body);
  parts[1] = size;
  unsigned long long hash = kHashOfNothing;
  for (const std::string_view part : parts) hash = hash_of(part, hash);
  texts.push_back(saved_state(hash));
  parts.push_back(texts.back());
  rewrite_file(path_, parts);
  written_ = clock_.seconds();
  changed_ = false;
}

void Checkpoint::put(const std::string& name, Entry entry, bool with_parts) {
  const std::lock_guard lock(mutex_);
  entry.kept = clock_.seconds();
  if (with_parts) {
    const std::string prefix = name + '/';
    std::erase_if(entries_, [&](const auto& kept) { return kept.first.starts_with(prefix); });
  }
  entries_[name] = std::move(entry);
  changed_ = true;
  if (clock_.seconds() - written_ >= interval_) write_locked();
}

bool Checkpoint::is_due(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  const double kept = found == entries_.end() ? before_ : found->second.kept;
  return clock_.seconds() - kept >= interval_;
}

Piece::Piece(Checkpoint* checkpoint, CutShort cut_short, Share share)
    : checkpoint_(checkpoint),
      share_(share),
      has_(agreed(share.ranks, checkpoint != nullptr)),
      keeps_(has_),
      cut_short_(std::move(cut_short)) {}

Piece Piece::part(const std::string& name, CutShort cut_short) const {
  Piece part = *this;
  part.cut_short_ = std::move(cut_short);
  part.also_ = nullptr;
  if (!has_) return part;
  part.name_ = name_.empty() ? name : name_ + '/' + name;
  part.keeps_ = keeps_ && !agreed(share_.ranks, part.cut_short_());
  return part;
}

Piece Piece::alone() const {
  Piece piece = *this;
  piece.share_ = {};
  piece.has_ = checkpoint_ != nullptr;
  piece.keeps_ = keeps_ && piece.has_;
  return piece;
}

Piece Piece::with(Visit also) const {
  Piece piece = *this;
  piece.also_ = std::move(also);
  return piece;
}

bool Piece::begun() const {
  if (!has_) return false;
  bool begun = false;
  if (checkpoint_ != nullptr) {
    const std::lock_guard lock(checkpoint_->mutex_);
    const auto first = checkpoint_->entries_.lower_bound(name_ + '/');
    begun = checkpoint_->entries_.contains(name_) ||
            (first != checkpoint_->entries_.end() && first->first.starts_with(name_ + '/'));
  }
  return agreed(share_.ranks, begun);
}

std::optional<std::string> Piece::found(bool done) const {
  std::string bytes;
  bool is_there = false;
  if (checkpoint_ != nullptr) {
    const std::lock_guard lock(checkpoint_->mutex_);
    const auto entry = checkpoint_->entries_.find(name_);
    is_there = entry != checkpoint_->entries_.end() && entry->second.done == done;
    if (is_there) bytes = entry->second.bytes;
  }
  if (!agreed(share_.ranks, is_there)) return std::nullopt;
  broadcast(share_.ranks, bytes);
  return bytes;
}

bool Piece::restore_from(bool done, const Visit& visit) const {
  if (!has_) return false;
  const std::optional<std::string> bytes = found(done);
  if (!bytes) return false;
  try {
    StateVisitor visitor(std::string_view(*bytes), share_);
    if (!done && also_) also_(visitor);
    visit(visitor);
    visitor.end();
  } catch (const DamagedState&) {
    fail(fmt::format("{}: damaged, what it holds of '{}' is not of this training",
                     checkpoint_ ? checkpoint_->path_ : "checkpoint", name_));
  }
  return true;
}

std::string Piece::saved(bool done, const Visit& visit) const {
  std::string bytes;
  StateVisitor visitor(bytes, share_);
  if (!done && also_) also_(visitor);
  visit(visitor);
  return bytes;
}

void Piece::offer(bool now, const Visit& visit) const {
  if (!keeps_) return;
  if (!agreed(share_.ranks, now || (checkpoint_ != nullptr && checkpoint_->is_due(name_)))) return;
  std::string bytes = saved(false, visit);
  if (checkpoint_ != nullptr) checkpoint_->put(name_, {false, std::move(bytes)}, false);
}

void Piece::keep(bool done, const Visit& visit) const {
  if (!keeps_ || agreed(share_.ranks, cut_short_())) return;
  std::string bytes = saved(done, visit);
  if (checkpoint_ != nullptr) checkpoint_->put(name_, {done, std::move(bytes)}, true);
}

}  // namespace relufit
