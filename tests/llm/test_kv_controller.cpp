#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "engine/error.hpp"
#include "llm/kv_controller.hpp"

namespace ouro::llm {

static bool operator==(const KvExtent& a, const KvExtent& b) {
  return a.core == b.core && a.first_page == b.first_page;
}

static void PrintTo(const KvExtent& extent, std::ostream* out) {
  *out << "core " << extent.core << " from page " << extent.first_page;
}

namespace {

using ::testing::ElementsAre;

constexpr int kPageTokens = 128;

KvController ring(int cores, int pages_of_core, int heads) {
  return {std::vector<int>(static_cast<std::size_t>(cores), pages_of_core), heads, kPageTokens, 4};
}

TEST(KvController, PutsHeadsOnConsecutiveCoresAndStartsWhereTheSequenceBeforeEnded) {
  auto kv = ring(5, 10, 3);
  for (const int slot : {0, 1, 2}) {
    kv.open(slot);
    ASSERT_TRUE(kv.grow(slot, 1));
  }
  const auto cores = [&](int slot) {
    std::vector<int> first;
    first.reserve(3);
    for (int head = 0; head < 3; ++head) first.push_back(kv.extents(slot, head).front().core);
    return first;
  };
  EXPECT_THAT(cores(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(cores(1), ElementsAre(3, 4, 0));
  EXPECT_THAT(cores(2), ElementsAre(1, 2, 3));
}

TEST(KvController, TakesAPageForEachStarted128TokensOfEachHead) {
  auto kv = ring(5, 10, 3);
  EXPECT_EQ(kv.pages_for(1), 3);
  EXPECT_EQ(kv.pages_for(128), 3);
  EXPECT_EQ(kv.pages_for(129), 6);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 128));
  EXPECT_EQ(kv.pages_used(), 3);
  ASSERT_TRUE(kv.grow(0, 129));
  EXPECT_EQ(kv.pages_of(0), 2);
  EXPECT_EQ(kv.pages_used(), 6);
  EXPECT_EQ(kv.pages_free(), 5 * 10 - 6);
}

TEST(KvController, KeepsAHeadOnItsCoreWhileThatHasAPageAndGoesOnAtTheNextThatHasOne) {
  auto kv = ring(4, 2, 1);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 1));  // a page of core 0
  kv.open(1);
  ASSERT_TRUE(kv.grow(1, 2 * kPageTokens));  // all of core 1
  ASSERT_TRUE(kv.grow(0, 3 * kPageTokens));  // core 0 has one more page, core 1 none
  EXPECT_THAT(kv.extents(0, 0), ElementsAre(KvExtent{0, 0}, KvExtent{2, 2}));
  EXPECT_THAT(kv.extents(1, 0), ElementsAre(KvExtent{1, 0}));
}

TEST(KvController, GivesCoresInTurnAroundTheRing) {
  auto kv = ring(3, 1, 1);
  kv.open(0);
  kv.open(1);  // starts at core 1
  ASSERT_TRUE(kv.grow(1, 3 * kPageTokens));
  EXPECT_THAT(kv.extents(1, 0), ElementsAre(KvExtent{1, 0}, KvExtent{0, 1}, KvExtent{2, 2}));
}

TEST(KvController, PassesOverCoresThatHoldNoPages) {
  KvController kv{{1, 0, 2, 0}, 2, kPageTokens, 4};
  EXPECT_EQ(kv.pages_total(), 3);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 1));
  EXPECT_THAT(kv.extents(0, 0), ElementsAre(KvExtent{0, 0}));
  EXPECT_THAT(kv.extents(0, 1), ElementsAre(KvExtent{2, 0})) << "core 1 holds nothing";
  EXPECT_FALSE(kv.grow(0, kPageTokens + 1)) << "one page is left, and two are needed";
}

