/// \file
/// The state of a computation as bytes. One function of the computation names all parts of its state, and both saves
/// and restores them, so that the two cannot differ:
///
///     void visit_state(StateVisitor& visitor) { visitor(iteration_, damping_, layers_); visitor.samples(slack_); }
///
/// Types of their own are visited by a member of that name, or by a function visit_state(visitor, value) beside them.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "parallel/chunks.h"

namespace relufit {

/// What is restored is not what was saved.
struct DamagedState : std::runtime_error {
  DamagedState() : std::runtime_error("not the state of this computation") {}
};

class StateVisitor {
 public:
  /// Saves, behind what `saved` holds.
  explicit StateVisitor(std::string& saved, Share share = {}) : to_(&saved), share_(share) {}
  /// Restores. Throws DamagedState, here and below, where the bytes do not suit; `saved` must stay.
  explicit StateVisitor(std::string_view saved, Share share = {}) : from_(saved), share_(share) {}

  bool restores() const { return to_ == nullptr; }

  /// Parts that all samples have in common.
  template <class... Parts>
  void operator()(Parts&... parts) {
    (visit(parts), ...);
  }

  /// A matrix whose columns are the samples, or several. Of samples that lie with several ranks, whose visitors work
  /// together, those of all are saved, and each restores its own: as many ranks as there are.
  template <class Samples>
  void samples(Samples&& matrix) {
    if constexpr (std::is_same_v<typename std::decay_t<Samples>::Scalar, double>) {  // others are of one process
      if (share_.ranks != nullptr) {
        Matrix all;
        if (!restores()) all = gathered_columns(share_.ranks, matrix);
        visit_dense(all);
        if (restores()) restore_own(all, matrix);
        return;
      }
    }
    visit_dense(matrix);
  }
  void samples(std::vector<Matrix>& matrices) {
    matrices.resize(count(matrices.size()));
    for (Matrix& matrix : matrices) samples(matrix);
  }

  /// Throws where bytes are left over.
  void end() const {
    if (restores() && !from_.empty()) throw DamagedState();
  }

 private:
  template <class Samples>
  void restore_own(const Matrix& all, Samples& matrix) {
    const Range mine = Chunks(share_.samples, share_.ranks).samples();
    const bool some = all.cols() == share_.samples;  // else none, where this matrix is not in use
    const auto own = all.middleCols(some ? mine.begin : 0, some ? mine.size : all.cols());
    if (own.rows() != matrix.rows() || own.cols() != matrix.cols()) resize_to(matrix, own.rows(), own.cols());
    matrix = own;
  }
  template <class Dense>
  void resize_to(Dense& dense, Index rows, Index columns) {
    if constexpr (requires { dense.conservativeResize(rows, columns); }) {
      dense.resize(rows, columns);
    } else {
      throw DamagedState();
    }
  }

  void bytes(void* data, std::size_t size);
  std::size_t count(std::size_t size);

  template <class Part>
  void visit(Part& part) {
    if constexpr (std::is_arithmetic_v<Part> || std::is_enum_v<Part>) {
      bytes(&part, sizeof part);
    } else if constexpr (requires { part.rows() * part.cols() + *part.data(); }) {
      visit_dense(part);
    } else if constexpr (requires { part.visit_state(*this); }) {
      part.visit_state(*this);
    } else {
      visit_state(*this, part);
    }
  }

  void visit(std::string& text) {
    text.resize(count(text.size()));
    bytes(text.data(), text.size());
  }

  template <class Part>
  void visit(std::vector<Part>& parts) {
    parts.resize(count(parts.size()));
    for (Part& part : parts) visit(part);
  }

  template <class Part>
  void visit(std::optional<Part>& part) {
    bool given = part.has_value();
    visit(given);
    if (restores()) part.reset();
    if (given && !part) part.emplace();
    if (part) visit(*part);
  }

  /// Maps keep the shape they have.
  template <class Dense>
  void visit_dense(Dense& dense) {
    Index rows = dense.rows();
    Index columns = dense.cols();
    visit(rows);
    visit(columns);
    if (restores() && (rows != dense.rows() || columns != dense.cols())) resize(dense, rows, columns);
    bytes(dense.data(), static_cast<std::size_t>(dense.size()) * sizeof *dense.data());
  }

  template <class Dense>
  void resize(Dense& dense, Index rows, Index columns) {
    constexpr Index kFixedRows = Dense::RowsAtCompileTime;
    constexpr Index kFixedColumns = Dense::ColsAtCompileTime;
    const auto size = static_cast<Index>(from_.size() / sizeof *dense.data());
    const bool fits = rows >= 0 && columns >= 0 && (rows == 0 || columns <= size / rows) &&
                      (kFixedRows == Eigen::Dynamic || rows == kFixedRows) &&
                      (kFixedColumns == Eigen::Dynamic || columns == kFixedColumns);
    if (!fits) throw DamagedState();
    resize_to(dense, rows, columns);
  }

  std::string* to_ = nullptr;
  std::string_view from_;
  Share share_;
};

/// Bytes of what the visitor sees of these parts.
template <class... Parts>
std::string saved_state(Parts&... parts) {
  std::string bytes;
  StateVisitor visitor(bytes);
  visitor(parts...);
  return bytes;
}

/// FNV-1a, 64 bits: tells apart, with certainty, texts that differ in one byte. Goes on from the hash of what was
/// before.
constexpr unsigned long long kHashOfNothing = 0xcbf29ce484222325ULL;
unsigned long long hash_of(std::string_view bytes, unsigned long long before = kHashOfNothing);

}  // namespace relufit
