#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/wafer/small_wafer.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using wafer::CoreId;
using wafer::Geometry;
using wafer::MulticastTree;

const Geometry kGeometry{3, 2, 4, 5};
constexpr int kFlits = 7;

struct Multicast {
  CoreId source;
  std::vector<CoreId> destinations;  // each once
};

Multicast random_multicast(unsigned seed) {
  std::mt19937 random{seed};
  const auto any = [&] {
    return CoreId{static_cast<CoreId::Value>(random() % static_cast<unsigned>(kGeometry.cores()))};
  };
  std::set<CoreId> destinations;
  const auto count = 1 + random() % 40;
  while (destinations.size() < count) destinations.insert(any());
  return {any(), {destinations.begin(), destinations.end()}};
}

using LinkSet = std::set<std::pair<wafer::Coordinate, wafer::Direction>>;

LinkSet ways(const Multicast& multicast) {
  LinkSet links;
  for (const auto to : multicast.destinations) {
    const auto way = dimension_order_way(kGeometry.coordinate(multicast.source), kGeometry.coordinate(to));
    links.insert(way.begin(), way.end());
  }
  return links;
}

/// Destinations through which no way to another one goes.
std::set<CoreId> ends_of(const Multicast& multicast) {
  std::set<CoreId> ends{multicast.destinations.begin(), multicast.destinations.end()};
  for (const auto& [from, direction] : ways(multicast)) ends.erase(kGeometry.core_at(from));
  return ends;
}

LinkSet used_links(const SmallWafer& wafer) {
  LinkSet links;
  for (CoreId::Value core = 0; core < static_cast<CoreId::Value>(kGeometry.cores()); ++core) {
    const auto at = kGeometry.coordinate(CoreId{core});
    for (const auto direction : wafer::kDirections) {
      const auto flits = wafer.use(at, direction).flits;
      if (flits > 0) links.emplace(at, direction);
      EXPECT_TRUE(flits == 0 || flits == kFlits) << "a link carries the packet once";
    }
  }
  return links;
}

class RandomMulticast : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomMulticast, ReachesEachDestinationOnce) {
  const auto multicast = random_multicast(GetParam());
  SmallWafer wafer{kGeometry, {}};
  std::vector<CoreId> reached;
  for (const auto& delivery : wafer.send({kGeometry, multicast.source, multicast.destinations}, kFlits)) {
    EXPECT_EQ(delivery.to, wafer::Onward::To::core);
    reached.push_back(delivery.core);
  }
  EXPECT_THAT(reached, ::testing::UnorderedElementsAreArray(multicast.destinations));
}

TEST_P(RandomMulticast, TakesEachLinkOfTheDimensionOrderWaysOnce) {
  const auto multicast = random_multicast(GetParam());
  SmallWafer wafer{kGeometry, {}};
  wafer.send({kGeometry, multicast.source, multicast.destinations}, kFlits);

  const auto expected = ways(multicast);
  EXPECT_EQ(used_links(wafer), expected);
  EXPECT_EQ(wafer.travel().hop_bits, 256 * kFlits * static_cast<std::int64_t>(expected.size()));
  std::int64_t borders = 0;
  for (const auto& [at, direction] : expected) {
    if (kGeometry.die_of(at) != kGeometry.die_of(step(at, direction))) ++borders;
  }
  EXPECT_EQ(wafer.travel().crossing_bits, 256 * kFlits * borders);
}

TEST_P(RandomMulticast, EndsWhereNoWayGoesOn) {
  const auto multicast = random_multicast(GetParam());
  const MulticastTree tree{kGeometry, multicast.source, multicast.destinations};
  EXPECT_THAT(tree.ends(), ::testing::UnorderedElementsAreArray(ends_of(multicast)));
}

