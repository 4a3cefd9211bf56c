/// \file
/// Rows and fields of the text of a CSV file.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "files/text.h"
#include "relufit/matrix.h"

namespace relufit {

/// One field of a row, and the line on which it begins.
struct CsvField {
  std::string_view text;
  Index line;
};

/// Rows of a text by RFC 4180, and beyond it: lines end with LF, CR LF or CR, blanks and tabs around fields do not
/// count, and blank lines at both ends are skipped. Quotes stand around a whole field, and doubled inside it.
class CsvRows {
 public:
  /// Refers to the text.
  CsvRows(std::string_view text, char separator) : text_(text), separator_(separator) {
    ends_.fill(false);
    for (const char c : {separator, '\r', '\n', '"'}) ends_[static_cast<unsigned char>(c)] = true;
  }

  /// Goes on there, at the beginning of a line.
  void go_to(std::size_t position, Index line) {
    position_ = position;
    line_ = line;
  }

  struct Problem {
    Index line;
    const char* text;  ///< what is wrong and what is expected; in the field after those read
  };

  /// Goes to the next line that is not blank. False at the end of the text.
  bool find_row() {
    blank_line_ = 0;
    begin_of_row_ = position_;
    for (skip_blanks(); position_ < text_.size() && at_line_end(); skip_blanks()) {
      if (blank_line_ == 0) blank_line_ = line_;
      skip_line_end();
      begin_of_row_ = position_;
    }
    line_of_row_ = line_;
    return position_ < text_.size();
  }

  /// Reads the fields of the row that was found, which are valid until the next one is read. Throws Problem.
  void read_row() {
    fields_.clear();
    unescaped_.clear();
    read_field();
    while (position_ < text_.size() && text_[position_] == separator_) {
      ++position_;
      read_field();
    }
    if (position_ < text_.size()) skip_line_end();
  }

  /// In place of that: the row was read elsewhere, up to the end of its only line, so many bytes further on.
  void pass_over(std::size_t bytes) {
    position_ += bytes;
    if (position_ < text_.size()) skip_line_end();
  }

  const std::vector<CsvField>& fields() const { return fields_; }
  std::size_t begin_of_row() const { return begin_of_row_; }         ///< of its line
  Index line() const { return line_of_row_; }                        ///< on which the row begins
  Index blank_line() const { return blank_line_; }                   ///< the first one skipped before; 0: none
  bool has_quotes() const { return has_quotes_; }                    ///< in the rows read so far
  std::string_view rest() const { return text_.substr(position_); }  ///< not yet read
  std::size_t position() const { return position_; }                 ///< where that begins
  Index next_line() const { return line_; }                          ///< and its line
  bool ends_field(char c) const { return ends_[static_cast<unsigned char>(c)]; }  ///< a field without quotes
  char separator() const { return separator_; }

 private:
  static constexpr Problem misplaced(Index line) {
    return {line, "misplaced quote, expected quotes around a whole field and doubled inside it"};
  }

  bool at_line_end() const { return text_[position_] == '\n' || text_[position_] == '\r'; }

  void skip_line_end() {
    position_ += text_.substr(position_, 2) == "\r\n" ? 2 : 1;
    ++line_;
  }

  void skip_blanks() {
    while (position_ < text_.size() && text_[position_] != separator_ &&
           (text_[position_] == ' ' || text_[position_] == '\t')) {
      ++position_;
    }
  }

  void read_field() {
    skip_blanks();
    if (position_ < text_.size() && text_[position_] == '"') return read_quoted();
    const std::size_t begin = position_;
    while (position_ < text_.size() && !ends_[static_cast<unsigned char>(text_[position_])]) ++position_;
    if (position_ < text_.size() && text_[position_] == '"') throw misplaced(line_);
    fields_.push_back({detail::trim(text_.substr(begin, position_ - begin)), line_});
  }

  void read_quoted() {
    has_quotes_ = true;
    const Index first_line = line_;
    std::string* copy = nullptr;  // where quotes are doubled
    std::size_t begin = ++position_;
    while (true) {
      while (position_ < text_.size() && text_[position_] != '"') at_line_end() ? skip_line_end() : void(++position_);
      if (position_ == text_.size()) throw Problem{first_line, "the opening quote has no closing quote"};
      const std::string_view part = text_.substr(begin, position_ - begin);
      ++position_;
      const bool doubled = position_ < text_.size() && text_[position_] == '"';
      if (doubled && copy == nullptr) copy = &unescaped_.emplace_back();
      if (copy != nullptr) copy->append(part).append(doubled ? "\"" : "");
      if (!doubled) {
        fields_.push_back({copy != nullptr ? std::string_view(*copy) : part, first_line});
        break;
      }
      begin = ++position_;
    }
    skip_blanks();
    if (position_ < text_.size() && text_[position_] != separator_ && !at_line_end()) {
      fields_.pop_back();
      throw misplaced(line_);
    }
  }

  std::string_view text_;
  char separator_;
  std::array<bool, 256> ends_;  ///< bytes that end a field without quotes
  std::size_t position_ = 0;
  Index line_ = 1;
  Index line_of_row_ = 1;
  std::size_t begin_of_row_ = 0;
  Index blank_line_ = 0;
  bool has_quotes_ = false;
  std::vector<CsvField> fields_;
  std::deque<std::string> unescaped_;  ///< does not move what fields refer to
};

}  // namespace relufit
