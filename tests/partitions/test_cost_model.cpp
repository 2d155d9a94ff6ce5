#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "partitions/candidates.hpp"
#include "partitions/graph_cut.hpp"
#include "partitions/pipeline_cut.hpp"

namespace ouro::partitions {
namespace {

using ::testing::ElementsAre;

/// A pipeline of stations, one a die, each with as many events and a packet to the next.
DieLoad line(const std::vector<double>& events, double tokens_under_way = 4) {
  DieLoad load{
      .dies = static_cast<int>(events.size()), .stretches = {}, .tokens_under_way = tokens_under_way};
  for (int die = 0; die < load.dies; ++die) {
    DieLoad::Stretch stretch{std::vector<double>(events.size(), 0.0), {}};
    stretch.events[static_cast<std::size_t>(die)] = events[static_cast<std::size_t>(die)];
    if (die > 0) stretch.packets[{die - 1, die}] = 1;
    load.stretches.push_back(stretch);
  }
  return load;
}

DieLoad even_line(int dies, double tokens_under_way = 4) {
  return line(std::vector<double>(static_cast<std::size_t>(dies), 100.0), tokens_under_way);
}

TEST(CostModel, OfOneRankIsTheWorkOfAToken) {
  const auto load = even_line(6);
  const auto predicted = CostModel{load}.predict({0, 0, 0, 0, 0, 0});
  EXPECT_EQ(predicted.cost, 600);
  EXPECT_EQ(predicted.crossings, 0);
  EXPECT_EQ(predicted.speed_up, 1);
}

TEST(CostModel, CountsWorkCrossingsAndTheWayToTheNextBorder) {
  const auto load = line({100, 100, 200, 100, 100, 200});
  const auto predicted = CostModel{load}.predict({0, 0, 0, 1, 1, 0});
  EXPECT_DOUBLE_EQ(predicted.balance, 600 / 400.0);
  EXPECT_EQ(predicted.crossings, 2);  // into die 3, into die 5
  // stations ahead before one that sends over a border: 3, 2, 1, 0, 1, 0
  EXPECT_DOUBLE_EQ(predicted.promise_distance, 7 / 6.0);
}

TEST(CostModel, AGroupOfTokensKeepsOneOfTwoRanksBusyThatHaveAHalfOfThePipelineEach) {
  // Of 40 stations, 8 ahead of each: the share is 0 or 1 but around the border. One group of tokens leaves
  // 1 / 2 + sqrt(v ln 2) of the work to the busiest rank.
  const auto load = even_line(40);
  Partition halves(40, 0);
  std::fill(halves.begin() + 20, halves.end(), 1);
  const auto predicted = CostModel{load}.predict(halves);
  EXPECT_GT(predicted.balance_in_time, 2 * (0.5 + 0.4 * std::sqrt(std::log(2))));
  EXPECT_LT(predicted.balance_in_time, 2 * (0.5 + 0.5 * std::sqrt(std::log(2))));
}

TEST(CostModel, RanksThatShareEachStretchAreBusyTogether) {
  const auto load = even_line(40);
  Partition by_turns(40);
  for (std::size_t die = 0; die < by_turns.size(); ++die) by_turns[die] = static_cast<int>(die % 2);
  EXPECT_LT(CostModel{load}.predict(by_turns).balance_in_time, 1.1);
}

TEST(CostModel, MoreTokensUnderWayBalanceAPartition) {
  Partition halves(40, 0);
  std::fill(halves.begin() + 20, halves.end(), 1);
  const auto few = even_line(40, 8), many = even_line(40, 80);
  const double of_few = CostModel{few}.predict(halves).balance_in_time;
  const double of_many = CostModel{many}.predict(halves).balance_in_time;
  EXPECT_NEAR((of_few - 1) / (of_many - 1), std::sqrt(10), 1e-9);
}

TEST(PipelineCut, GivesEachRankAsMuchWork) {
  EXPECT_THAT(by_pipeline(line({1, 1, 1, 1, 2, 2}), 2, 1), ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(by_pipeline(even_line(6), 3, 1), ElementsAre(0, 0, 1, 1, 2, 2));
}

TEST(PipelineCut, DealsRunsOutToTheRanks) {
  EXPECT_THAT(by_pipeline(even_line(8), 2, 2), ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
}

TEST(PipelineCut, FollowsThePipelineAndNotTheNumbersOfDies) {
  auto load = even_line(4);
  std::reverse(load.stretches.begin(), load.stretches.end());
  EXPECT_THAT(by_pipeline(load, 2, 1), ElementsAre(1, 1, 0, 0));
}

TEST(GraphCut, CutsWhereFewPacketsPass) {
  auto load = even_line(8);
  for (auto& stretch : load.stretches) {
    for (auto& [border, packets] : stretch.packets) packets = border.first == 3 ? 1 : 100;
  }
  const auto partition = by_graph(load, 2);
  for (std::size_t die = 0; die < 4; ++die) {
    EXPECT_EQ(partition[die], partition[0]);
    EXPECT_EQ(partition[die + 4], 1 - partition[0]);
  }
}

/// Work at few places only, as in a small model on a large wafer.
TEST(EveryMethod, GivesEachRankADie) {
  const wafer::Geometry grid{5, 3, 1, 1};
  std::vector<double> events(15, 0.0);
  events[0] = 1000;
  events[7] = 10;
  for (const auto& load : {line(events), even_line(15)}) {
    for (int ranks = 1; ranks <= grid.dies(); ++ranks) {
      for (const auto& candidate : candidates(grid, load, ranks)) {
        SCOPED_TRACE(candidate.method);
        const std::set<int> used{candidate.partition.begin(), candidate.partition.end()};
        EXPECT_EQ(used.size(), static_cast<std::size_t>(ranks));
        EXPECT_EQ(*used.begin(), 0);
        EXPECT_EQ(*used.rbegin(), ranks - 1);
      }
    }
  }
}

TEST(Auto, CostsNoMoreThanAnyMethodAndGivesEachRankADie) {
  const wafer::Geometry grid{5, 3, 1, 1};
  for (int ranks = 1; ranks <= grid.dies(); ++ranks) {
    const auto load = even_line(15);
    const auto chosen = choose(grid, load, ranks);
    for (const auto& candidate : candidates(grid, load, ranks))
      EXPECT_LE(chosen.prediction.cost, candidate.prediction.cost);
    EXPECT_EQ((std::set<int>{chosen.partition.begin(), chosen.partition.end()}.size()),
              static_cast<std::size_t>(ranks));
  }
}

TEST(Auto, MovesTheDieThatSavesMost) {
  // the pipeline crosses this grid row by row, without turning back: in the snake's order the rows are cut
  // badly
  const wafer::Geometry grid{3, 3, 1, 1};
  const auto load = line({1, 1, 1, 1, 1, 1, 100, 100, 100});
  const auto chosen = choose(grid, load, 2);
  EXPECT_EQ(chosen.prediction.cost, CostModel{load}.predict(chosen.partition).cost);
  EXPECT_LT(chosen.prediction.balance, 1.4) << "the three busy dies are shared";
}

}  // namespace
}  // namespace ouro::partitions
