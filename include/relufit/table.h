/// \file
/// Tables of numbers and texts, from CSV files and to them.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "relufit/categories.h"

namespace relufit {

/// A table with named columns of numbers, and of texts where these were asked for, as read from a CSV file.
struct Table {
  std::string source;                                          ///< file name, for messages
  std::vector<std::string> columns;                            ///< unique names of the columns of numbers
  std::vector<Index> lines;                                    ///< line in the file (1-based) of every row
  Matrix values;                                               ///< rows x columns, all finite
  std::map<std::string, std::vector<std::string>> texts = {};  ///< columns of text by name, one text per row
  std::vector<std::string> header = {};                        ///< names of all columns that the file has, in its order
  std::vector<Category> categories = {};                       ///< of which with_levels has made columns of numbers
};

/// What read_csv throws for a value that is not a number.
struct NotANumber : std::invalid_argument {
  NotANumber(const std::string& message, std::string name) : std::invalid_argument(message), column(std::move(name)) {}
  std::string column;
};

/// Reads a CSV file with a header line. Columns named in `text_columns`, where the file has them, are read as they
/// stand and may hold anything; all others hold numbers, or where `number_columns` names some, these, and columns that
/// are in neither list are passed over. The separator (comma, semicolon or tab) is detected from the header; fields may
/// be quoted (RFC 4180); CRLF line ends, a UTF-8 byte order mark and blank lines at the end are accepted. Throws
/// std::invalid_argument naming file, line and column for an unreadable or empty file, a missing or non-numeric or
/// non-finite value, a row of another length than the header, an empty or repeated column name, and a column of numbers
/// that is asked for and not there. A header of numbers only is taken for data, and refused, unless one is quoted.
Table read_csv(const std::string& path, const std::vector<std::string>& text_columns = {},
               const std::vector<std::string>& number_columns = {});

/// One of `parts` parts of such a file, 0 <= part < parts: the rows that begin in that share of its bytes behind the
/// header, so that several processes can read a file together. Their rows in the order of the parts are those of
/// read_csv, with the same lines; a part may have none. Reads that share alone, and of what precedes it passes over the
/// bytes, to know its line and whether it begins within quotes. What read_csv refuses at least one of the parts
/// refuses. Throws std::invalid_argument for that, and for parts that there cannot be.
Table read_csv_part(const std::string& path, Index part, Index parts, const std::vector<std::string>& text_columns = {},
                    const std::vector<std::string>& number_columns = {});

/// Reads the columns that these inputs are made of, those of the categories as text, and further columns of numbers and
/// texts; others may hold anything. The columns of the table are the inputs, as with_levels makes them, and `numbers`.
/// Throws std::invalid_argument as read_csv and with_levels do.
Table read_inputs(const std::string& path, const std::vector<std::string>& inputs,
                  const std::vector<Category>& categories, const std::vector<std::string>& numbers = {},
                  const std::vector<std::string>& texts = {});

/// Categories of these columns of text of the table. Throws std::invalid_argument, naming file and column, for a column
/// that is not there as text, and what find_levels refuses, with its line where it is one text.
std::vector<Category> find_categories(const Table& table, const std::vector<std::string>& columns);

/// The table with columns of numbers, 0 and 1, for the levels of these categories, in the place that their column of
/// text has in the header. Throws std::invalid_argument, naming file, line, column and value, for a text that is none
/// of the levels, for a column that is not there as text, and for an input that would have the name of another.
Table with_levels(Table table, const std::vector<Category>& categories);

/// A header and rows with 17 significant digits (values read back bit for bit), names and texts quoted where needed. A
/// `first_column` of texts, one per row, stands before the values. `name` is for messages. Throws std::invalid_argument
/// when sizes do not fit or a value is not finite.
std::string csv_text(const std::string& name, const std::vector<std::string>& columns, const Matrix& values,
                     const std::vector<std::string>& first_column = {});

/// Writes that text. The file appears whole or not at all. Throws std::runtime_error when it cannot be written.
void write_csv(const std::string& path, const std::vector<std::string>& columns, const Matrix& values,
               const std::vector<std::string>& first_column = {});

}  // namespace relufit
