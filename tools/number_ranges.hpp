#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ouro::tools {

/// Whole numbers that a user chose, such as "0,3-5"; all of them if nothing was said.
class NumberRanges {
 public:
  NumberRanges() = default;
  /// @param option  that says so, for the message
  /// @throws InputError  if the text is no such list
  NumberRanges(const std::string& option, const std::string& text);

  bool has(std::int64_t number) const;

 private:
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;  // first, last
};

}  // namespace ouro::tools
