#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/random.hpp"
#include "llm/exact_placement.hpp"
#include "llm/kv_sharing.hpp"
#include "llm/model_import.hpp"
#include "llm/optimised_mapping.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;
using wafer::Geometry;

constexpr std::int64_t kSteps = 300'000;

/// A model on a wafer with dead cores that are a function of the seed.
struct Case {
  Case(const ModelDescription& model, const TiledModel& tiled, const Geometry& geometry, int dead,
       std::uint64_t seed)
      : faults{geometry},
        cost{geometry, 2},
        snake{map_with_dead(model, tiled, geometry, dead, seed)},
        flows{model, tiled, static_cast<int>(snake.blocks.front().kv.size())},
        start{flows.placement(snake, CoreId{0})} {}

  Placement optimise(std::uint64_t seed, std::int64_t steps = kSteps) const {
    return optimise_placement(flows, cost, faults, start, {seed, steps});
  }
  std::int64_t total(const Placement& placement) const {
    return evaluate(flows.graph(), cost, placement).total();
  }

  wafer::Faults faults;
  MappingCost cost;
  Mapping snake;
  TokenFlows flows;
  Placement start;

 private:
  Mapping map_with_dead(const ModelDescription& model, const TiledModel& tiled, const Geometry& geometry,
                        int dead, std::uint64_t seed) {
    for (std::uint64_t draw = 0; faults.dead_cores() < dead; ++draw) {
      const auto number =
          engine::uniform_below(static_cast<std::uint64_t>(geometry.cores()), {seed, 0, 0}, draw);
      const CoreId core{static_cast<CoreId::Value>(number)};
      if (!faults.core_is_dead(core)) faults.add({.kind = wafer::Fault::Kind::core, .core = core});
    }
    return map_in_snake_order(geometry, faults, model, tiled);
  }
};

void expect_valid(const Case& mapped, const Placement& placement) {
  const auto movable = placement.size() - 1;
  const std::set<CoreId> cores{placement.begin(), placement.begin() + static_cast<std::ptrdiff_t>(movable)};
  EXPECT_EQ(cores.size(), movable) << "two roles on a core";
  for (const auto core : cores) EXPECT_FALSE(mapped.faults.core_is_dead(core)) << core.value();
  EXPECT_EQ(placement.back(), CoreId{0}) << "the host does not move";
}

/// QKV, gate and up, and down on two cores each.
wafer::CoreModel small_core() {
  wafer::CoreModel core;
  core.crossbars = 1;
  core.crossbar_rows = 256;
  return core;
}

