#include "tools/sweep_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace ouro::tools {
namespace {

constexpr std::size_t kLongestName = 160;  // file systems take 255 bytes, and a suffix follows

/// The last `words` words of a key.
std::string last_words(const std::string& key, std::size_t words) {
  auto dot = key.size();
  while (words-- > 0 && dot != std::string::npos && dot > 0) dot = key.rfind('.', dot - 1);
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

/// As it may stand in the name of a file, without quotes and blanks; of a path only the last part.
std::string in_file_name(const engine::Value& value) {
  const auto* held = std::get_if<std::string>(&value.held);
  auto text = held != nullptr ? *held : to_toml(value);
  if (const auto slash = text.find_last_of('/'); slash != std::string::npos && slash + 1 < text.size())
    text.erase(0, slash + 1);
  std::string name;
  for (const char character : text) {
    const bool is_kept = (std::isalnum(static_cast<unsigned char>(character)) != 0) ||
                         std::string_view{"._+-"}.find(character) != std::string_view::npos;
    if (is_kept) name += character;
    if (character == ',' || character == '/') name += '-';
  }
  return name.empty() ? "none" : name;
}

/// `name` if it is short and new, else its start with a number.
std::string make_unique(const std::string& name, std::set<std::string>& taken) {
  auto unique = name.substr(0, kLongestName);
  for (int number = 2; !taken.insert(unique).second; ++number)
    unique = fmt::format("{}-{}", name.substr(0, kLongestName), number);
  return unique;
}

}  // namespace

std::vector<std::string> short_keys(const std::vector<std::string>& keys) {
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const auto& key : keys) {
    std::size_t words = 1;
    const auto is_shared = [&] {
      return std::ranges::count(keys, last_words(key, words),
                                [&](const auto& other) { return last_words(other, words); }) > 1;
    };
    while (last_words(key, words) != key && is_shared()) ++words;
    names.push_back(last_words(key, words));
  }
  return names;
}

void name_runs(SweepPlan& plan) {
  const auto names = short_keys(plan.keys);
  std::set<std::string> taken;
  for (auto& run : plan.runs) {
    std::string name;
    for (std::size_t k = 0; k < names.size(); ++k)
      name += fmt::format("{}{}={}", k == 0 ? "" : ",", names[k], in_file_name(run.values[k]));
    run.name = make_unique(name, taken);
  }
}

}  // namespace ouro::tools
