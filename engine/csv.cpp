#include "engine/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

void split(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  for (std::size_t comma; (comma = line.find(',')) != std::string_view::npos; line.remove_prefix(comma + 1)) {
    fields.push_back(trim(line.substr(0, comma)));
  }
  fields.push_back(trim(line));
}

}  // namespace

std::unique_ptr<std::istream> open_text(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) throw InputError{file.string(), "there is no such file"};
  auto text = std::make_unique<std::ifstream>(file, std::ios::binary);
  text->peek();  // opening a folder succeeds, reading it does not
  if (text->bad() || !text->is_open())
    throw InputError{file.string(), "cannot be read", "a readable text file"};
  text->clear();
  return text;
}

CsvReader::CsvReader(std::unique_ptr<std::istream> text, std::string name)
    : text_{std::move(text)}, name_{std::move(name)} {
  read_header();
}

void CsvReader::read_header() {
  if (!read_line()) throw InputError{name_, "is empty", "its first line must name the columns"};
  split(line_, fields_);
  for (const auto column : fields_) {
    if (find_column(column)) throw InputError{where(), fmt::format("two columns are named '{}'", column)};
    header_.emplace_back(column);
  }
}

bool CsvReader::read_line() {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  while (std::getline(*text_, line_)) {
    if (++line_number_ == 1 && line_.starts_with(kByteOrderMark)) line_.erase(0, kByteOrderMark.size());
    const auto content = trim(line_);
    if (!content.empty() && content.front() != '#') return true;
  }
  if (text_->bad()) throw InputError{where(), "cannot be read any further"};
  return false;
}

bool CsvReader::next() {
  if (!read_line()) return false;
  split(line_, fields_);
  if (fields_.size() == header_.size()) return true;
  throw InputError{where(), fmt::format("the row has {} fields", fields_.size()),
                   fmt::format("the header has {}", header_.size())};
}

std::optional<std::size_t> CsvReader::find_column(std::string_view name) const {
  const auto found = std::ranges::find(header_, name);
  if (found == header_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header_.begin());
}

std::int64_t CsvReader::whole_number(std::size_t column, std::int64_t smallest, std::int64_t largest) const {
  const auto text = field(column);
  const char* const end = text.data() + text.size();
  std::int64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && stopped == end && smallest <= number && number <= largest) return number;
  throw InputError{where(), fmt::format("{}: '{}' is not accepted", column_name(column), text),
                   fmt::format("it must be a whole number from {} to {}", smallest, largest)};
}

std::string CsvReader::where() const {
  return fmt::format("{}:{}", name_, line_number_);
}

}  // namespace ouro::engine
