#include "llm/prefix_cache.hpp"

#include <algorithm>

namespace ouro::llm {

std::optional<int> PrefixCache::find(std::uint64_t key) const {
  const auto found = numbers_.find(key);
  return found == numbers_.end() ? std::nullopt : std::optional{found->second};
}

PrefixCache::Order PrefixCache::order_of(int number) const {
  return {at(number).unused_since, -at(number).index, number};
}

int PrefixCache::add(std::uint64_t key, int index, std::vector<int> cores) {
  if (free_numbers_.empty()) {
    free_numbers_.push_back(static_cast<int>(stretches_.size()));
    stretches_.emplace_back();
  }
  const int number = free_numbers_.back();
  free_numbers_.pop_back();
  stretches_[static_cast<std::size_t>(number)] = {key, index, 1, 0, std::move(cores)};
  numbers_.emplace(key, number);
  return number;
}

void PrefixCache::use(int number) {
  auto& stretch = stretches_[static_cast<std::size_t>(number)];
  if (stretch.users++ == 0) unused_.erase(order_of(number));
}

void PrefixCache::leave(std::span<const int> numbers) {
  ++leavings_;
  for (const int number : numbers) {
    auto& stretch = stretches_[static_cast<std::size_t>(number)];
    if (--stretch.users > 0) continue;
    stretch.unused_since = leavings_;
    unused_.insert(order_of(number));
  }
}

/// What follows from the stretches.
void PrefixCache::find_again() {
  numbers_.clear();
  unused_.clear();
  for (int number = 0; number < static_cast<int>(stretches_.size()); ++number) {
    if (std::find(free_numbers_.begin(), free_numbers_.end(), number) != free_numbers_.end()) continue;
    numbers_.emplace(at(number).key, number);
    if (at(number).users == 0) unused_.insert(order_of(number));
  }
}

int PrefixCache::evict() {
  const int number = std::get<2>(*unused_.begin());
  unused_.erase(unused_.begin());
  numbers_.erase(at(number).key);
  free_numbers_.push_back(number);
  return number;
}

}  // namespace ouro::llm
