#include "tools/number_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/error.hpp"

namespace ouro::tools {
namespace {

/// @return  -1 if it is no whole number
std::int64_t parse(std::string_view text) {
  std::int64_t number = -1;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && rest == text.data() + text.size() ? number : -1;
}

}  // namespace

NumberRanges::NumberRanges(const std::string& option, const std::string& text) {
  if (text.empty()) return;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto part = std::string_view{text}.substr(begin, end - begin);
    const auto dash = part.find('-');
    const auto first = parse(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse(part.substr(dash + 1));
    if (first < 0 || last < first) {
      throw engine::InputError{option, fmt::format("'{}' is neither a number nor a range of numbers", part),
                               "a list such as 0,3-5 is needed"};
    }
    ranges_.emplace_back(first, last);
    begin = end + 1;
  }
}

bool NumberRanges::has(std::int64_t number) const {
  return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [number](const auto& range) {
           return range.first <= number && number <= range.second;
         });
}

}  // namespace ouro::tools
