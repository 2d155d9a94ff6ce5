#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "engine/least_table.hpp"
#include "engine/random.hpp"

namespace ouro::engine {
namespace {

constexpr std::size_t kTargets = 3;
using Promises = std::array<Time, kTargets>;

/// A tenth are kNever, and many are equal.
Promises draw_promises(const RandomKey& key) {
  Promises promises{};
  for (std::uint64_t i = 0; i < kTargets; ++i) {
    const auto drawn = uniform_below(500, key, i);
    promises[i] = drawn < 50 ? kNever : Time{Duration{drawn}};
  }
  return promises;
}

Time least(const std::map<std::uint32_t, Promises>& pending, std::size_t target) {
  Time least = kNever;
  for (const auto& [slot, promises] : pending) least = std::min(least, promises[target]);
  return least;
}

/// Sets and takes at random slots below `slots`, with the table and with a map.
void compare_with_a_map(std::uint32_t slots, std::uint64_t seed) {
  LeastTable<Time> table{kTargets};
  std::map<std::uint32_t, Promises> pending;
  for (std::uint64_t step = 0; step < 4000; ++step) {
    const RandomKey key{seed, random_purpose("promise table"), step};
    const auto slot = static_cast<std::uint32_t>(uniform_below(slots, key, kTargets));
    if (const auto found = pending.find(slot); found == pending.end()) {
      pending[slot] = draw_promises(key);
      table.set(slot, pending[slot]);
    } else {
      Promises taken{};
      table.take(slot, taken);
      EXPECT_EQ(taken, found->second) << "slot " << slot;
      pending.erase(found);
    }
    // Between looks several changes meet in a block.
    if (uniform_below(3, key, kTargets + 1) > 0) continue;
    for (std::size_t target = 0; target < kTargets; ++target)
      ASSERT_EQ(table.least(target), least(pending, target)) << "target " << target << ", step " << step;
  }
}

TEST(LeastTable, OfNoEventIsNever) {
  const LeastTable<Time> table{2};
  EXPECT_EQ(table.least(0), kNever);
  EXPECT_EQ(table.least(1), kNever);
}

TEST(LeastTable, FollowsAPlainMapThroughRandomSetsAndTakes) {
  for (const std::uint32_t slots : {1, 2, 31, 32, 33, 300}) {
    SCOPED_TRACE(testing::Message() << slots << " slots");
    compare_with_a_map(slots, slots);
  }
}

TEST(LeastTable, KeepsTheLeastOfEqualPromisesUntilTheLastIsTaken) {
  LeastTable<Time> table{1};
  const std::array<Time, 1> early{Time{Duration{5}}}, late{Time{Duration{9}}};
  table.set(0, early);
  table.set(1, late);
  table.set(2, early);
  std::array<Time, 1> taken{};
  table.take(0, taken);
  EXPECT_EQ(table.least(0), early[0]);
  table.take(2, taken);
  EXPECT_EQ(table.least(0), late[0]);
}

TEST(LeastTable, SeesAnEarlierPromiseThatComesWhileItsBlockIsUnread) {
  LeastTable<Time> table{1};
  const std::array<Time, 1> early{Time{Duration{5}}}, late{Time{Duration{9}}}, earliest{Time{Duration{1}}};
  table.set(0, early);
  table.set(1, late);
  std::array<Time, 1> taken{};
  table.take(0, taken);
  table.set(0, earliest);
  EXPECT_EQ(table.least(0), earliest[0]);
}

}  // namespace
}  // namespace ouro::engine
