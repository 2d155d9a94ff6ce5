#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "tests/wafer/small_wafer.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using wafer::Coordinate;
using wafer::Direction;
using wafer::Geometry;
using wafer::NocModel;
using wafer::Onward;

Time at_cycle(std::int64_t cycle) {
  return Time{Duration{1000 * cycle}};
}

int hops(Coordinate from, Coordinate to) {
  return std::abs(from.x - to.x) + std::abs(from.y - to.y);
}

int die_borders(const Geometry& geometry, Coordinate from, Coordinate to) {
  return std::abs(from.x / geometry.core_columns - to.x / geometry.core_columns) +
         std::abs(from.y / geometry.core_rows - to.y / geometry.core_rows);
}

/// BookSim2's zero-load latency of a single-cycle router.
std::int64_t lone_packet(int hops, int flits) {
  const int routers = hops + 1;
  return 2 * routers + 2 + (flits - 1);
}

TEST(DieNetwork, DeliversALonePacketAtTheZeroLoadLatency) {
  const Geometry geometry{1, 1, 5, 4};
  for (int from = 0; from < geometry.cores(); ++from) {
    for (int to = 0; to < geometry.cores(); ++to) {
      for (const int flits : {1, 2, 17}) {
        SmallWafer wafer{geometry, {}};
        const wafer::CoreId source{static_cast<std::uint32_t>(from)}, target{static_cast<std::uint32_t>(to)};
        const auto delivery = wafer.send(source, target, flits, at_cycle(100));
        const int links = hops(geometry.coordinate(source), geometry.coordinate(target));

        ASSERT_EQ(delivery.to, Onward::To::core);
        ASSERT_EQ(delivery.core, target);
        ASSERT_EQ(delivery.tail, at_cycle(100 + lone_packet(links, flits))) << from << " to " << to;
        ASSERT_EQ(wafer.travel().hop_bits, 256 * flits * links);
        ASSERT_EQ(wafer.travel().crossing_bits, 0);
      }
    }
  }
}

TEST(DieNetwork, DeliversALonePacketAtTheDocumentedLatencyForAnyRouterAndWire) {
  NocModel model;
  model.cycle = Duration{700};
  model.router = {.routing_cycles = 1, .speculative = false, .crossbar_cycles = 0};
  model.wire_latency = 2 * model.cycle;
  SmallWafer wafer{{1, 1, 5, 4}, model};

  // 3 + 2 hops: 6 routers and their wires, the wire of a core, and the 4 flits one after the other
  EXPECT_EQ(wafer.send({0, 0}, {3, 2}, 4).tail,
            Time{6 * (3 + 2) * model.cycle + 2 * model.cycle + 4 * model.cycle});
}

TEST(DieNetwork, GoesAlongXFirst) {
  SmallWafer wafer{{1, 1, 4, 4}, {}};
  wafer.send({3, 3}, {1, 0}, 5);

  for (int x = 0; x < 4; ++x) {
    for (int y = 0; y < 4; ++y) {
      for (const auto direction : wafer::kDirections) {
        const bool row = direction == Direction::west && y == 3 && (x == 3 || x == 2);
        const bool column = direction == Direction::north && x == 1 && y > 0;
        EXPECT_EQ(wafer.use({x, y}, direction).flits, row || column ? 5 : 0) << x << ' ' << y;
      }
    }
  }
}

TEST(DieNetwork, LetsThePacketBehindWaitForTheWholePacketBefore) {
  SmallWafer wafer{{1, 1, 4, 1}, {}};
  const auto first = wafer.send({0, 0}, {3, 0}, 6);
  const auto second = wafer.send({0, 0}, {3, 0}, 2);

  EXPECT_EQ(first.tail, at_cycle(lone_packet(3, 6)));
  EXPECT_EQ(second.tail, at_cycle(6 + lone_packet(3, 2)));  // the 6 flits leave the core first
}