TEST(KvController, SpreadsHeadsThatFindTheirCoresFullOverTheOthers) {
  KvController kv{{1, 1, 1, 3, 3, 3}, 3, kPageTokens, 4};
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 2 * kPageTokens));
  EXPECT_THAT(kv.extents(0, 0), ElementsAre(KvExtent{0, 0}, KvExtent{3, 1}));
  EXPECT_THAT(kv.extents(0, 1), ElementsAre(KvExtent{1, 0}, KvExtent{4, 1}));
  EXPECT_THAT(kv.extents(0, 2), ElementsAre(KvExtent{2, 0}, KvExtent{5, 1}));
}

TEST(KvController, StartsNoHeadAtAFragmentButLetsHeadsGoOnThere) {
  KvController kv{{1, 2, 5}, 1, kPageTokens, 4, 1, 1};  // core 2 is a fragment
  EXPECT_EQ(kv.pages_total(), 8);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 4 * kPageTokens));
  EXPECT_THAT(kv.extents(0, 0), ElementsAre(KvExtent{0, 0}, KvExtent{1, 1}, KvExtent{2, 3}));
  kv.open(1);  // at core 1, which is full
  ASSERT_TRUE(kv.grow(1, 1));
  EXPECT_THAT(kv.extents(1, 0), ElementsAre(KvExtent{2, 0}));
  kv.release(0);
  kv.open(2);
  ASSERT_TRUE(kv.grow(2, 1));
  EXPECT_THAT(kv.extents(2, 0), ElementsAre(KvExtent{0, 0}));
}

TEST(KvController, RefusesGrowthBeyondItsPagesAndChangesNothing) {
  auto kv = ring(3, 2, 2);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, kPageTokens));
  EXPECT_FALSE(kv.grow(0, 3 * kPageTokens + 1));  // 8 of 6 pages
  EXPECT_EQ(kv.pages_of(0), 1);
  EXPECT_EQ(kv.pages_used(), 2);
  EXPECT_THAT(kv.extents(0, 0), ElementsAre(KvExtent{0, 0}));
  EXPECT_THAT(kv.extents(0, 1), ElementsAre(KvExtent{1, 0}));
  EXPECT_TRUE(kv.grow(0, 3 * kPageTokens));  // all
  EXPECT_EQ(kv.pages_free(), 0);
}

TEST(KvController, OpensNoSlotThatHoldsPages) {
  auto kv = ring(3, 2, 2);
  kv.open(0);
  ASSERT_TRUE(kv.grow(0, 1));
  EXPECT_THROW(kv.open(0), engine::ContractError);
  kv.release(0);
  EXPECT_NO_THROW(kv.open(0));
}

/// The same rules page by page: the core of each page of each head, found by walking the ring.
class PageByPage {
 public:
  PageByPage(const std::vector<int>& pages_of_core, int fragments, int heads, int slots)
      : cores_{static_cast<int>(pages_of_core.size()) - fragments},
        heads_{heads},
        free_{pages_of_core},
        slots_(static_cast<std::size_t>(slots)) {}

  void open(int slot) {
    at(slot) = {next_start_, std::vector<std::vector<int>>(static_cast<std::size_t>(heads_))};
    next_start_ = (next_start_ + heads_) % cores_;
  }

  bool grow(int slot, int tokens) {
    const int pages = (tokens + kPageTokens - 1) / kPageTokens;
    const int held = static_cast<int>(at(slot).heads[0].size());
    if ((pages - held) * heads_ > pages_free()) return false;
    for (int page = held; page < pages; ++page) {
      for (int head = 0; head < heads_; ++head) {
        auto& cores = at(slot).heads[static_cast<std::size_t>(head)];
        int core = page == 0 ? (at(slot).start + head) % cores_ : cores.back();
        core = core_with_room(core);
        --free_[static_cast<std::size_t>(core)];
        cores.push_back(core);
      }
    }
    return true;
  }

  void release(int slot) {
    for (auto& cores : at(slot).heads) {
      for (const int core : cores) ++free_[static_cast<std::size_t>(core)];
      cores.clear();
    }
  }

  int pages_free() const {
    int sum = 0;
    for (const int pages : free_) sum += pages;
    return sum;
  }
  const std::vector<int>& cores_of(int slot, int head) const {
    return slots_[static_cast<std::size_t>(slot)].heads[static_cast<std::size_t>(head)];
  }

