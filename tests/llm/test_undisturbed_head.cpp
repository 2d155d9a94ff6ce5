#include <gtest/gtest.h>

#include "llm/undisturbed_head.hpp"

namespace ouro::llm {
namespace {

using namespace std::chrono_literals;

// The default core at 1 GHz, where a cycle is a nanosecond; the formulas are in docs/design.md, section 6.

TEST(UndisturbedHead, TakesHalvesOfAHeadOf256AtOnce) {
  UndisturbedHead head{{}, 32, {1, 256, 256}};
  const auto one = head.work(1);
  EXPECT_EQ(one.score.time, 32ns + 5ns);          // P(128), H(32)
  EXPECT_EQ(one.values.time, 8ns + (5ns + 7ns));  // P(1), H(8,192)
  const auto many = head.work(200);
  EXPECT_EQ(many.score.time, 32ns + (5ns + 6ns));   // H(6,400)
  EXPECT_EQ(many.values.time, 56ns + (5ns + 7ns));  // P(200)
  EXPECT_EQ(many.score.macs, 256 * 200);
}

TEST(UndisturbedHead, TakesTwoRowsOfBlocksWhereKFillsMoreThanTheCrossbars) {
  UndisturbedHead head{{}, 32, {2, 256, 256}};
  EXPECT_EQ(head.work(8 * 128).score.time, 2 * (32ns + (5ns + 31ns)));
  EXPECT_EQ(head.work(8 * 128 + 1).score.time, 2 * (64ns + (5ns + 32ns)));
  EXPECT_EQ(head.work(8 * 128 + 1).values.time, 2 * (256ns + (5ns + 7ns)));  // V goes on in other crossbars
}

TEST(UndisturbedHead, HasAsManyKeysButFewerValuesWhereVIsNarrower) {
  UndisturbedHead head{{}, 32, {16, 576, 512}};
  const auto work = head.work(3);
  EXPECT_EQ(work.score.time, 16 * (32ns + 5ns));
  EXPECT_EQ(work.score.macs, 16 * 576 * 3);
  EXPECT_EQ(work.score.htree_bits, 13 * 16 * (8 * 576 + 32 * 3));
  EXPECT_EQ(work.values.time, 16 * (8ns + (5ns + 15ns)));
  EXPECT_EQ(work.values.macs, 16 * 512 * 3);
  EXPECT_EQ(work.values.htree_bits, 13 * 16 * (8 * 3 + 32 * 512));
}

}  // namespace
}  // namespace ouro::llm
