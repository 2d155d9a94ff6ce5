#include <gtest/gtest.h>

#include <limits>

#include "tests/wafer/small_wafer.hpp"
#include "wafer/joint.hpp"
#include "wafer/multicast.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using wafer::Coordinate;
using wafer::CoreId;
using wafer::Direction;
using wafer::Faults;
using wafer::Geometry;
using wafer::Joint;
using wafer::NocModel;
using wafer::Routing;

// Two wafers of 2 x 2 dies of 4 x 3 cores: 8 columns, 6 rows each.
const Geometry kTwoWafers{2, 4, 4, 3, 2};
constexpr int kRowsOfWafer = 6;
const std::vector<int> kColumns{2, 6};

NocModel joined() {
  NocModel model;
  model.joint = {kColumns, Duration{2560}, Duration{1'500'000}};
  Faults faults{kTwoWafers};
  leave_out_links(kTwoWafers, model.joint, faults);
  model.routing = Routing{kTwoWafers, faults};
  return model;
}

std::vector<Coordinate> all_cores() {
  std::vector<Coordinate> all;
  for (int y = 0; y < kTwoWafers.rows(); ++y) {
    for (int x = 0; x < kTwoWafers.columns(); ++x) all.push_back({x, y});
  }
  return all;
}

bool on_other_wafers(Coordinate a, Coordinate b) {
  return a.y / kRowsOfWafer != b.y / kRowsOfWafer;
}

/// By the column of the best link.
int shortest(Coordinate a, Coordinate b) {
  int least = std::numeric_limits<int>::max();
  for (const int x : kColumns) least = std::min(least, std::abs(a.x - x) + std::abs(b.x - x));
  return least + std::abs(a.y - b.y);
}

TEST(Joint, SpacesItsLinksEvenlyAlongTheEdge) {
  EXPECT_EQ(wafer::evenly_spaced(1, 9), (std::vector<int>{4}));
  EXPECT_EQ(wafer::evenly_spaced(2, 8), (std::vector<int>{2, 6}));
  EXPECT_EQ(wafer::evenly_spaced(3, 3), (std::vector<int>{0, 1, 2}));
}

TEST(Joint, LeavesWafersOnlyAtItsColumns) {
  Faults faults{kTwoWafers};
  leave_out_links(kTwoWafers, joined().joint, faults);
  EXPECT_TRUE(faults.list().empty());  // nothing is broken
  EXPECT_EQ(faults.dead_cores(), 0);
  for (const auto at : all_cores()) {
    for (const auto direction : wafer::kDirections) {
      if (!kTwoWafers.contains(step(at, direction))) continue;
      const bool missing = kTwoWafers.leaves_wafer(at, direction) && at.x != 2 && at.x != 6;
      ASSERT_EQ(faults.link_is_dead(kTwoWafers.core_at(at), direction), missing) << at.x << ' ' << at.y;
    }
  }
}

/// A router takes a cycle, a wire one, a die border 4. Each packet is alone.
Time arrival(Coordinate from, Coordinate to, int flits, bool dies_alone) {
  const auto borders = [&](int a, int b, int side) { return std::abs(a / side - b / side); };
  const auto cycles = [](std::int64_t count) { return Duration{1000 * count}; };
  if (dies_alone) {
    const int hops = std::abs(from.x - to.x) + std::abs(from.y - to.y);
    const int crossings = borders(from.x, to.x, 4) + borders(from.y, to.y, 3);
    return Time{cycles(2 * (hops + 1) + 1 + flits + 4 * crossings)};
  }
  return {};
}

TEST(Joint, CarriesALonePacketByTheNearestLinkInTheTimeThatItsPartsTake) {
  const auto model = joined();
  for (const auto from : all_cores()) {
    for (const auto to : all_cores()) {
      SmallWafer wafers{kTwoWafers, model};
      const int flits = 1 + (from.x + to.y) % 5;
      const auto delivery = wafers.send(from, to, flits);
      ASSERT_EQ(delivery.core, kTwoWafers.core_at(to));
      if (!on_other_wafers(from, to)) {
        ASSERT_EQ(delivery.tail, arrival(from, to, flits, true));
        ASSERT_EQ(wafers.travel().joint_bits, 0);
        continue;
      }
      const int hops = shortest(from, to);
      ASSERT_EQ(wafers.travel().joint_bits, 256 * flits);
      ASSERT_EQ(wafers.travel().hop_bits, 256 * flits * (hops - 1));
      const auto crossings = wafers.travel().crossing_bits / (256 * flits);
      // all but the link between the wafers: hops - 1 links and the ejection, a router before each; then
      // whole over the link
      const Duration mesh{1000 * (1 + 2 * (hops - 1) + 2 + 4 * crossings)};
      const Duration joint{1000 + flits * 2560 + 1'500'000};
      ASSERT_EQ(delivery.tail - Time{}, mesh + joint + Duration{1000 * flits})
          << from.x << ' ' << from.y << " to " << to.x << ' ' << to.y;
    }
  }
}

TEST(Joint, SendsPacketsOverALinkOneAfterAnother) {
  SmallWafer wafers{kTwoWafers, joined()};
  const auto first = wafers.send(Coordinate{2, 5}, Coordinate{2, 6}, 100);
  const auto second = wafers.send(Coordinate{2, 5}, Coordinate{2, 6}, 100);
  EXPECT_EQ(second.tail - first.tail, Duration{100 * 2560});
  EXPECT_EQ(wafers.use({2, 5}, Direction::south).flits, 200);
}

TEST(Joint, ReachesEveryDestinationOfAMulticastOnceOverOneLink) {
  const auto model = joined();
  std::vector<CoreId> destinations;
  for (const auto at : all_cores()) {
    if (at.y >= kRowsOfWafer && at.x < 4) destinations.push_back(kTwoWafers.core_at(at));
  }
  const CoreId source = kTwoWafers.core_at({1, 1});
  SmallWafer wafers{kTwoWafers, model};
  const auto delivered = wafers.send(wafer::MulticastTree{kTwoWafers, source, destinations, model.routing}, 3,
                                     Time{Duration{1000}});
  std::vector<CoreId> reached;
  reached.reserve(delivered.size());
  for (const auto& delivery : delivered) reached.push_back(delivery.core);
  std::sort(reached.begin(), reached.end());
  EXPECT_EQ(reached, destinations);
  EXPECT_EQ(wafers.use({2, 5}, Direction::south).flits, 3);
  EXPECT_EQ(wafers.use({6, 5}, Direction::south).flits, 0);
}

TEST(Joint, IsTheLookaheadBetweenDiesOfTwoWafers) {
  const auto model = joined();
  const auto die = [](int x, int y) { return wafer::DieId{static_cast<wafer::DieId::Value>(y * 2 + x)}; };
  const auto look = [&](wafer::DieId from, Direction direction) {
    return model.die_lookahead(kTwoWafers, from, direction);
  };
  EXPECT_EQ(look(die(0, 0), Direction::south), Duration{6000});
  EXPECT_EQ(look(die(0, 1), Direction::south), Duration{1000 + 2560 + 1'500'000});
  EXPECT_EQ(look(die(0, 2), Direction::north), Duration{1000 + 2560 + 1'500'000});
  EXPECT_EQ(look(die(0, 1), Direction::east), Duration{6000});
  // corner to corner: 7 links along x, 10 along y, 3 die borders, and the joint
  EXPECT_EQ(model.crossing_time(kTwoWafers), Duration{17 * 2000 + 3 * 4000 + 1000 + 2560 + 1'500'000});
}

}  // namespace
}  // namespace ouro::tests
