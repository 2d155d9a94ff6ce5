#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "engine/error.hpp"
#include "llm/mapping.hpp"
#include "llm/model_import.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;
using wafer::Geometry;

TiledModel tile(const ModelDescription& model) {
  return tile_model(model, wafer::CoreModel{}, 256);
}

Mapping map(const Geometry& geometry, const ModelDescription& model) {
  return map_in_snake_order(geometry, {}, model, tile(model));
}

Geometry line(int cores) {
  return {1, 1, cores, 1};
}

int distance(const Geometry& geometry, CoreId a, CoreId b) {
  const auto at = geometry.coordinate(a), to = geometry.coordinate(b);
  return std::abs(at.x - to.x) + std::abs(at.y - to.y);
}

TEST(SnakeOrder, VisitsEachCoreOnce) {
  for (const auto& geometry :
       {Geometry{}, Geometry{2, 3, 4, 2}, Geometry{1, 1, 1, 1}, Geometry{3, 2, 1, 5}}) {
    const auto order = snake_order(geometry);
    const std::set<CoreId> cores{order.begin(), order.end()};
    EXPECT_EQ(order.size(), static_cast<std::size_t>(geometry.cores()));
    EXPECT_EQ(cores.size(), order.size());
    for (const auto core : order) EXPECT_LT(core.value(), static_cast<CoreId::Value>(geometry.cores()));
  }
}

TEST(SnakeOrder, GoesFromNeighbourToNeighbourOverTheWholeWafer) {
  const Geometry geometry;  // 9 x 7 dies of 13 x 17 cores
  const auto order = snake_order(geometry);
  for (std::size_t i = 1; i < order.size(); ++i) {
    ASSERT_EQ(distance(geometry, order[i - 1], order[i]), 1) << i;
  }
}

TEST(SnakeOrder, LeavesADieOnlyWhenAllItsCoresAreVisited) {
  const Geometry geometry;
  const auto order = snake_order(geometry);
  for (std::size_t i = 0; i < order.size(); ++i) {
    ASSERT_EQ(geometry.die_of(order[i]), geometry.die_of(order[i / 221 * 221])) << i;
  }
}

TEST(SnakeMapping, UsesNoCoreTwiceAndGivesEachTileACoreOfItsOwn) {
  const auto model = shipped_model("llama-13b");
  const auto tiled = tile(model);
  const auto mapping = map_in_snake_order(Geometry{}, {}, model, tiled);
  std::vector<CoreId> used = mapping.lm_head;
  EXPECT_EQ(mapping.lm_head.size(), tiled.lm_head.tiles.size());
  ASSERT_EQ(mapping.blocks.size(), 40U);
  for (const auto& block : mapping.blocks) {
    for (std::size_t m = 0; m < kMatrixCount; ++m) {
      EXPECT_EQ(block.tiles[m].size(), tiled.block[m].tiles.size());
      used.insert(used.end(), block.tiles[m].begin(), block.tiles[m].end());
    }
    used.insert(used.end(), block.kv.begin(), block.kv.end());
  }
  EXPECT_EQ(std::set<CoreId>(used.begin(), used.end()).size(), used.size());
}

TEST(SnakeMapping, SharesOutTheCoresThatWeightsLeaveFree) {
  // 40 blocks of 77 cores and an LM head of ceil(250 x 5,120 / 32,768) = 40 leave 10,803: 270 a block, 3
  // spare
  for (const auto& block : map(Geometry{}, shipped_model("llama-13b")).blocks)
    EXPECT_EQ(block.kv.size(), 270U);
  // 64 blocks of 117 and ceil(1,188 x 5,120 / 32,768) = 186 leave 6,249: 97 a block
  for (const auto& block : map(Geometry{}, shipped_model("qwen-32b")).blocks) EXPECT_EQ(block.kv.size(), 97U);
}

TEST(SnakeMapping, FollowsTheDataFlowAlongTheSnake) {
  const Geometry geometry;
  const auto mapping = map(geometry, shipped_model("llama-13b"));
  std::vector<CoreId> flow;
  const auto append = [&](const std::vector<CoreId>& cores) {
    flow.insert(flow.end(), cores.begin(), cores.end());
  };
  for (const auto& block : mapping.blocks) {
    append(block.tiles[static_cast<std::size_t>(Matrix::qkv)]);
    append(block.kv);
    append(block.tiles[static_cast<std::size_t>(Matrix::output)]);
    append(block.tiles[static_cast<std::size_t>(Matrix::gate_up)]);
    append(block.tiles[static_cast<std::size_t>(Matrix::down)]);
  }
  append(mapping.lm_head);
  auto snake = snake_order(geometry);
  snake.resize(flow.size());
  EXPECT_EQ(flow, snake);
}

