#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "engine/error.hpp"
#include "llm/kv_controller.hpp"
#include "llm/kv_core.hpp"

namespace ouro::llm {
namespace {

using ::testing::ElementsAre;

constexpr int kPage = 128;

TEST(PrefixCache, EvictsWhatIsUnusedForTheLongestTimeAndTheEndOfAPromptBeforeItsBeginning) {
  PrefixCache cache;
  const std::vector<int> first{cache.add(10, 0, {}), cache.add(11, 1, {}), cache.add(12, 2, {})};
  const std::vector<int> second{cache.add(20, 0, {})};
  EXPECT_EQ(cache.unused(), 0);
  cache.leave(second);
  cache.leave(first);
  EXPECT_EQ(cache.unused(), 4);
  EXPECT_EQ(cache.evict(), second[0]);
  EXPECT_EQ(cache.evict(), first[2]);
  EXPECT_EQ(cache.find(12), std::nullopt);
  cache.use(first[0]);
  EXPECT_EQ(cache.evict(), first[1]);
  EXPECT_EQ(cache.unused(), 0);
  EXPECT_EQ(cache.find(10), first[0]);
}

TEST(PrefixCache, CountsAStretchAsUsedUntilTheLastSequenceLeavesIt) {
  PrefixCache cache;
  const std::array numbers{cache.add(1, 0, {})};
  cache.use(numbers[0]);
  cache.leave(numbers);
  EXPECT_EQ(cache.unused(), 0);
  cache.leave(numbers);
  EXPECT_EQ(cache.unused(), 1);
}

constexpr std::array<std::uint64_t, 2> kKeys{101, 102};

/// 2 heads, stretches of 2 pages; 4 cores of 6 pages: 12 pages of each head.
KvController small() {
  return {{6, 6, 6, 6}, 2, kPage, 4, 2};
}

/// Slot 0 has five pages of each head, of which the first four are cached.
KvController with_two_stretches_of_slot_0() {
  auto kv = small();
  kv.open(0);
  EXPECT_TRUE(kv.grow(0, 5 * kPage));
  EXPECT_EQ(kv.keep(0, 0, kKeys[0]), 0);
  EXPECT_EQ(kv.keep(0, 1, kKeys[1]), 1);
  return kv;
}

TEST(PrefixCache, SharesPagesThatAreCountedOnce) {
  auto kv = with_two_stretches_of_slot_0();
  EXPECT_EQ(kv.pages_used(), 10);
  EXPECT_EQ(kv.cached_stretches(kKeys), 2);
  EXPECT_EQ(kv.cached_stretches(std::array<std::uint64_t, 2>{kKeys[0], 7}), 1);
  kv.open(1);
  EXPECT_THAT(kv.adopt(1, kKeys), ElementsAre(0, 1));
  EXPECT_EQ(kv.pages_used(), 10);
  ASSERT_TRUE(kv.grow(1, 4 * kPage + 1));
  EXPECT_EQ(kv.pages_used(), 12);
  EXPECT_EQ(kv.pages_owned(1), 2);
  for (const int head : {0, 1}) {
    EXPECT_EQ(kv.cores_of_head(1, head, 4 * kPage - 1), kv.cores_of_head(0, head, 4 * kPage - 1));
    EXPECT_EQ(kv.tokens_on_core(1, head, 4 * kPage - 1, kv.extents(0, head).front().core), 4 * kPage);
  }
}

TEST(PrefixCache, KeepsPagesUntilRoomIsNeededAndGivesNoneThatAreUsed) {
  auto kv = with_two_stretches_of_slot_0();
  kv.release(0);
  EXPECT_EQ(kv.pages_used(), 8);
  EXPECT_EQ(kv.pages_cached(), 8);
  EXPECT_EQ(kv.pages_available(), 24);
  EXPECT_EQ(kv.available_pages_of(kKeys), 8);
  kv.open(1);
  kv.adopt(1, std::span{kKeys}.first(1));
  EXPECT_EQ(kv.available_pages_of(std::span{kKeys}.first(1)), 0);
  EXPECT_EQ(kv.pages_available(), 20);
  ASSERT_TRUE(kv.grow(1, 10 * kPage));  // 16 more, and as many are free
  EXPECT_THAT(kv.take_evicted(), ElementsAre());
  ASSERT_TRUE(kv.grow(1, 11 * kPage));
  EXPECT_THAT(kv.take_evicted(), ElementsAre(1));
  EXPECT_EQ(kv.cached_stretches(kKeys), 1);
  ASSERT_TRUE(kv.grow(1, 12 * kPage));
  EXPECT_FALSE(kv.grow(1, 13 * kPage));
  kv.release(1);
  EXPECT_EQ(kv.pages_used(), kv.pages_cached());
  EXPECT_EQ(kv.pages_cached(), 4);
}

TEST(PrefixCache, LeavesAStretchThatAnotherSequenceKeptFirstToItsOwner) {
  auto kv = with_two_stretches_of_slot_0();
  kv.open(1);
  ASSERT_TRUE(kv.grow(1, 4 * kPage));
  EXPECT_EQ(kv.keep(1, 0, kKeys[0]), std::nullopt);
  EXPECT_EQ(kv.keep(1, 1, 999), 2);  // behind it, one that nobody else has
  kv.release(1);
  EXPECT_EQ(kv.pages_used(), 10 + 4);
  kv.release(0);
  EXPECT_EQ(kv.pages_used(), 8 + 4);
  EXPECT_EQ(kv.pages_cached(), 8 + 4);
}

constexpr int kCrossbars = 32;

const KvCore::Entry& write(KvCore& core, std::uint16_t slot, int first_token, int end) {
  for (int token = first_token; token + 1 < end; ++token) core.write(slot, 0, token / kPage);
  return core.write(slot, 0, (end - 1) / kPage);
}

TEST(KvCore, SharesBlocksAndFreesThemWithTheLastThatHasThem) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 0, 0, 3 * kPage);
  core.keep(0, 7, 0, 2);
  EXPECT_EQ(core.blocks_used(), 6);
  core.adopt(1, 7);
  EXPECT_EQ(core.blocks_used(), 6);
  const auto& entry = *core.read(1, 0);
  EXPECT_EQ(entry.tokens, 2 * kPage);
  EXPECT_EQ(entry.k_blocks,
            (std::vector<std::uint16_t>{core.read(0, 0)->k_blocks[0], core.read(0, 0)->k_blocks[1]}));
  core.release(0);
  EXPECT_EQ(core.blocks_used(), 4);
  core.drop(7);
  EXPECT_EQ(core.blocks_used(), 4);
  EXPECT_FALSE(core.is_idle());
  core.release(1);
  EXPECT_EQ(core.blocks_used(), 0);
  EXPECT_TRUE(core.is_idle());
}