 private:
  struct Slot {
    int start = 0;
    std::vector<std::vector<int>> heads;
  };
  Slot& at(int slot) { return slots_[static_cast<std::size_t>(slot)]; }

  /// The wanted one, or the next one whose turn it is around the whole ring.
  int core_with_room(int wanted) {
    const auto is_full = [this](int c) { return free_[static_cast<std::size_t>(c)] == 0; };
    if (!is_full(wanted)) return wanted;
    const auto next = [this](int core) { return (core + 1) % static_cast<int>(free_.size()); };
    int core = turn_;
    while (is_full(core)) core = next(core);
    turn_ = next(core);
    return core;
  }

  int turn_ = 0;  // where heads that find their core full look first
  int cores_;     // without fragments
  int heads_;
  int next_start_ = 0;
  std::vector<int> free_;
  std::vector<Slot> slots_;
};

std::vector<int> cores_page_by_page(const KvController& kv, int slot, int head) {
  std::vector<int> cores;
  const auto extents = kv.extents(slot, head);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const int end = i + 1 < extents.size() ? extents[i + 1].first_page : kv.pages_of(slot);
    EXPECT_EQ(extents[i].first_page, static_cast<int>(cores.size()));
    EXPECT_GT(end, extents[i].first_page) << "an extent holds a page at least";
    cores.resize(static_cast<std::size_t>(end), extents[i].core);
  }
  return cores;
}

class KvOperations : public ::testing::TestWithParam<unsigned> {};

TEST_P(KvOperations, AgreeWithAModelThatKeepsPagesOneByOne) {
  std::mt19937 random{GetParam()};
  const auto up_to = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)) + 1; };
  const int heads = up_to(5);
  std::vector<int> pages_of_core;
  for (int cores = up_to(9); cores > 0; --cores) pages_of_core.push_back(up_to(7) - 1);
  pages_of_core.front() += heads;  // whatever the rest, a sequence has a page
  constexpr int kSlots = 6;
  const int fragments = up_to(static_cast<int>(pages_of_core.size())) - 1;
  KvController kv{pages_of_core, heads, kPageTokens, kSlots, 1, fragments};
  PageByPage model{pages_of_core, fragments, heads, kSlots};
  std::vector<int> tokens(kSlots, 0);  // 0: closed
  int refused = 0;

  for (int i = 0; i < 600; ++i) {
    const int slot = up_to(kSlots) - 1;
    auto& held = tokens[static_cast<std::size_t>(slot)];
    if (held > 0 && up_to(4) == 1) {
      kv.release(slot);
      model.release(slot);
      held = 0;
    } else {
      if (held == 0) {
        kv.open(slot);
        model.open(slot);
      }
      const int wanted = held + up_to(3 * kPageTokens);
      const bool grown = kv.grow(slot, wanted);
      ASSERT_EQ(grown, model.grow(slot, wanted)) << "operation " << i;
      if (!grown) ++refused;
      if (grown) held = wanted;
    }
    ASSERT_EQ(kv.pages_free(), model.pages_free()) << "operation " << i;
    ASSERT_EQ(kv.pages_used() + kv.pages_free(), kv.pages_total());
    for (int head = 0; head < heads && tokens[static_cast<std::size_t>(slot)] > 0; ++head) {
      ASSERT_EQ(cores_page_by_page(kv, slot, head), model.cores_of(slot, head)) << "operation " << i;
    }
  }
  EXPECT_GT(refused, 0) << "the memory was never full";

  for (int slot = 0; slot < kSlots; ++slot) kv.release(slot);
  EXPECT_EQ(kv.pages_used(), 0);
  kv.open(0);
  EXPECT_TRUE(kv.grow(0, kPageTokens * (kv.pages_total() / heads))) << "pages were lost";
}

INSTANTIATE_TEST_SUITE_P(Seeds, KvOperations, ::testing::Range(0U, 30U));

}  // namespace
}  // namespace ouro::llm