std::string refusal(const Geometry& geometry, const ModelDescription& model) {
  try {
    map(geometry, model);
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SnakeMapping, SaysHowManyCoresAModelLacks) {
  // 80 blocks of 193, an LM head of ceil(250 x 8,192 / 32,768) = 63, 80 KV cores
  EXPECT_EQ(refusal(Geometry{}, shipped_model("llama-65b")),
            "model llama-65b: needs 15583 cores for weights, LM head and a KV core for each block, and the "
            "wafer has "
            "13923: it lacks 1660; a smaller model, larger wafers or more of them fit");
}

TEST(SnakeMapping, TakesAModelAtTheLastCoreAndRefusesItOneCoreBelow) {
  // 3 blocks of 4 weight cores and a KV core, one core of the LM head
  const auto mapping = map(line(16), tests::toy_model(3));
  for (const auto& block : mapping.blocks) EXPECT_EQ(block.kv.size(), 1U);
  EXPECT_EQ(mapping.lm_head, std::vector<CoreId>{CoreId{15}});
  EXPECT_EQ(
      refusal(line(15), tests::toy_model(3)),
      "model toy: needs 16 cores for weights, LM head and a KV core for each block, and the wafer has 15: it "
      "lacks 1; a smaller model, larger wafers or more of them fit");
}

/// One die of one row each, one south of the other.
Geometry lines(int wafers, int cores) {
  return {1, wafers, cores, 1, wafers};
}

TEST(SnakeMapping, PutsEachBlockOnOneOfSeveralWafers) {
  // 17 cores of each wafer are 2 blocks of 4 weight cores and 4 KV cores; 3 of them leave the LM head a place
  const Geometry geometry = lines(2, 17);
  const auto mapping = map(geometry, tests::toy_model(3));
  ASSERT_EQ(mapping.blocks.size(), 3U);
  for (std::size_t b = 0; b < 3; ++b) {
    const auto& block = mapping.blocks[b];
    EXPECT_EQ(block.kv.size(), 4U);
    auto cores = block.kv;
    for (const auto& tiles : block.tiles) cores.insert(cores.end(), tiles.begin(), tiles.end());
    for (const auto core : cores) EXPECT_EQ(geometry.wafer_of(core), b < 2 ? 0 : 1) << core.value();
  }
  EXPECT_EQ(geometry.wafer_of(mapping.lm_head.front()), 1);
}

TEST(SnakeMapping, FitsLlama65bOnTwoWafers) {
  // 80 blocks of 193; a wafer of 13,923 cores has 40 blocks with 155 KV cores each, the last one 63 cores
  // of LM head besides: floor((13,923 - 63) / 40) - 193 = 153
  const Geometry two{9, 14, 13, 17, 2};
  const auto mapping = map(two, shipped_model("llama-65b"));
  ASSERT_EQ(mapping.blocks.size(), 80U);
  for (const auto& block : mapping.blocks) EXPECT_EQ(block.kv.size(), 153U);
}

TEST(SnakeMapping, SaysThatTooFewCoresAreTogether) {
  // 2 blocks of 5 cores and an LM head, and wafers of one core
  EXPECT_THAT(refusal(lines(11, 1), tests::toy_model(2)),
              testing::HasSubstr("the 11 wafers have 11: too few are together, since each block is on one "
                                 "wafer; a smaller model"));
}

wafer::Faults dead_cores(const Geometry& geometry, const std::vector<CoreId::Value>& cores) {
  wafer::Faults faults{geometry};
  for (const auto core : cores) faults.add({.kind = wafer::Fault::Kind::core, .core = CoreId{core}});
  return faults;
}

TEST(SnakeMapping, PassesOverDeadCores) {
  const auto model = tests::toy_model(1);  // QKV, KV, O, gate and up, down, LM head
  const auto mapping = map_in_snake_order(line(9), dead_cores(line(9), {0, 3, 7}), model, tile(model));
  const auto& block = mapping.blocks.front();
  EXPECT_EQ(block.tiles[static_cast<std::size_t>(Matrix::qkv)], std::vector<CoreId>{CoreId{1}});
  EXPECT_EQ(block.kv, std::vector<CoreId>{CoreId{2}});
  EXPECT_EQ(block.tiles[static_cast<std::size_t>(Matrix::output)], std::vector<CoreId>{CoreId{4}});
  EXPECT_EQ(block.tiles[static_cast<std::size_t>(Matrix::gate_up)], std::vector<CoreId>{CoreId{5}});
  EXPECT_EQ(block.tiles[static_cast<std::size_t>(Matrix::down)], std::vector<CoreId>{CoreId{6}});
  EXPECT_EQ(mapping.lm_head, std::vector<CoreId>{CoreId{8}});
}

TEST(SnakeMapping, SharesOutTheLiveCoresOnly) {
  // 10,803 free cores are 270 a block and 3 spare: 3 dead ones change nothing, 4 cost each block a KV core
  const auto model = shipped_model("llama-13b");
  const auto kv_cores = [&](const wafer::Faults& faults) {
    return map_in_snake_order(Geometry{}, faults, model, tile(model)).blocks.front().kv.size();
  };
  EXPECT_EQ(kv_cores(dead_cores(Geometry{}, {5, 500, 5000})), 270U);
  EXPECT_EQ(kv_cores(dead_cores(Geometry{}, {5, 500, 5000, 13'922})), 269U);
}

TEST(SnakeMapping, SaysHowManyCoresAreDeadWhereAModelDoesNotFit) {
  const auto model = tests::toy_model(3);
  try {
    map_in_snake_order(line(17), dead_cores(line(17), {2, 4}), model, tile(model));
    FAIL() << "15 cores are too few";
  } catch (const engine::InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("needs 16 cores"));
    EXPECT_THAT(error.what(), testing::HasSubstr("the wafer has 15 and 2 dead ones: it lacks 1;"));
  }
}

TEST(SnakeMapping, LeavesCoresSpareThatCannotBeSharedOutEvenly) {
  for (const auto& block : map(line(16 + 2), tests::toy_model(3)).blocks) EXPECT_EQ(block.kv.size(), 1U);
  for (const auto& block : map(line(16 + 3), tests::toy_model(3)).blocks) EXPECT_EQ(block.kv.size(), 2U);
}

}  // namespace
}  // namespace ouro::llm
