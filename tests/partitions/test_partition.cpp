#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "engine/error.hpp"
#include "partitions/embedded.hpp"
#include "partitions/partition.hpp"
#include "partitions/read_partition.hpp"

namespace ouro::partitions {
namespace {

using ::testing::ElementsAre;
using wafer::Geometry;

/// Grids of dies: the wafer's, lines, squares, odd and even sides.
const Geometry kGrids[] = {{9, 7, 1, 1}, {7, 9, 1, 1}, {1, 1, 1, 1}, {1, 13, 1, 1}, {11, 1, 1, 1},
                           {2, 2, 1, 1}, {5, 5, 1, 1}, {3, 8, 1, 1}, {6, 4, 1, 1},  {2, 11, 1, 1}};

/// The grid of one case, to be split over any number of ranks.
class PartitionOfGrid : public ::testing::TestWithParam<Geometry> {
 protected:
  const Geometry& grid() const { return GetParam(); }
};

std::map<int, int> dies_of_ranks(const Partition& partition) {
  std::map<int, int> dies;
  for (const int rank : partition) ++dies[rank];
  return dies;
}

void expect_a_die_for_each_rank(const Partition& partition, const Geometry& grid, int ranks) {
  ASSERT_EQ(partition.size(), static_cast<std::size_t>(grid.dies()));
  const auto dies = dies_of_ranks(partition);
  EXPECT_EQ(dies.size(), static_cast<std::size_t>(ranks));
  EXPECT_EQ(dies.begin()->first, 0);
  EXPECT_EQ(dies.rbegin()->first, ranks - 1);
}

/// Dies row by row, back and forth.
std::vector<int> snake(const Geometry& grid) {
  std::vector<int> order;
  for (int y = 0; y < grid.die_rows; ++y) {
    for (int i = 0; i < grid.die_columns; ++i) {
      order.push_back(y * grid.die_columns + (y % 2 == 0 ? i : grid.die_columns - 1 - i));
    }
  }
  return order;
}

TEST_P(PartitionOfGrid, ByRowsGivesEachRankOneRunOfTheSnakeAndAllRunsDifferByOneAtMost) {
  for (int ranks = 1; ranks <= grid().dies(); ++ranks) {
    SCOPED_TRACE(ranks);
    const auto partition = by_rows(grid(), ranks);
    expect_a_die_for_each_rank(partition, grid(), ranks);

    int before = 0;
    for (const int die : snake(grid())) {
      const int rank = partition[static_cast<std::size_t>(die)];
      EXPECT_TRUE(rank == before || rank == before + 1) << "a run is in one piece";
      before = rank;
    }
    const auto dies = dies_of_ranks(partition);
    const auto [least, most] = std::minmax_element(
        dies.begin(), dies.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    EXPECT_LE(most->second - least->second, 1);
  }
}

TEST_P(PartitionOfGrid, ByRectanglesGivesEachRankARectangle) {
  for (int ranks = 1; ranks <= grid().dies(); ++ranks) {
    SCOPED_TRACE(ranks);
    const auto partition = by_rectangles(grid(), ranks);
    expect_a_die_for_each_rank(partition, grid(), ranks);

    struct Box {
      int west = 1000, east = -1, north = 1000, south = -1, dies = 0;
    };
    std::map<int, Box> boxes;
    for (int die = 0; die < grid().dies(); ++die) {
      auto& box = boxes[partition[static_cast<std::size_t>(die)]];
      const int x = die % grid().die_columns, y = die / grid().die_columns;
      box.west = std::min(box.west, x);
      box.east = std::max(box.east, x);
      box.north = std::min(box.north, y);
      box.south = std::max(box.south, y);
      ++box.dies;
    }
    for (const auto& [rank, box] : boxes) {
      EXPECT_EQ(box.dies, (box.east - box.west + 1) * (box.south - box.north + 1)) << "rank " << rank;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Grids, PartitionOfGrid, ::testing::ValuesIn(kGrids));

TEST(Partition, ByRowsTurnsAtTheEndOfEachRow) {
  // 0 1 2
  // 5 4 3  along the line
  EXPECT_THAT(by_rows({3, 2, 1, 1}, 2), ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_THAT(by_rows({3, 2, 1, 1}, 3), ElementsAre(0, 0, 1, 2, 2, 1));
  EXPECT_THAT(by_rows({3, 2, 1, 1}, 6), ElementsAre(0, 1, 2, 5, 4, 3));
}

TEST(Partition, ByRectanglesHalvesTheLongerSide) {
  EXPECT_THAT(by_rectangles({4, 2, 1, 1}, 2), ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
  EXPECT_THAT(by_rectangles({4, 2, 1, 1}, 4), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
  EXPECT_THAT(by_rectangles({1, 4, 1, 1}, 2), ElementsAre(0, 0, 1, 1));
}

engine::Config configuration(const std::vector<std::string>& assignments) {
  return engine::Config{
      {{"partitions/defaults.toml", std::string{embedded_file("defaults.toml")}}}, {}, assignments};
}

Partition read(const Geometry& grid, int ranks, const std::vector<std::string>& assignments = {}) {
  return read_partition(configuration(assignments), grid, ranks);
}

std::string refusal(const Geometry& grid, int ranks, const std::vector<std::string>& assignments) {
  try {
    read(grid, ranks, assignments);
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "accepted";
}

const Geometry kWafer{};            // 63 dies
const Geometry kSmall{3, 1, 1, 1};  // 3 dies

TEST(ReadPartition, TakesTheMethodThatIsNamed) {
  EXPECT_EQ(read(kWafer, 5), by_rows(kWafer, 5));
  EXPECT_EQ(read(kWafer, 5, {"partition.method=rectangles"}), by_rectangles(kWafer, 5));
  EXPECT_THAT(read(kSmall, 2, {"partition.method=list", "partition.regions=[1, 0, 1]"}),
              ElementsAre(1, 0, 1));
}

TEST(ReadPartition, TakesADieForEachRankAndRefusesOneMore) {
  for (const std::string method : {"rows", "rectangles"}) {
    EXPECT_EQ(dies_of_ranks(read(kWafer, 63, {"partition.method=" + method})).size(), 63U);
    EXPECT_EQ(refusal(kWafer, 64, {"partition.method=" + method}),
              "64 ranks are more than the 63 dies that can be shared out; the largest useful number is 63");
  }
}

TEST(ReadPartition, RefusesMethodsThatNeedAModelWhereThereIsNone) {
  EXPECT_EQ(refusal(kSmall, 2, {"partition.method=metis"}),
            "--set partition.method: 'metis' needs the work of a model; rows, rectangles or list");
}

TEST(ReadPartition, RefusesAListOfAnotherLengthThanTheWafer) {
  EXPECT_EQ(refusal(kSmall, 2, {"partition.method=list", "partition.regions=[0, 1]"}),
            "--set partition.regions: has 2 regions for 3 dies; one for each die, row by row");
  EXPECT_EQ(refusal(kSmall, 2, {"partition.method=list"}),
            "default: partition.regions: has 0 regions for 3 dies; one for each die, row by row");
}

TEST(ReadPartition, RefusesARankThatIsNotInTheRun) {
  EXPECT_EQ(refusal(kSmall, 2, {"partition.method=list", "partition.regions=[0, 1, 2]"}),
            "--set partition.regions: 2 is not a rank of this run; ranks are 0 to 1");
  EXPECT_EQ(refusal(kSmall, 2, {"partition.method=list", "partition.regions=[0, -1, 1]"}),
            "--set partition.regions: -1 is not a rank of this run; ranks are 0 to 1");
}

TEST(ReadPartition, RefusesAListThatLeavesARankIdle) {
  EXPECT_EQ(refusal(kSmall, 3, {"partition.method=list", "partition.regions=[0, 2, 2]"}),
            "--set partition.regions: gives rank 1 no die; every rank needs one");
}

}  // namespace
}  // namespace ouro::partitions
