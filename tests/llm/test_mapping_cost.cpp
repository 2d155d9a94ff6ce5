#include <gtest/gtest.h>

#include "llm/mapping_cost.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;
using wafer::Geometry;

/// Two dies of 2 x 2 cores side by side:
///
///   0 1 | 2 3
///   4 5 | 6 7
constexpr Geometry kTwoDies{.die_columns = 2, .die_rows = 1, .core_columns = 2, .core_rows = 2};

TEST(MappingCost, IsLinksWithinADieAndLinksTimesThePenaltyBeyond) {
  const MappingCost cost{kTwoDies, 1.5};
  EXPECT_EQ(cost.between(CoreId{0}, CoreId{0}), 0);
  EXPECT_EQ(cost.between(CoreId{0}, CoreId{5}), 2 * 1000);
  EXPECT_EQ(cost.between(CoreId{1}, CoreId{2}), 1 * 1500);
  EXPECT_EQ(cost.between(CoreId{4}, CoreId{3}), 4 * 1500);
  EXPECT_EQ(cost.between(CoreId{3}, CoreId{4}), cost.between(CoreId{4}, CoreId{3}));
}

TEST(MappingCost, AddsUpBytesTimesLinksByVolume) {
  const FlowGraph graph{.roles = 3,
                        .fixed = 0,
                        .parts_of_byte = 2,
                        .flows = {{0, 1, 20, Volume::output},
                                  {1, 2, 8, Volume::reduce},
                                  {2, 0, 6, Volume::gather},
                                  {0, 2, 2, Volume::output}}};
  // roles 0, 1, 2 on cores 0, 1, 6: 1 link; 2 links over the border; 3 links over the border
  const auto objective = evaluate(graph, MappingCost{kTwoDies, 2}, {CoreId{0}, CoreId{1}, CoreId{6}});
  EXPECT_EQ(objective.by_volume[0], (20 * 1 + 2 * 3 * 2) * 1000);
  EXPECT_EQ(objective.by_volume[1], 8 * 2 * 2 * 1000);
  EXPECT_EQ(objective.by_volume[2], 6 * 3 * 2 * 1000);
  EXPECT_EQ(objective.total(), (32 + 32 + 36) * 1000);
  EXPECT_DOUBLE_EQ(byte_links(graph, objective.total()), 50);  // two parts make a byte
}

/// One block whose groups are one tile each, and two KV cores.
const ModelDescription kToy = tests::toy_model(1);

TEST(MappingCost, OfAToyModelByHand) {
  // Q K K O | on a line; G D L spare |: cores 0 to 7 in two dies of 4 x 1
  const Geometry line{.die_columns = 2, .die_rows = 1, .core_columns = 4, .core_rows = 1};
  const auto tiled = tile_model(kToy, wafer::CoreModel{}, 256);
  const TokenFlows flows{kToy, tiled, 2};
  Placement placement;  // roles are Q O G D K K L and the host
  for (const CoreId::Value core : {0, 3, 4, 5, 1, 2, 6, 0}) placement.emplace_back(core);

  const auto objective = evaluate(flows.graph(), MappingCost{line, 2}, placement);
  const auto bytes = [&](Volume volume) {
    return byte_links(flows.graph(), objective.by_volume[static_cast<std::size_t>(volume)]);
  };
  // residuals of 128 bytes: Q to G, 4 links over the border; G to L, 2 links
  EXPECT_DOUBLE_EQ(bytes(Volume::output), 128 * 4 * 2 + 128 * 2);
  EXPECT_DOUBLE_EQ(bytes(Volume::reduce), 0);
  // half of q, k, v (384 bytes) to each KV core, half of the head outputs (128 bytes) from each; O to G over
  // the border; G to D, D to L; candidates to the host
  EXPECT_DOUBLE_EQ(bytes(Volume::gather),
                   192 * 1 + 192 * 2 + 64 * 2 + 64 * 1 + 128 * 1 * 2 + 256 * 1 + 128 * 1 + 256 * 6 * 2);
}

TEST(TokenFlows, GoBackAndForthBetweenMappingAndPlacement) {
  const auto tiled = tile_model(kToy, wafer::CoreModel{}, 256);
  const Geometry geometry{1, 1, 4, 2};
  const auto mapping = map_in_snake_order(geometry, {}, kToy, tiled);
  const TokenFlows flows{kToy, tiled, 3};
  const auto again = flows.mapping(flows.placement(mapping, CoreId{0}));
  EXPECT_EQ(again.blocks.front().tiles, mapping.blocks.front().tiles);
  EXPECT_EQ(again.blocks.front().kv, mapping.blocks.front().kv);
  EXPECT_EQ(again.lm_head, mapping.lm_head);
}

TEST(TokenFlows, SendSumsFromATileToTheNextWhereAStripGoesOn) {
  auto core = wafer::CoreModel{};
  core.crossbars = 1;
  core.crossbar_rows = 192;  // QKV: 3 strips of 128 rows on two cores
  const auto tiled = tile_model(kToy, core, 256);
  ASSERT_EQ(tiled.block[0].tiles.size(), 2U);
  const TokenFlows flows{kToy, tiled, 1};
  std::int64_t sums = 0;
  for (const auto& flow : flows.graph().flows) {
    const bool within_qkv =
        flow.from == flows.tile(0, Matrix::qkv, 0) && flow.to == flows.tile(0, Matrix::qkv, 1);
    if (within_qkv && flow.volume == Volume::reduce) sums += flow.parts;
  }
  EXPECT_EQ(sums, 4 * 128);
}

}  // namespace
}  // namespace ouro::llm
