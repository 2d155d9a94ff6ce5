#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "engine/error.hpp"
#include "llm/kv_core.hpp"

namespace ouro::llm {
namespace {

using Entry = KvCore::Entry;

// The default core: 32 crossbars of 8 blocks; K in crossbars 0 to 15, V in 16 to 31; a page is 128 tokens.
constexpr int kCrossbars = 32;
constexpr int kBlocksOfCrossbar = 8;
constexpr int kPage = 128;

int crossbar(int block) {
  return block / kBlocksOfCrossbar;
}

const Entry& write(KvCore& core, int slot, int head, int tokens) {
  for (int i = 1; i < tokens; ++i)
    core.write(static_cast<std::uint16_t>(slot), static_cast<std::uint16_t>(head));
  return core.write(static_cast<std::uint16_t>(slot), static_cast<std::uint16_t>(head));
}

TEST(KvCore, PutsTheKBlocksOfAHeadIntoCrossbarsOfTheirOwn) {
  KvCore core{{}, kCrossbars, {}};
  const auto& entry = write(core, 0, 0, 16 * kPage);
  std::set<int> crossbars;
  for (const auto block : entry.k_blocks) crossbars.insert(crossbar(block));
  ASSERT_EQ(entry.k_blocks.size(), 16U);
  EXPECT_EQ(crossbars.size(), 16U);
  EXPECT_EQ(*crossbars.rbegin(), 15);
  EXPECT_EQ(entry.k_rows, 128);
  EXPECT_EQ(write(core, 0, 0, 1).k_rows, 256);  // the 17th page has no crossbar of its own left
}

TEST(KvCore, IsAfterARewindWhatItWasBefore) {
  for (const auto& head : {HeadShape{}, HeadShape{1, 576, 512}}) {
    for (const int stay : {1, 5, kPage - 1, kPage, kPage + 1, 2 * kPage, 9 * kPage + 3}) {
      KvCore once{{}, kCrossbars, head}, again{{}, kCrossbars, head};
      const auto expected = write(once, 0, 0, stay);
      write(again, 0, 0, stay);
      write(again, 0, 0, 3 * kPage);
      again.rewind(0, 0, stay);
      const auto& found = *again.read(0, 0);
      EXPECT_EQ(found.tokens, stay);
      EXPECT_EQ(found.k_rows, expected.k_rows) << stay;
      EXPECT_EQ(found.v_rows, expected.v_rows) << stay;
      EXPECT_EQ(found.v_rows_below, expected.v_rows_below) << stay;
      EXPECT_EQ(found.v_beside, expected.v_beside) << stay;
      EXPECT_EQ(found.k_blocks, expected.k_blocks) << stay;
      EXPECT_EQ(found.v_blocks, expected.v_blocks) << stay;
      EXPECT_EQ(found.pages, expected.pages) << stay;
      EXPECT_EQ(again.blocks_used(), once.blocks_used()) << stay;
    }
  }
}

TEST(KvCore, RewoundToNothingIsIdleAndNeverGoesForward) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 3, 1, 200);
  EXPECT_THROW(core.rewind(3, 1, 201), engine::ContractError);
  core.rewind(3, 1, 0);
  EXPECT_TRUE(core.is_idle());
  EXPECT_EQ(core.blocks_used(), 0);
}

TEST(KvCore, PutsTheVBlocksOfAHeadIntoTheSameCrossbarUntilThatIsFull) {
  KvCore core{{}, kCrossbars, {}};
  const auto& eight = write(core, 0, 0, 8 * kPage);
  ASSERT_EQ(eight.v_blocks.size(), 8U);
  std::set<int> crossbars;
  for (const auto block : eight.v_blocks) crossbars.insert(crossbar(block));
  EXPECT_EQ(crossbars.size(), 1U);
  EXPECT_GE(*crossbars.begin(), 16);
  EXPECT_EQ(eight.v_rows, 1024);

  const auto& nine = write(core, 0, 0, 1);
  EXPECT_NE(crossbar(nine.v_blocks.back()), *crossbars.begin());
  EXPECT_EQ(nine.v_rows, 1024);  // of the fullest
}

