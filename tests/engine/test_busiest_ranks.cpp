#include <gtest/gtest.h>

#include <vector>

#include "engine/busiest_ranks.hpp"

namespace ouro::engine {
namespace {

BusiestRanks count(const std::vector<std::vector<std::uint64_t>>& windows) {
  BusiestRanks busiest{windows.front().size()};
  for (const auto& window : windows) {
    for (std::size_t rank = 0; rank < window.size(); ++rank) busiest.add(rank, window[rank]);
    busiest.end_window();
  }
  return busiest;
}

TEST(BusiestRanks, WindowsOnOneRankAfterTheOtherAreBalancedByMeetingLater) {
  const auto busiest = count({{3, 0}, {0, 3}, {5, 1}, {1, 4}});

  EXPECT_EQ(busiest.events(0), 3U + 3U + 5U + 4U);
  EXPECT_EQ(busiest.events(1), 3U + 6U);  // {3, 3}, {6, 5}
  EXPECT_EQ(busiest.events(2), 9U);       // {9, 8}
  EXPECT_EQ(busiest.events(10), 9U);
}

TEST(BusiestRanks, WindowsThatAreLeftOverCountAsOneMore) {
  const auto busiest = count({{1, 2, 0}, {4, 0, 0}, {0, 0, 7}});

  EXPECT_EQ(busiest.events(0), 2U + 4U + 7U);
  EXPECT_EQ(busiest.events(1), 5U + 7U);  // {5, 2, 0}, {0, 0, 7}
  EXPECT_EQ(busiest.events(2), 7U);       // {5, 2, 7}
}

TEST(BusiestRanks, WhatIsInTheOpenWindowCounts) {
  BusiestRanks busiest{2};
  busiest.add(0, 2);
  busiest.add(1, 5);

  EXPECT_EQ(busiest.events(0), 5U);
  EXPECT_EQ(busiest.events(3), 5U);
}

}  // namespace
}  // namespace ouro::engine