TEST(DieNetwork, LetsTheSecondOfTwoHeadsAtALinkWaitUntilItIsFree) {
  SmallWafer wafer{{1, 1, 4, 1}, {}};
  // Its head is in router 1 after 1 + 2 cycles and starts east at 4, so that 5 flits take the link until 9.
  const auto first = wafer.send({0, 0}, {3, 0}, 5);
  // Its head is in router 1 after 2 + 1 cycles and could start at 4.
  const auto second = wafer.send({1, 0}, {3, 0}, 3, at_cycle(2));

  EXPECT_EQ(first.tail, at_cycle(lone_packet(3, 5)));
  EXPECT_EQ(second.tail, at_cycle(2 + 5 + lone_packet(2, 3)));
  EXPECT_EQ(wafer.use({1, 0}, Direction::east).waited, Duration{5'000});
  EXPECT_EQ(wafer.use({1, 0}, Direction::east).flits, 5 + 3);
  EXPECT_EQ(wafer.use({2, 0}, Direction::east).waited, Duration{0});  // it goes on just behind the tail
}

TEST(DieNetwork, LetsAHeadPassOnTheCycleInWhichTheLinkBecomesFree) {
  const auto tail_of_second = [](std::int64_t ready) {
    SmallWafer wafer{{1, 1, 4, 1}, {}};
    wafer.send({0, 0}, {3, 0}, 5);  // takes the link from 1 to 2 until cycle 9
    return wafer.send({1, 0}, {3, 0}, 3, at_cycle(ready)).tail;
  };
  // ready + 2 is when its head could start
  EXPECT_EQ(tail_of_second(7), at_cycle(7 + lone_packet(2, 3)));
  EXPECT_EQ(tail_of_second(6), at_cycle(6 + 1 + lone_packet(2, 3)));
}

TEST(DieNetwork, LetsPacketsToOneCoreWaitForItsLink) {
  SmallWafer wafer{{1, 1, 3, 1}, {}};
  const auto west = wafer.send({0, 0}, {1, 0}, 4);
  const auto east = wafer.send({2, 0}, {1, 0}, 4);  // no link in common but the last

  EXPECT_EQ(west.tail, at_cycle(lone_packet(1, 4)));
  EXPECT_EQ(east.tail, at_cycle(4 + lone_packet(1, 4)));
}

TEST(DieNetwork, LetsAPacketUseALinkBeforeOneWhoseHeadComesLater) {
  SmallWafer wafer{{1, 1, 6, 1}, {}};
  wafer.send({0, 0}, {5, 0}, 4);  // takes the link from 4 to 5 from cycle 10 on, in advance
  // its head could start over that link at cycle 2, and 8 flits are through in time
  EXPECT_EQ(wafer.send({4, 0}, {5, 0}, 8).tail, at_cycle(lone_packet(1, 8)));
  // another one could start at 10, behind those
  EXPECT_EQ(wafer.send({4, 0}, {5, 0}, 1).tail, at_cycle(lone_packet(5, 4) + 1));
}

TEST(DieNetwork, LetsAPacketThatIsTooLongForTheGapWait) {
  SmallWafer wafer{{1, 1, 6, 1}, {}};
  const auto first = wafer.send({0, 0}, {5, 0}, 4);
  const auto second = wafer.send({4, 0}, {5, 0}, 9);  // would end a cycle too late
  EXPECT_EQ(second.tail, first.tail + Duration{9'000});
}

TEST(DieNetwork, LetsNoPacketOvertakeAnotherOnTheSameWay) {
  std::mt19937 random{11};
  SmallWafer wafer{{1, 1, 8, 8}, {}};  // one die, so that packets enter it in the order of time
  std::map<std::pair<int, int>, Time> last;
  for (int i = 0; i < 4000; ++i) {
    const int from = static_cast<int>(random() % 8), to = static_cast<int>(random() % 64);
    const auto flits = 1 + static_cast<int>(random() % 12);
    const auto tail = wafer
                          .send(wafer::CoreId{static_cast<std::uint32_t>(from)},
                                wafer::CoreId{static_cast<std::uint32_t>(to)}, flits, at_cycle(i))
                          .tail;
    auto& before = last[{from, to}];
    ASSERT_GE(tail, before + flits * Duration{1'000}) << "packet " << i;
    before = tail;
  }
}

TEST(DieNetwork, HasLinksOfBothWaysApart) {
  SmallWafer wafer{{1, 1, 4, 1}, {}};
  EXPECT_EQ(wafer.send({0, 0}, {3, 0}, 9).tail, at_cycle(lone_packet(3, 9)));
  EXPECT_EQ(wafer.send({3, 0}, {0, 0}, 9).tail, at_cycle(lone_packet(3, 9)));
}

TEST(DieNetwork, HandsTheHeadOverAtTheFirstRouterOfTheNextDie) {
  struct Case {
    Coordinate to;
    Coordinate entered;
    int die;
    std::int64_t hops;
  };
  const Geometry geometry{3, 3, 4, 4};
  // from the middle die's (5, 6): 3 hops to the eastern die, and so on
  for (const Case& c : {Case{{11, 6}, {8, 6}, 5, 3}, Case{{0, 6}, {3, 6}, 3, 2}, Case{{5, 11}, {5, 8}, 7, 2},
                        Case{{5, 0}, {5, 3}, 1, 3}, Case{{7, 0}, {7, 3}, 1, 5}}) {
    SmallWafer wafer{geometry, {}};
    const auto from = wafer.core({5, 6});
    wafer::Travel travel;
    const auto onward = wafer.die_of(from).inject(from, wafer.core(c.to), 3, at_cycle(10), travel);

    EXPECT_EQ(onward.to, Onward::To::die);
    EXPECT_EQ(geometry.coordinate(onward.core), c.entered);
    EXPECT_EQ(onward.die, wafer::DieId{static_cast<std::uint32_t>(c.die)});
    EXPECT_EQ(onward.time, at_cycle(10 + 1 + 2 * c.hops + 4));  // wire of the core, hops, the border
    EXPECT_EQ(travel.hop_bits, 256 * 3 * c.hops);
    EXPECT_EQ(travel.crossing_bits, 256 * 3);
  }
}

TEST(DieNetwork, AddsTheExtraLatencyOfEachDieBorderToTheZeroLoadLatency) {
  const Geometry geometry{3, 2, 3, 4};
  for (int from = 0; from < geometry.cores(); ++from) {
    for (int to = 0; to < geometry.cores(); ++to) {
      SmallWafer wafer{geometry, {}};
      const wafer::CoreId source{static_cast<std::uint32_t>(from)}, target{static_cast<std::uint32_t>(to)};
      const auto a = geometry.coordinate(source), b = geometry.coordinate(target);
      const int borders = die_borders(geometry, a, b);

      ASSERT_EQ(wafer.send(source, target, 7).tail, at_cycle(lone_packet(hops(a, b), 7) + 4 * borders));
      ASSERT_EQ(wafer.travel().hop_bits, 256 * 7 * hops(a, b));
      ASSERT_EQ(wafer.travel().crossing_bits, 256 * 7 * borders);
    }
  }
}

TEST(DieNetwork, NeverHandsOverBelowTheLookaheadOfADie) {
  // the nearest way: into the die and out of it by the next link
  SmallWafer wafer{{3, 1, 1, 1}, {}};
  wafer::Travel travel;
  const auto middle = wafer.core({1, 0});
  const auto onward = wafer.die_of(middle).enter(middle, wafer.core({2, 0}), 1, at_cycle(50), travel);

  EXPECT_EQ(onward.time - at_cycle(50), Duration{(1 + 1 + 4) * 1000});
  EXPECT_EQ(onward.time - at_cycle(50), wafer.model().die_lookahead());
}

TEST(DieNetwork, ReachesTheHostOverTheWesternLinkOfItsCore) {
  NocModel model;
  model.host = {0, 5};
  SmallWafer wafer{{2, 2, 4, 4}, model};
  const auto delivery = wafer.send_to_host({6, 1}, 3);

  EXPECT_EQ(delivery.to, Onward::To::host);
  // wire of the core; 6 + 4 hops with a border each way; router, wire, border and 2 flits behind the head
  EXPECT_EQ(delivery.tail, at_cycle(1 + 10 * 2 + 2 * 4 + (1 + 1 + 4 + 2)));
  EXPECT_EQ(wafer.travel().hop_bits, 256 * 3 * 11);
  EXPECT_EQ(wafer.travel().crossing_bits, 256 * 3 * 3);
  EXPECT_EQ(wafer.use({0, 5}, Direction::west).flits, 3);
}

TEST(DieNetwork, LetsPacketsToTheHostWaitForItsLink) {
  SmallWafer wafer{{1, 1, 2, 2}, {}};
  const auto lone = [](int hops, int flits) { return 1 + 2 * hops + (1 + 1 + 4) + flits - 1; };
  EXPECT_EQ(wafer.send_to_host({0, 0}, 8).tail, at_cycle(lone(0, 8)));
  // its head could start over the host's link at cycle 4, which is taken from 2 to 10
  EXPECT_EQ(wafer.send_to_host({0, 1}, 2).tail, at_cycle(6 + lone(1, 2)));
}

TEST(DieNetwork, TakesAPacketFromTheHostInAtTheRouterOfItsCore) {
  SmallWafer wafer{{1, 1, 4, 4}, {}};
  wafer::Travel travel;
  const auto corner = wafer.core({0, 0});
  const auto onward = wafer.die_of(corner).enter(corner, wafer.core({2, 1}), 5, at_cycle(20), travel);

  EXPECT_EQ(onward.to, Onward::To::core);
  EXPECT_EQ(onward.time, at_cycle(20 + 3 * 2 + (1 + 2) + 4));  // 3 hops; last router, wires; flits
  EXPECT_EQ(travel.hop_bits, 256 * 5 * 3);
}

}  // namespace
}  // namespace ouro::tests
