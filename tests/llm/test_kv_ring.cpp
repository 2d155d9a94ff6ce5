#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/kv_ring.hpp"
#include "llm/model_import.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::llm {
namespace {

using ::testing::ElementsAre;

struct Block {
  explicit Block(const std::string& name, int wafers = 1)
      : model{shipped_model(name)},
        tiled{tile_model(model, core, 256)},
        mapping{map_in_snake_order({.die_rows = 7 * wafers, .wafers = wafers}, {}, model, tiled)} {}

  KvRing ring(KvCrossbars which) const { return {mapping, tiled, core, which}; }
  std::vector<int> fragments() const {
    const auto whole = ring(KvCrossbars::left_by_weights_too);
    std::vector<int> crossbars;
    for (int place = whole.places() - whole.fragments(); place < whole.places(); ++place)
      crossbars.push_back(whole.crossbars(place));
    return crossbars;
  }

  wafer::CoreModel core{};
  ModelDescription model;
  TiledModel tiled;
  Mapping mapping;
};

// Crossbars by hand, 1,024 rows of a strip each: QKV 120 strips of 5 = 18 cores and 24; O 40 x 5 = 6 and 8;
// gate and up 216 x 5 = 33 and 24; down 40 x 13.5 = 16 and 28.
TEST(KvRing, HasTheCrossbarsThatTheLastTileOfEachGroupLeavesFree) {
  const Block block{"llama-13b"};
  EXPECT_THAT(block.fragments(), ElementsAre(8, 24, 8, 4));
  EXPECT_EQ(block.ring(KvCrossbars::of_kv_cores).places(), 270);
  EXPECT_EQ(block.ring(KvCrossbars::of_kv_cores).fragments(), 0);
}

// 156 x 6.5 = 31 and 22; 52 x 6.5 = 10 and 18; 280 x 6.5 = 56 and 28; 52 x 17.5 = 28 and 14.
TEST(KvRing, HasFortySixCrossbarsMoreForEachBlockOfLlama32b) {
  EXPECT_THAT(Block{"llama-32b"}.fragments(), ElementsAre(10, 14, 4, 18));
}

TEST(KvRing, HasNoFragmentsWhereTilesFillTheirCores) {
  EXPECT_THAT((Block{"llama-65b", 2}.fragments()), ElementsAre());
}

TEST(KvRing, HasTheSamePlacesInEveryBlockWithCoresOfThatBlock) {
  const Block block{"llama-13b"};
  const auto ring = block.ring(KvCrossbars::left_by_weights_too);
  for (std::size_t b = 0; b < block.mapping.blocks.size(); ++b) {
    const auto& cores = ring.cores(static_cast<int>(b));
    const auto& mapped = block.mapping.blocks[b];
    ASSERT_EQ(cores.size(), 274U);
    EXPECT_TRUE(std::equal(mapped.kv.begin(), mapped.kv.end(), cores.begin()));
    const auto last_tile = [&](Matrix matrix) {
      return mapped.tiles[static_cast<std::size_t>(matrix)].back();
    };
    EXPECT_EQ(cores[270], last_tile(Matrix::qkv));
    EXPECT_EQ(cores[273], last_tile(Matrix::down));
  }
}

// A crossbar that weights fill in part is in weight mode, and one crossbar alone cannot hold K and V apart.
TEST(KvRing, CountsWholeCrossbarsInPairs) {
  wafer::CoreModel core{};
  core.crossbars = 5;
  core.crossbar_rows = 1000;
  const auto model = tests::toy_model(1);  // QKV: 3 strips of 128 rows; all in one crossbar
  const auto tiled = tile_model(model, core, 256);
  EXPECT_EQ(crossbars_of(tiled.of(Matrix::qkv).tiles.front(), core), 1);
  const auto mapping = map_in_snake_order({1, 1, 6, 1}, {}, model, tiled);
  const KvRing ring{mapping, tiled, core, KvCrossbars::left_by_weights_too};
  ASSERT_EQ(ring.places(), 5);
  EXPECT_EQ(ring.crossbars(0), 4);
  EXPECT_EQ(ring.crossbars(1), 4);
  core.crossbars = 2;
  const KvRing none{mapping, tiled, core, KvCrossbars::left_by_weights_too};
  EXPECT_EQ(none.fragments(), 0);
}

}  // namespace
}  // namespace ouro::llm
