#include <gtest/gtest.h>

#include "wafer/core_model.hpp"

namespace ouro::wafer {
namespace {

using engine::Duration;

constexpr Duration kCycle{1000};

TEST(CoreModel, HoldsFourMebibytesIn256LogicalBlocks) {  // docs/design.md
  const CoreModel core;
  EXPECT_EQ(core.bytes(), 4 << 20);
  EXPECT_EQ(core.word_rows(), 32 * 1024);
  EXPECT_EQ(core.kv_blocks_of_crossbar(), 8);
  EXPECT_EQ(core.kv_blocks(), 256);
}

TEST(CoreModel, NeedsEightCyclesForEachStartedGroupOf32Rows) {  // docs/design.md: ceil(k / 32) x 8
  const CoreModel core;
  EXPECT_EQ(core.crossbar_pass(0), 0 * kCycle);
  EXPECT_EQ(core.crossbar_pass(1), 8 * kCycle);
  EXPECT_EQ(core.crossbar_pass(32), 8 * kCycle);
  EXPECT_EQ(core.crossbar_pass(33), 16 * kCycle);
  EXPECT_EQ(core.crossbar_pass(128), 32 * kCycle);
  EXPECT_EQ(core.crossbar_pass(1024), 256 * kCycle);
}

TEST(CoreModel, HasThePeakOfThePaper) {  // docs/design.md: 16,384 MAC a cycle
  const CoreModel core;
  EXPECT_EQ(core.bytes() / (core.crossbar_pass(core.crossbar_rows) / kCycle), 16'384);
}

TEST(CoreModel, StreamsThroughTheHTreeAfterItsFiveLevels) {
  const CoreModel core;
  EXPECT_EQ(core.htree(1), 5 * kCycle);
  EXPECT_EQ(core.htree(1024), 5 * kCycle);
  EXPECT_EQ(core.htree(1025), 6 * kCycle);
  EXPECT_EQ(core.htree(32 * 4096), (5 + 127) * kCycle);  // the sums of 32 crossbars
}

TEST(CoreModel, StartsAnSfuOperationOn64ElementsEachCycle) {
  const CoreModel core;
  EXPECT_EQ(core.sfu(1), 8 * kCycle);
  EXPECT_EQ(core.sfu(64), 8 * kCycle);
  EXPECT_EQ(core.sfu(65), 9 * kCycle);
  EXPECT_EQ(core.sfu(5120), (8 + 79) * kCycle);
}

TEST(CoreModel, ScalesWithItsClock) {
  CoreModel core;
  core.cycle = Duration{3333};
  core.htree_level_latency = 2 * core.cycle;
  EXPECT_EQ(core.crossbar_pass(64), 16 * Duration{3333});
  EXPECT_EQ(core.htree(2048), (2 * 5 + 1) * Duration{3333});
  EXPECT_EQ(core.sfu(128), 9 * Duration{3333});
}

TEST(CoreModel, IsSlowerByTheInputBitsAndFasterByTheRowsAtOnce) {
  CoreModel core;
  core.input_bits = 4;
  core.rows_at_once = 128;
  EXPECT_EQ(core.crossbar_pass(129), 2 * 4 * kCycle);
}

}  // namespace
}  // namespace ouro::wafer