TEST_P(RandomMulticast, IsAsFastAsALonePacketToEachDestinationInAnIdleNetwork) {
  const auto multicast = random_multicast(GetParam());
  SmallWafer wafer{kGeometry, {}};
  const auto ready = Time{Duration{3'000}};
  for (const auto& delivery :
       wafer.send({kGeometry, multicast.source, multicast.destinations}, kFlits, ready)) {
    SmallWafer idle{kGeometry, {}};
    EXPECT_EQ(delivery.tail, idle.send(multicast.source, delivery.core, kFlits, ready).tail);
  }
}

TEST_P(RandomMulticast, IsNeverFasterThanALonePacketInABusyNetwork) {
  const auto multicast = random_multicast(GetParam());
  SmallWafer wafer{kGeometry, {}};
  std::mt19937 random{GetParam() + 1000};
  for (int i = 0; i < 200; ++i) {
    const auto other = random_multicast(random());
    wafer.send(other.source, other.destinations.front(), 40);
  }
  Duration late{};
  for (const auto& delivery : wafer.send({kGeometry, multicast.source, multicast.destinations}, kFlits)) {
    SmallWafer idle{kGeometry, {}};
    const auto lone = idle.send(multicast.source, delivery.core, kFlits).tail;
    EXPECT_GE(delivery.tail, lone);
    late += delivery.tail - lone;
  }
  EXPECT_TRUE(multicast.destinations.size() < 5 || late > Duration::zero())
      << "the others were never in the way";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomMulticast, ::testing::Range(0U, 40U));

TEST(Multicast, ToItsOwnCoreTakesNoLinkBetweenRouters) {
  SmallWafer wafer{kGeometry, {}};
  const CoreId core{17};
  const auto deliveries = wafer.send({kGeometry, core, std::span{&core, 1}}, kFlits);

  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ(deliveries[0].core, core);
  EXPECT_EQ(deliveries[0].tail, Time{Duration{(2 + 2 + kFlits - 1) * 1000}});  // a router, the core's wires
  EXPECT_EQ(wafer.travel().hop_bits, 0);
}

TEST(Multicast, SplitsIntoColumnsWhereItLeavesTheRow) {
  // 4 links east along the row of the source, which the ways share, and 1 north or south for each column
  SmallWafer wafer{kGeometry, {}};
  std::vector<CoreId> destinations;
  for (int x = 1; x <= 4; ++x) {
    destinations.push_back(wafer.core({x, 1}));
    destinations.push_back(wafer.core({x, 3}));
  }
  wafer.send({kGeometry, wafer.core({0, 2}), destinations}, kFlits);
  EXPECT_EQ(wafer.travel().hop_bits, 256 * kFlits * (4 + 8));
}

/// A line of three cores; core 1 sends 10 flits to core 2 twice, core 0 a flit there that comes in between.
TEST(RepeatedUnicast, LetsAPacketFromElsewhereGoBetweenItsOwn) {
  const Geometry line{1, 1, 3, 1};
  wafer::NocModel model;
  model.multicast = wafer::MulticastMode::unicast;
  wafer::DieNetwork die{line, model, wafer::DieId{0}};
  const CoreId end{2};
  const MulticastTree tree{line, CoreId{1}, std::span{&end, 1}};
  const auto cycle = [&](std::int64_t count) { return Time{count * model.cycle}; };
  wafer::Travel travel;

  const auto first = die.inject(tree, 10, cycle(0), travel)[0];
  EXPECT_EQ(first.to, wafer::Onward::To::core);
  EXPECT_EQ(first.time, cycle(2 * (1 + 1) + 1 + 10));  // (h + 1)(r + w) + w + z
  const auto second = die.inject(tree, 10, cycle(0), travel)[0];
  EXPECT_EQ(second.to, wafer::Onward::To::die) << "10 cycles behind the first";
  EXPECT_EQ(second.time, cycle(10 + 1));
  // at the link from core 1 with its head at 7, where the first one is from 2 to 12; then 3 cycles to core
  // 2's link, and a flit
  EXPECT_EQ(die.inject(CoreId{0}, end, 1, cycle(3), travel).time, cycle(12 + 1 + 1 + 1 + 1));
  // behind that flit: the link from 13 on
  EXPECT_EQ(die.enter(tree, 0, 10, second.time, travel)[0].time, cycle(13 + 1 + 1 + 1 + 10));
}

}  // namespace
}  // namespace ouro::tests
