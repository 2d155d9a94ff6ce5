#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "llm/model_import.hpp"
#include "llm/tiling.hpp"

namespace ouro::llm {
namespace {

constexpr int kCandidateBytes = 256;

TiledModel tile(const ModelDescription& model) {
  return tile_model(model, wafer::CoreModel{}, kCandidateBytes);
}

const TiledGroup& group(const TiledModel& tiled, Matrix matrix) {
  return tiled.block[static_cast<std::size_t>(matrix)];
}

/// Cores of a block, from docs/design.md.
struct Row {
  const char* model;
  std::size_t cores;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.model;
}

class TiledShippedModel : public ::testing::TestWithParam<Row> {
 protected:
  ModelDescription model = shipped_model(GetParam().model);
  TiledModel tiled = tile(model);

  /// All groups, with the length of their input and their number of columns.
  struct Shape {
    const TiledGroup* group;
    std::int64_t rows;
    std::int64_t columns;
  };
  std::vector<Shape> shapes() const {
    const std::int64_t hidden = model.hidden_size, ffn = model.ffn_size;
    const std::int64_t query = std::int64_t{model.attention_heads} * model.head_dim;
    const std::int64_t kv = std::int64_t{model.kv_heads} * model.head_dim;
    return {{&group(tiled, Matrix::qkv), hidden, query + 2 * kv},
            {&group(tiled, Matrix::output), query, hidden},
            {&group(tiled, Matrix::gate_up), hidden, (model.gated_ffn ? 2 : 1) * ffn},
            {&group(tiled, Matrix::down), ffn, hidden},
            {&tiled.lm_head, hidden, model.vocab_size}};
  }
};

TEST_P(TiledShippedModel, TakesTheCoresOfThePaper) {
  std::size_t cores = 0;
  for (const auto& group : tiled.block) cores += group.tiles.size();
  EXPECT_EQ(cores, GetParam().cores);
}

TEST_P(TiledShippedModel, HoldsEachWeightOnceAndNoCoreMoreThanItsCrossbars) {
  for (const auto& [group, rows, columns] : shapes()) {
    std::int64_t macs = 0;
    for (const auto& tile : group->tiles) {
      EXPECT_GT(tile.macs, 0);
      EXPECT_LE(tile.macs, 4 << 20);
      macs += tile.macs;
    }
    EXPECT_EQ(group->rows, rows);
    EXPECT_EQ(macs, rows * columns);
  }
}

TEST_P(TiledShippedModel, FillsEachCoreButTheLast) {
  for (const auto& [group, rows, columns] : shapes()) {
    for (std::size_t i = 0; i + 1 < group->tiles.size(); ++i) {
      EXPECT_EQ(group->tiles[i].macs, 4 << 20);
      EXPECT_EQ(group->tiles[i].busiest_rows, 1024);
    }
    const auto left = rows * columns - static_cast<std::int64_t>(group->tiles.size() - 1) * (4 << 20);
    EXPECT_EQ(group->tiles.back().busiest_rows, std::min<std::int64_t>(1024, left / 128));
  }
}

TEST_P(TiledShippedModel, FinishesEachColumnOnce) {
  for (const auto& [group, rows, columns] : shapes()) {
    std::int64_t finished = 0;
    for (const auto& tile : group->tiles) finished += tile.finished_columns;
    EXPECT_EQ(finished, columns);
  }
}

TEST_P(TiledShippedModel, HandsPartialSumsFromCoreToCoreUntilTheStripIsDone) {
  for (const auto& [group, rows, columns] : shapes()) {
    EXPECT_FALSE(group->tiles.front().takes_partial);
    EXPECT_EQ(group->tiles.back().partial_columns, 0);
    for (std::size_t i = 0; i + 1 < group->tiles.size(); ++i) {
      const auto& tile = group->tiles[i];
      EXPECT_TRUE(tile.partial_columns == 0 || tile.partial_columns == group->strip_columns);
      EXPECT_EQ(tile.partial_columns > 0, group->tiles[i + 1].takes_partial);
      // no column begins and none ends in the middle of a strip
      EXPECT_EQ(tile.partial_waits, tile.takes_partial && tile.partial_columns > 0 &&
                                        tile.finished_columns == 0 &&
                                        tile.macs < group->rows * group->strip_columns);
    }
  }
}

TEST_P(TiledShippedModel, SendsEachHeadItsQueriesKeyAndValueOnce) {
  std::map<int, std::pair<int, int>> bytes;  // q, then k and v, of each head
  for (const auto& tile : group(tiled, Matrix::qkv).tiles) {
    for (const auto& slice : tile.slices) {
      EXPECT_EQ(slice.bytes, slice.q_bytes + slice.kv_bytes);
      bytes[slice.consumer].first += slice.q_bytes;
      bytes[slice.consumer].second += slice.kv_bytes;
    }
  }
  ASSERT_EQ(bytes.size(), static_cast<std::size_t>(model.kv_heads));
  const int queries = model.attention_heads / model.kv_heads;
  for (const auto& [head, sums] : bytes) {
    EXPECT_EQ(sums.first, queries * model.head_dim) << "head " << head;
    EXPECT_EQ(sums.second, 2 * model.head_dim) << "head " << head;
  }
}

TEST_P(TiledShippedModel, SendsTheWholeVectorOn) {
  const auto sent = [](const TiledGroup& group) {
    int bytes = 0;
    for (const auto& tile : group.tiles) {
      for (const auto& slice : tile.slices) {
        EXPECT_EQ(slice.consumer, 0);
        bytes += slice.bytes;
      }
    }
    return bytes;
  };
  EXPECT_EQ(sent(group(tiled, Matrix::output)), model.hidden_size);
  EXPECT_EQ(sent(group(tiled, Matrix::gate_up)), model.ffn_size);
  EXPECT_EQ(sent(group(tiled, Matrix::down)), model.hidden_size);
  EXPECT_EQ(sent(tiled.lm_head), kCandidateBytes * tiled.lm_head.senders());
}

/// The core on which a strip of `rows` rows ends, where cores of 32,768 rows are filled without a gap.
std::int64_t last_core_of_strip(std::int64_t strip, std::int64_t rows) {
  return ((strip + 1) * rows - 1) / 32'768;
}

TEST_P(TiledShippedModel, CountsTheSendersOfEachHead) {
  ASSERT_EQ(model.head_dim, 128);  // a strip is one query, key or value
  const auto& qkv = group(tiled, Matrix::qkv);
  const int queries = model.attention_heads / model.kv_heads;
  for (int head = 0; head < model.kv_heads; ++head) {
    std::set<std::int64_t> all, of_queries;
    for (int i = 0; i < queries + 2; ++i) {
      const auto core = last_core_of_strip(head * (queries + 2) + i, model.hidden_size);
      all.insert(core);
      if (i < queries) of_queries.insert(core);
    }
    EXPECT_EQ(qkv.senders_to(head), static_cast<int>(all.size())) << "head " << head;
    EXPECT_EQ(qkv.query_senders_to(head), static_cast<int>(of_queries.size())) << "head " << head;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TiledShippedModel,
                         ::testing::Values(Row{"llama-13b", 77}, Row{"baichuan-13b", 77},
                                           Row{"llama-32b", 129}, Row{"qwen-32b", 117},
                                           Row{"llama-65b", 193}));

// A core of 384 rows of 128 words: 2 crossbars of 192 rows.
wafer::CoreModel small_core() {
  wafer::CoreModel core;
  core.crossbars = 2;
  core.crossbar_rows = 192;
  return core;
}

TEST(Tiling, LetsACoreInTheMiddleOfAStripWaitForTheSumsBeforeIt) {
  // down: 2 strips of 640 rows = 384 | 256 + 128 | 384 | 128
  const auto tiled = tile_model({.layers = 1,
                                 .hidden_size = 256,
                                 .ffn_size = 640,
                                 .attention_heads = 2,
                                 .kv_heads = 2,
                                 .head_dim = 128,
                                 .vocab_size = 256},
                                small_core(), kCandidateBytes);
  const auto& tiles = group(tiled, Matrix::down).tiles;
  ASSERT_EQ(tiles.size(), 4U);
  struct Expected {
    std::int64_t rows;
    int busiest;
    bool takes;
    int partial;
    bool waits;
    int finished;
  };
  const Expected expected[] = {{384, 192, false, 128, false, 0},
                               {384, 192, true, 128, false, 128},
                               {384, 192, true, 128, true, 0},
                               {128, 128, true, 0, false, 128}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(tiles[i].macs, 128 * expected[i].rows) << i;
    EXPECT_EQ(tiles[i].busiest_rows, expected[i].busiest) << i;
    EXPECT_EQ(tiles[i].takes_partial, expected[i].takes) << i;
    EXPECT_EQ(tiles[i].partial_columns, expected[i].partial) << i;
    EXPECT_EQ(tiles[i].partial_waits, expected[i].waits) << i;
    EXPECT_EQ(tiles[i].finished_columns, expected[i].finished) << i;
  }
  EXPECT_EQ(group(tiled, Matrix::down).senders(), 2);
}

TEST(Tiling, SendsNoMoreOutputsThanTheMatrixHas) {
  // 200 columns take two strips, the second in part; 100 columns of each of gate and up take one
  const auto tiled = tile_model({.layers = 1,
                                 .hidden_size = 200,
                                 .ffn_size = 100,
                                 .attention_heads = 2,
                                 .kv_heads = 2,
                                 .head_dim = 100,
                                 .vocab_size = 50},
                                wafer::CoreModel{}, kCandidateBytes);
  for (const auto& [matrix, bytes] :
       {std::pair{Matrix::output, 200}, {Matrix::gate_up, 100}, {Matrix::down, 200}}) {
    ASSERT_EQ(group(tiled, matrix).tiles.size(), 1U);
    ASSERT_EQ(group(tiled, matrix).tiles[0].slices.size(), 1U);
    EXPECT_EQ(group(tiled, matrix).tiles[0].slices[0].bytes, bytes);
  }
  const auto& slices = group(tiled, Matrix::qkv).tiles.at(0).slices;
  ASSERT_EQ(slices.size(), 2U);
  for (const auto& slice : slices) {
    EXPECT_EQ(slice.q_bytes, 100);
    EXPECT_EQ(slice.kv_bytes, 200);
  }
}

TEST(TilesOfLlama13b, SendOverTheHTreeWhatAHandCalculationSays) {
  wafer::CoreModel core;
  core.crossbar_placement = wafer::CrossbarPlacement::in_order;
  const auto tiled = tile_model(shipped_model("llama-13b"), core, kCandidateBytes);
  // Strips of O: 5 crossbars each, from crossbars 0, 5, ... 30 on. The input goes over all edges: 2 and 4 of
  // length 4, 8 and 16 of length 2, 32 of length 1. Of the pairs of crossbars 3 have two strips, of the fours
  // 5, of the eights 2 have two and 2 three, the halves have four each.
  EXPECT_EQ(tiled.of(Matrix::output).tiles.front().htree_bits,
            (2 * 4 + 4 * 4 + 8 * 2 + 16 * 2 + 32) * 8 * 5'120 +
                ((4 + 4) * 4 + (2 * 2 + 2 * 3) * 4 + (8 + 5) * 2 + (16 + 3) * 2 + 32) * 32 * 128);
  // Down: a strip of 13,824 rows ends in the middle of crossbar 13, the next one with crossbar 26. Edges that
  // lead to crossbars 0 to 13, 13 to 26, and 27 to 31, from the root on.
  EXPECT_EQ(
      tiled.of(Matrix::down).tiles.front().htree_bits,
      104 * 8 * 13'824 +
          ((1 + 2 + 1) * 4 + (2 + 3 + 1) * 4 + (4 + 4 + 2) * 2 + (7 + 8 + 3) * 2 + (14 + 14 + 5)) * 32 * 128);
  core.crossbar_placement = wafer::CrossbarPlacement::optimised;
  const auto better = tile_model(shipped_model("llama-13b"), core, kCandidateBytes);
  for (const auto matrix : {Matrix::qkv, Matrix::output, Matrix::gate_up, Matrix::down}) {
    for (std::size_t i = 0; i < tiled.of(matrix).tiles.size(); ++i)
      EXPECT_LE(better.of(matrix).tiles[i].htree_bits, tiled.of(matrix).tiles[i].htree_bits);
  }
}

}  // namespace
}  // namespace ouro::llm
