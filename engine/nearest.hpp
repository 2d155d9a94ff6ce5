#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ouro::engine {

/// Insertions, deletions and replacements of a character that turn `a` into `b` (Levenshtein distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// What the user may have meant by `name`: the candidate at the least edit distance, the first of equals.
/// Nothing if the least distance is so large against the part after the last '.' that it would be a guess.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace ouro::engine
