#include "engine/busiest_ranks.hpp"

#include <algorithm>
#include <functional>

namespace ouro::engine {

BusiestRanks::BusiestRanks(std::size_t ranks)
    : open_(kLevels, std::vector<std::uint64_t>(ranks, 0)), closed_(kLevels, 0) {}

void BusiestRanks::end_window() {
  ++windows_;
  for (std::size_t level = 0; level < kLevels && windows_ % (std::uint64_t{1} << level) == 0; ++level)
    close(level);
}

void BusiestRanks::close(std::size_t level) {
  auto& events = open_[level];
  closed_[level] += *std::max_element(events.begin(), events.end());
  if (level + 1 < kLevels) {
    std::transform(events.begin(), events.end(), open_[level + 1].begin(), open_[level + 1].begin(),
                   std::plus<>{});
  }
  std::fill(events.begin(), events.end(), 0);
}

std::uint64_t BusiestRanks::events(std::size_t level) const {
  std::vector<std::uint64_t> open(open_.front().size(), 0);
  for (std::size_t i = 0; i <= level; ++i)
    std::transform(open.begin(), open.end(), open_[i].begin(), open.begin(), std::plus<>{});
  return closed_[level] + *std::max_element(open.begin(), open.end());
}

}  // namespace ouro::engine