TEST(KvCore, ReadsAsManyVRowsAsThereAreTokensInACrossbar) {
  KvCore core{{}, kCrossbars, {}};
  for (int tokens = 1; tokens <= 8 * kPage; ++tokens) ASSERT_EQ(write(core, 0, 0, 1).v_rows, tokens);
}

TEST(KvCore, StartsHeadsInTheEmptiestCrossbars) {
  KvCore core{{}, kCrossbars, {}};
  std::set<int> k, v;
  for (int head = 0; head < 16; ++head) {
    const auto& entry = write(core, 0, head, 1);
    k.insert(crossbar(entry.k_blocks.front()));
    v.insert(crossbar(entry.v_blocks.front()));
  }
  EXPECT_EQ(k.size(), 16U);
  EXPECT_EQ(v.size(), 16U);
}

TEST(KvCore, TakesBlocksWhenAPageBeginsOnly) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 0, 0, 1);
  EXPECT_EQ(core.blocks_used(), 2);
  write(core, 0, 0, kPage - 1);
  EXPECT_EQ(core.blocks_used(), 2);
  write(core, 0, 0, 1);
  EXPECT_EQ(core.blocks_used(), 4);
}

TEST(KvCore, Holds128PagesAndNotOneMore) {
  KvCore core{{}, kCrossbars, {}};
  for (int head = 0; head < 128; ++head) ASSERT_NO_THROW(write(core, 0, head, kPage));
  EXPECT_EQ(core.blocks_used(), 256);
  EXPECT_THROW(write(core, 0, 128, 1), engine::ContractError);
}

TEST(KvCore, Holds128PagesOfOneHead) {
  KvCore core{{}, kCrossbars, {}};
  ASSERT_NO_THROW(write(core, 0, 0, 128 * kPage));
  EXPECT_EQ(core.blocks_used(), 256);
  EXPECT_THROW(write(core, 0, 0, 1), engine::ContractError);
}

TEST(KvCore, HoldsHalfThePagesOfAHeadThatIsTwoBlocksWide) {
  KvCore core{{}, kCrossbars, {1, 256, 256}};
  ASSERT_NO_THROW(write(core, 0, 0, 64 * kPage));
  EXPECT_EQ(core.blocks_used(), 256);
}

TEST(KvCore, HoldsAsManyPagesAsItsCrossbarsHave) {
  KvCore core{{}, 4, {}};  // K in two of them, V in the other two
  const auto& entry = write(core, 0, 0, 16 * kPage);
  for (const auto block : entry.k_blocks) EXPECT_LT(crossbar(block), 2);
  for (const auto block : entry.v_blocks) EXPECT_GE(crossbar(block), 2);
  EXPECT_EQ(entry.k_rows, 8 * 128) << "K blocks have two crossbars to work in";
  EXPECT_EQ(core.blocks_used(), 32);
  EXPECT_THROW(core.write(1, 0), engine::ContractError);
}

TEST(KvCore, SpreadsTheBlocksOfAWideHeadOverCrossbarsThatWorkAtOnce) {
  KvCore core{{}, kCrossbars, {1, 576, 512}};
  const auto& one = write(core, 0, 0, 1);
  ASSERT_EQ(one.k_blocks.size(), 5U);  // 4 x 128 + 64 rows
  ASSERT_EQ(one.v_blocks.size(), 4U);
  EXPECT_EQ(one.k_rows, 128);
  EXPECT_EQ(one.v_rows, 1);
  std::set<int> crossbars;
  for (const auto block : one.v_blocks) crossbars.insert(crossbar(block));
  EXPECT_EQ(crossbars.size(), 4U);

  EXPECT_EQ(write(core, 0, 0, 3 * kPage - 1).k_rows, 128);  // 15 blocks in 16 crossbars
  const auto& four = write(core, 0, 0, kPage);
  EXPECT_EQ(four.k_rows, 256);  // crossbars 15, 0, 1, 2, 3
  EXPECT_EQ(four.v_rows, 4 * kPage);
  EXPECT_EQ(core.blocks_used(), 4 * 9);
}

