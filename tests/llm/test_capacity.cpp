#include <gtest/gtest.h>

#include <cmath>
#include <ostream>

#include "llm/capacity.hpp"
#include "llm/model_import.hpp"

namespace ouro::llm {
namespace {

/// A row of docs/design.md; the tokens that fit are given there to three figures.
struct TableRow {
  const char* model;
  int wafers;
  double block_megabytes;
  std::int64_t cores_per_block;
  std::int64_t cores;
  std::int64_t free_cores;
  std::int64_t kv_bytes;
  double kv_tokens;
  int stages;
};

constexpr TableRow kTable[] = {
    {"llama-13b", 1, 317.2, 77, 3'080, 10'843, 409'600, 111'000, 240},
    {"baichuan-13b", 1, 315.2, 77, 3'080, 10'843, 409'600, 111'000, 240},
    {"llama-32b", 1, 535.0, 129, 7'740, 6'183, 798'720, 32'500, 360},
    {"qwen-32b", 1, 483.7, 117, 7'488, 6'435, 131'072, 206'000, 384},
    {"llama-65b", 2, 809.5, 193, 15'440, 12'406, 1'310'720, 39'700, 480},
};

void PrintTo(const TableRow& row, std::ostream* out) {
  *out << row.model;
}

WaferCapacity wafers(int count) {
  WaferCapacity capacity;
  capacity.cores *= count;
  return capacity;
}

double to_three_figures(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  return std::round(value / unit) * unit;
}

class CapacityTable : public ::testing::TestWithParam<TableRow> {};

TEST_P(CapacityTable, IsReproducedInEveryColumn) {
  const TableRow& row = GetParam();
  const auto model = shipped_model(row.model);
  const auto capacity = wafers(row.wafers);

  EXPECT_NEAR(block_weight_bytes(model) * 1e-6, row.block_megabytes, 0.05);  // printed to one decimal
  EXPECT_EQ(weight_cores_of_block(model, capacity), row.cores_per_block);
  EXPECT_EQ(weight_cores(model, capacity), row.cores);
  EXPECT_EQ(free_cores(model, capacity), row.free_cores);
  EXPECT_EQ(kv_bytes_per_token(model), row.kv_bytes);
  EXPECT_EQ(to_three_figures(kv_tokens_that_fit(model, capacity)), row.kv_tokens);
  EXPECT_EQ(pipeline_stages(model), row.stages);
  EXPECT_EQ(cores_lacking(model, capacity), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, CapacityTable, ::testing::ValuesIn(kTable));

TEST(Capacity, CutsABlockIntoMatricesWithAllOfItsWeights) {
  const auto model = shipped_model("qwen-32b");
  std::int64_t weights = 0;
  for (const auto& group : block_matrices(model, 0)) weights += group.rows * group.columns;
  EXPECT_EQ(weights, block_weight_bytes(model));
}

TEST(Capacity, PutsTheMatricesOfAllHeadsIntoTheSameCores) {
  const auto model = shipped_model("deepseek-v2-lite");
  // QKV of 3,648 columns, head keys of 16 x 4 strips of 128 rows, head values of 16 strips of 512, O
  const int attention = 2 + 1 + 1 + 1;
  EXPECT_EQ(weight_cores_of_block(model, {}, 0), attention + 11 + 6);  // a dense FFN of 10,944
  EXPECT_EQ(weight_cores_of_block(model, {}, 1), attention + 1 + 66 * (2 + 1));
  EXPECT_EQ(free_cores(model, {}), 13'923 - 22 - 26 * 204);
  // a vector of 512 + 64 is stored as a key, 512 of it as a value, too
  EXPECT_EQ(kv_tokens_that_fit(model, {}), 8'597 * 4'194'304LL / (27 * 1'088));
}

TEST(Capacity, FillsACoreToItsLastRowBeforeTheNext) {
  const WaferCapacity wafer;
  EXPECT_EQ(cores_for({"", 1024, 4096}, wafer), 1);
  EXPECT_EQ(cores_for({"", 512, 8192}, wafer), 1);  // two strips share a crossbar
  EXPECT_EQ(cores_for({"", 1025, 4096}, wafer), 2);
  EXPECT_EQ(cores_for({"", 1024, 4097}, wafer), 2);
}

TEST(Capacity, CountsTheCoresThatLlama65bLacksOnOneWafer) {
  // 15,440 for the blocks and ceil(250 strips x 8,192 rows / 32,768) = 63 for the LM head
  EXPECT_EQ(cores_lacking(shipped_model("llama-65b"), wafers(1)), 15'440 + 63 - 13'923);
  EXPECT_EQ(free_cores(shipped_model("llama-65b"), wafers(1)), 0);
  EXPECT_EQ(kv_tokens_that_fit(shipped_model("llama-65b"), wafers(1)), 0);
}

TEST(Capacity, LacksNothingAtTheLastCoreAndOneCoreBelowIt) {
  const auto model = shipped_model("llama-13b");
  // ceil(250 strips x 5,120 rows / 32,768) = 40
  EXPECT_EQ(cores_lacking(model, {.cores = 3'080 + 40}), 0);
  EXPECT_EQ(cores_lacking(model, {.cores = 3'080 + 39}), 1);
}

}  // namespace
}  // namespace ouro::llm
