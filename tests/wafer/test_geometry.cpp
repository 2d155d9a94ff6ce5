#include <gtest/gtest.h>

#include <set>

#include "wafer/die_links.hpp"
#include "wafer/geometry.hpp"
#include "wafer/noc_model.hpp"

namespace ouro::wafer {
namespace {

using engine::Duration;

CoreId core(int number) {
  return CoreId{static_cast<CoreId::Value>(number)};
}

DieId die(int number) {
  return DieId{static_cast<DieId::Value>(number)};
}

TEST(Geometry, HasTheSizesOfThePaper) {  // docs/design.md
  const Geometry geometry;
  EXPECT_EQ(geometry.columns(), 117);
  EXPECT_EQ(geometry.rows(), 119);
  EXPECT_EQ(geometry.cores(), 13'923);
  EXPECT_EQ(geometry.dies(), 63);
  EXPECT_EQ(geometry.cores_of_die(), 221);
}

TEST(Geometry, NumbersCoresRowByRow) {
  const Geometry geometry{3, 2, 4, 5};
  for (int y = 0, number = 0; y < 10; ++y) {
    for (int x = 0; x < 12; ++x, ++number) {
      EXPECT_EQ(geometry.core_at({x, y}), core(number));
      EXPECT_EQ(geometry.coordinate(core(number)), (Coordinate{x, y}));
    }
  }
}

TEST(Geometry, CutsTheGridIntoDies) {
  const Geometry geometry{3, 2, 4, 5};
  std::set<CoreId> cores;
  for (int d = 0; d < geometry.dies(); ++d) {
    const Coordinate corner{d % 3 * 4, d / 3 * 5};
    for (int i = 0; i < geometry.cores_of_die(); ++i) {
      const auto id = geometry.core_of_die(die(d), i);
      EXPECT_EQ(geometry.coordinate(id), (Coordinate{corner.x + i % 4, corner.y + i / 4}));
      EXPECT_EQ(geometry.die_of(id), die(d));
      EXPECT_EQ(geometry.index_in_die(id), i);
      cores.insert(id);
    }
  }
  EXPECT_EQ(cores.size(), static_cast<std::size_t>(geometry.cores()));
}

TEST(Geometry, KnowsTheNeighboursOfADieAndTheEdgesOfTheWafer) {
  const Geometry geometry{3, 2, 4, 5};  // dies 0 1 2 above 3 4 5
  EXPECT_EQ(geometry.neighbour(die(1), Direction::west), die(0));
  EXPECT_EQ(geometry.neighbour(die(1), Direction::east), die(2));
  EXPECT_EQ(geometry.neighbour(die(1), Direction::south), die(4));
  EXPECT_EQ(geometry.neighbour(die(1), Direction::north), std::nullopt);
  EXPECT_EQ(geometry.neighbour(die(4), Direction::north), die(1));
  EXPECT_EQ(geometry.neighbour(die(4), Direction::south), std::nullopt);
  EXPECT_EQ(geometry.neighbour(die(2), Direction::east), std::nullopt);
  EXPECT_EQ(geometry.neighbour(die(3), Direction::west), std::nullopt);
}

TEST(Geometry, ContainsItsCoresOnly) {
  const Geometry geometry{3, 2, 4, 5};
  EXPECT_TRUE(geometry.contains({0, 0}));
  EXPECT_TRUE(geometry.contains({11, 9}));
  for (const auto outside : {Coordinate{12, 9}, {11, 10}, {-1, 0}, {0, -1}}) {
    EXPECT_FALSE(geometry.contains(outside)) << outside.x << ' ' << outside.y;
  }
}

TEST(DieLinks, GivesEachPortOfEachCoreANumberOfItsOwn) {
  const Geometry geometry{3, 2, 4, 5};
  const DieLinks links{geometry};
  ASSERT_EQ(links.count(), 6U * 20U);
  std::set<std::size_t> numbers;
  for (int core = 0; core < 20; ++core) {
    for (int port = 0; port < kLinksPerCore; ++port) {
      const auto number = links.number(core, port);
      EXPECT_LT(number, links.count());
      EXPECT_EQ(number, links.number(core % 4, core / 4, port));
      numbers.insert(number);
    }
  }
  EXPECT_EQ(numbers.size(), links.count());
}

TEST(NocModel, CutsAPacketIntoFlitsOf32Bytes) {
  const NocModel noc;
  EXPECT_EQ(noc.flits(1), 1);
  EXPECT_EQ(noc.flits(32), 1);
  EXPECT_EQ(noc.flits(33), 2);
  EXPECT_EQ(noc.flits(5120), 160);
}

TEST(NocModel, SignalsFromCornerToCornerOverAllDieBorders) {
  // 116 + 118 hops of two cycles, 8 + 6 borders of four
  EXPECT_EQ(NocModel{}.crossing_time(Geometry{}), Duration{(234 * 2 + 14 * 4) * 1000});
}

}  // namespace
}  // namespace ouro::wafer