TEST(KvCore, CountsARowGroupForEachVBlockThatSharesACrossbar) {
  wafer::CoreModel two;
  two.crossbars = 2;  // one for K, one for V
  KvCore core{two, 2, {1, 160, 256}};
  EXPECT_EQ(write(core, 0, 0, 1).k_rows, 128 + 32);
  EXPECT_EQ(write(core, 0, 0, 32).v_rows, 2 * 64);  // 33 tokens are 2 groups of 32 rows in each block
  EXPECT_EQ(write(core, 0, 0, kPage).v_rows, 2 * kPage + 2 * 64);
}

TEST(KvCore, HoldsThePagesOfAWideHeadThatItsKHalfHasRoomFor) {
  KvCore core{{}, kCrossbars, {1, 576, 512}};
  ASSERT_NO_THROW(write(core, 0, 0, 25 * kPage));  // 128 K blocks, 5 a page
  EXPECT_EQ(core.blocks_used(), 25 * 9);
  EXPECT_THROW(write(core, 0, 0, 1), engine::ContractError);
}

TEST(KvCore, ReadsWhatWasWrittenAndNothingElse) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 3, 5, 7);
  EXPECT_EQ(core.read(3, 5)->tokens, 7);
  EXPECT_EQ(core.read(3, 4), nullptr);
  EXPECT_EQ(core.read(2, 5), nullptr);
  core.release(3);
  EXPECT_EQ(core.read(3, 5), nullptr);
}

TEST(KvCore, GivesBackTheBlocksOfAllHeadsOfASequence) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 1, 0, 300);
  write(core, 1, 1, 300);
  write(core, 2, 0, 1);
  core.release(1);
  EXPECT_EQ(core.blocks_used(), 2);
  EXPECT_EQ(core.most_blocks_used(), 2 * 2 * 3 + 2);
  EXPECT_EQ(core.read(2, 0)->tokens, 1);
  core.release(1);  // has nothing: many dies are told that do not hold it
  EXPECT_EQ(core.blocks_used(), 2);
}

class KvCoreOperations : public ::testing::TestWithParam<unsigned> {};

TEST_P(KvCoreOperations, KeepBlocksApartAndCountThem) {
  std::mt19937 random{GetParam()};
  KvCore core{{}, kCrossbars, {}};
  std::map<std::pair<int, int>, int> tokens;  // by slot and head
  const auto pages = [&] {
    int sum = 0;
    for (const auto& [key, count] : tokens) sum += (count + kPage - 1) / kPage;
    return sum;
  };
  for (int i = 0; i < 400; ++i) {
    const int slot = static_cast<int>(random() % 8), head = static_cast<int>(random() % 4);
    if (random() % 10 == 0) {
      core.release(static_cast<std::uint16_t>(slot));
      std::erase_if(tokens, [&](const auto& item) { return item.first.first == slot; });
    } else {
      const int more = 1 + static_cast<int>(random() % 300);
      if (pages() + more / kPage + 1 > 128) continue;  // the controllers would not give it
      write(core, slot, head, more);
      tokens[{slot, head}] += more;
    }
    ASSERT_EQ(core.blocks_used(), 2 * pages());
    std::set<int> blocks;
    for (const auto& [key, count] : tokens) {
      const auto& entry =
          *core.read(static_cast<std::uint16_t>(key.first), static_cast<std::uint16_t>(key.second));
      ASSERT_EQ(entry.tokens, count);
      for (const auto block : entry.k_blocks) {
        ASSERT_LT(crossbar(block), 16);
        ASSERT_TRUE(blocks.insert(block).second) << "a block has two owners";
      }
      for (const auto block : entry.v_blocks) {
        ASSERT_GE(crossbar(block), 16);
        ASSERT_TRUE(blocks.insert(block).second) << "a block has two owners";
      }
    }
    ASSERT_EQ(static_cast<int>(blocks.size()), core.blocks_used());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KvCoreOperations, ::testing::Range(0U, 20U));

}  // namespace
}  // namespace ouro::llm
