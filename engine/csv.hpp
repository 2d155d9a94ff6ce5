#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ouro::engine {

/// @throws InputError  if the file cannot be read
std::unique_ptr<std::istream> open_text(const std::filesystem::path& file);

/// The rows of a CSV text with a header, one at a time.
///
/// LF and CRLF, a last line without its end, a UTF-8 byte order mark, blank lines and comment lines (#) are
/// accepted; quoted fields are not.
class CsvReader {
 public:
  /// Reads the header.
  /// @param name  of the file, for messages
  CsvReader(std::unique_ptr<std::istream> text, std::string name);
  CsvReader(const CsvReader&) = delete;  // fields_ looks into line_
  CsvReader& operator=(const CsvReader&) = delete;

  /// Goes to the next row; false at the end.
  /// @throws InputError  if it has not as many fields as the header
  bool next();

  std::optional<std::size_t> find_column(std::string_view name) const;
  const std::string& column_name(std::size_t column) const { return header_[column]; }

  /// Of the current row, without blanks around it.
  std::string_view field(std::size_t column) const { return fields_[column]; }

  /// @throws InputError  if the field is not a whole number in this range
  std::int64_t whole_number(std::size_t column, std::int64_t smallest, std::int64_t largest) const;

  /// File and line of the current row.
  std::string where() const;

 private:
  bool read_line();
  void read_header();

  std::unique_ptr<std::istream> text_;
  std::string name_;
  std::int64_t line_number_ = 0;
  std::string line_;
  std::vector<std::string> header_;
  std::vector<std::string_view> fields_;
};

}  // namespace ouro::engine
