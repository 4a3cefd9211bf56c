/// \file
/// What a training keeps on disk, so that one that was ended at any moment is gone on with, and ends with the same
/// bits.
///
/// A training is made of pieces, which have names: a start, a candidate of it, the relaxation of that. Everything is
/// deterministic, so the file need only hold, of every piece that is begun,
///
///     its result       once it is done; what its parts had kept is then forgotten
///     its state        while it runs and is long: where it goes on from
///
/// and nothing of pieces that follow from these quickly.
///
///     "relufit-checkpoint 1\n"    8 bytes: size of the body    the body    8 bytes: hash_of all before
///
/// Numbers are as the processor has them, the body is what a StateVisitor makes of identity, seconds and pieces.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "checkpoint/state_visitor.h"

namespace relufit {

class Checkpoint {
 public:
  /// One property of a training that its result depends on. Values of which only a hash is kept begin with "#".
  struct Property {
    std::string name, value;
    void visit_state(StateVisitor& visitor) { visitor(name, value); }
  };
  using Identity = std::vector<Property>;

  /// Where there is a file, what it holds is gone on with if the training `resumes`. Throws std::invalid_argument,
  /// naming the file, where it is there and the training does not resume, or where it is none of a training with this
  /// identity, or damaged; and where it cannot be written.
  ///
  /// Rank r > 0 of a training whose starts are dealt out writes a file of its own, PATH.r. All that there are, from
  /// PATH.1 on, are read by every rank: another number of them goes on.
  Checkpoint(const std::string& path, double interval, bool resumes, Identity identity, int rank = 0);

  /// Of the training, and those that it goes on with.
  double seconds() const { return clock_.seconds(); }
  /// Of those that it goes on with; 0: none.
  double seconds_before() const { return before_; }

  /// Writes what has changed since. Throws std::runtime_error, `PATH: cannot be written: REASON`, here and wherever a
  /// piece keeps something.
  void write();

 private:
  friend class Piece;
  struct Entry {
    bool done = false;
    std::string bytes;
    double kept = 0;  // when, by the clock
  };

  void read(const std::string& path);
  void compare(const std::string& path, const Identity& found) const;
  void write_locked();
  void put(const std::string& name, Entry entry, bool with_parts);
  bool is_due(const std::string& name);

  std::string path_;
  double interval_;
  Identity identity_;
  std::map<std::string, Entry> entries_;
  double before_ = 0;
  Clock clock_;
  double written_ = 0;  // when
  bool changed_ = false;
  std::mutex mutex_;
};

/// A piece of a training. Copies are the same piece. Any thread.
class Piece {
 public:
  using Visit = std::function<void(StateVisitor&)>;
  using CutShort = std::function<bool()>;

  /// Nothing is kept.
  Piece() = default;
  /// `cut_short`: whether the training is being ended, so that results are not those of the whole training. Once true
  /// it stays so. Pieces that begin after that keep nothing.
  ///
  /// With a share of the samples all ranks call what they call of it together. Then rank 0 alone has a checkpoint, and
  /// what it holds is restored on all.
  Piece(Checkpoint* checkpoint, CutShort cut_short, Share share = {});
  /// The one pointed to, or one that keeps nothing.
  static Piece at(const Piece* piece) { return piece == nullptr ? Piece() : *piece; }

  /// This piece, of one rank alone.
  Piece alone() const;

  /// Whether states and results are kept, where the training goes on.
  bool keeps() const { return keeps_; }

  /// A piece of this one.
  Piece part(const std::string& name) const { return part(name, cut_short_); }
  Piece part(const std::string& name, CutShort cut_short) const;
  /// This piece, whose state has one more part: what only the caller of who keeps the state knows.
  Piece with(Visit also) const;

  /// Whether something of it was kept by a training before.
  bool begun() const;

  /// The result that was kept, else that of make(), which is kept. Nothing is where it was cut short: the training is,
  /// or is_cut_short(result), where there is such a function.
  template <class Make>
  auto once(Make&& make) const {
    std::invoke_result_t<Make> result;
    if (restore_from(true, [&](StateVisitor& visitor) { visitor(result); })) return result;
    result = make();
    bool whole = true;
    if constexpr (requires { is_cut_short(result); }) whole = !is_cut_short(result);
    if (whole) keep(true, [&](StateVisitor& visitor) { visitor(result); });
    return result;
  }

  /// Where there is a state, restores it and returns true.
  bool restore(const Visit& visit) const { return restore_from(false, visit); }
  /// Keeps the state where the checkpoint is due, or `now`: in the file once that is due.
  void offer(bool now, const Visit& visit) const;
  /// Keeps the state, in which the parts so far are done: what they kept is forgotten.
  void advance(const Visit& visit) const { keep(false, visit); }

 private:
  bool restore_from(bool done, const Visit& visit) const;
  void keep(bool done, const Visit& visit) const;
  std::string saved(bool done, const Visit& visit) const;

  /// The bytes that were kept; nothing where there are none.
  std::optional<std::string> found(bool done) const;

  Checkpoint* checkpoint_ = nullptr;
  Share share_;
  bool has_ = false;  // a checkpoint: this rank, or the first
  bool keeps_ = false;
  std::string name_;
  CutShort cut_short_;
  Visit also_;
};

}  // namespace relufit