class SmallCase : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SmallCase, IsWithinOnePercentOfTheProvenOptimum) {
  const auto seed = GetParam();
  const auto layers = seed % 2 == 0 ? 1 : 2;
  const auto model = tests::toy_model(layers);
  const auto core = layers == 1 ? small_core() : wafer::CoreModel{};
  const Geometry geometry{2, seed % 3 == 0 ? 1 : 2, layers == 1 ? 3 : 2, seed % 3 == 0 ? 4 : 3};
  const Case mapped{model, tile_model(model, core, 64), geometry, geometry.cores() - 12, seed};
  const auto fast = mapped.optimise(seed);
  expect_valid(mapped, fast);
  const auto exact =
      place_exactly(mapped.flows.graph(), mapped.cost, live_cores(geometry, mapped.faults), mapped.start, 60);
  if (!exact.proven) GTEST_SKIP() << "not proven in 60 s";
  expect_valid(mapped, exact.placement);
  EXPECT_LE(exact.objective.total(), mapped.total(fast));
  EXPECT_LE(static_cast<double>(mapped.total(fast)), 1.01 * static_cast<double>(exact.objective.total()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SmallCase, ::testing::Range<std::uint64_t>(1, 7));

TEST(ExactPlacement, FindsTheOptimumThatAllPermutationsHave) {
  const Geometry geometry{2, 1, 2, 2};
  const MappingCost cost{geometry, 2};
  FlowGraph graph{.roles = 6, .fixed = 0, .parts_of_byte = 1, .flows = {}};
  for (Role a = 0; a < 6; ++a) {
    for (Role b = 0; b < a; ++b) {
      const auto bytes = static_cast<std::int64_t>(engine::uniform_below(20, {3, 0, a}, b));
      graph.flows.push_back({a, b, bytes, Volume::output});
    }
  }
  Placement cores = row_order(geometry);  // 8: the first six of each permutation count
  std::int64_t least = evaluate(graph, cost, cores).total();
  auto permutation = cores;
  do least = std::min(least, evaluate(graph, cost, permutation).total());
  while (std::next_permutation(permutation.begin(), permutation.end()));

  const Placement start{cores.begin(), cores.begin() + 6};
  const auto exact = place_exactly(graph, cost, cores, start, 100);
  EXPECT_TRUE(exact.proven);
  EXPECT_EQ(exact.objective.total(), least);
  PlacementSearch search{graph, cost, {0, 1, 2, 3, 4, 5}, cores};
  EXPECT_EQ(evaluate(graph, cost, search.improve(start, {1, 100'000})).total(), least);
}

TEST(KvSharing, IsTheBestOfAllWays) {
  // two blocks of 4 tiles and two KV cores, an LM head: 6 cores are left for 4 KV cores
  const auto model = tests::toy_model(2);
  const Geometry geometry{2, 1, 3, 3};
  const auto tiled = tile_model(model, wafer::CoreModel{}, 64);
  const Case mapped{model, tiled, geometry, 3, 5};
  const TokenFlows flows{model, tiled, 2};
  const auto live = live_cores(geometry, mapped.faults);
  Placement placement(flows.graph().roles, CoreId{0});
  std::size_t next = 0;
  std::vector<CoreId> left;
  for (int block = 0; block < 2; ++block) {
    for (Role i = 0; i < flows.tiles_of_block(); ++i)
      placement[flows.tile(block, Matrix::qkv, 0) + i] = live[next++];
    left.push_back(live[next++]);
    left.push_back(live[next++]);
  }
  placement[flows.lm_head(0)] = live[next++];
  left.insert(left.end(), live.begin() + static_cast<std::ptrdiff_t>(next), live.end());
  ASSERT_GE(left.size(), 5U);

  share_out_kv_cores(flows, mapped.cost, left, placement);
  const auto found = evaluate(flows.graph(), mapped.cost, placement).total();
  auto least = found;
  std::sort(left.begin(), left.end());
  do {
    auto other = placement;
    for (std::size_t i = 0; i < 4; ++i) other[flows.kv(static_cast<int>(i / 2), i % 2)] = left[i];
    least = std::min(least, evaluate(flows.graph(), mapped.cost, other).total());
  } while (std::next_permutation(left.begin(), left.end()));
  EXPECT_EQ(found, least);
}

TEST(OptimisedMapping, OfAWaferWithDeadCoresIsValidAndHalvesTheObjectiveOfTheSnake) {
  const auto model = shipped_model("llama-13b");
  const Geometry geometry;
  const Case mapped{model, tile_model(model, wafer::CoreModel{}, 256), geometry, 42, 1};
  const auto found = mapped.optimise(1, 60'000);
  expect_valid(mapped, found);
  EXPECT_LT(mapped.total(found), 6 * mapped.total(mapped.start) / 10);
}

TEST(OptimisedMapping, IsAFunctionOfTheSeed) {
  const auto model = tests::toy_model(2);
  const Case mapped{model, tile_model(model, small_core(), 64), Geometry{2, 2, 3, 4}, 3, 9};
  EXPECT_EQ(mapped.optimise(4, 20'000), mapped.optimise(4, 20'000));
}

TEST(OptimisedMapping, NeverCostsMoreThanItsStart) {
  const auto model = tests::toy_model(2);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Case mapped{model, tile_model(model, small_core(), 64), Geometry{2, 2, 3, 4}, 5, seed};
    EXPECT_LE(mapped.total(mapped.optimise(seed, 0)), mapped.total(mapped.start));
    const auto found = mapped.optimise(seed, 5'000);
    expect_valid(mapped, found);
    EXPECT_LE(mapped.total(found), mapped.total(mapped.start));
  }
}

}  // namespace
}  // namespace ouro::llm