TEST(KvCore, ReadsSharedPagesAsFastAsIfTheSequenceHadWrittenThemItself) {
  KvCore shared{{}, kCrossbars, {}};
  KvCore own{{}, kCrossbars, {}};
  write(shared, 0, 0, 20 * kPage);
  shared.keep(0, 1, 0, 10);
  shared.keep(0, 2, 10, 10);
  shared.release(0);
  shared.adopt(5, 1);
  shared.adopt(5, 2);
  const auto& alone = write(own, 5, 0, 20 * kPage + 1);
  const auto& entry = write(shared, 5, 20 * kPage, 20 * kPage + 1);
  EXPECT_EQ(entry.tokens, alone.tokens);
  EXPECT_EQ(entry.k_rows, alone.k_rows);
  EXPECT_EQ(entry.v_rows, alone.v_rows);
  EXPECT_EQ(entry.v_rows_below, alone.v_rows_below);
}

TEST(KvCore, NeverWritesIntoASharedBlock) {
  KvCore core{{}, kCrossbars, {}};
  write(core, 0, 0, 2 * kPage);
  core.keep(0, 1, 0, 2);
  core.adopt(1, 1);
  write(core, 0, 2 * kPage, 2 * kPage + 9);
  const auto other = core.read(0, 0)->v_blocks;
  const auto& entry = write(core, 1, 2 * kPage, 2 * kPage + 9);
  ASSERT_EQ(entry.v_blocks.size(), 3U);
  EXPECT_EQ(entry.v_blocks[1], other[1]);
  EXPECT_NE(entry.v_blocks[2], other[2]);
  EXPECT_NE(entry.k_blocks[2], core.read(0, 0)->k_blocks[2]);
}

}  // namespace
}  // namespace ouro::llm
