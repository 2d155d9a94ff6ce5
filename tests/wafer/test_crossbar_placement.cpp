#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "wafer/crossbar_placement.hpp"
#include "wafer/htree.hpp"

namespace ouro::wafer {
namespace {

constexpr std::int64_t kInput = 1000;  // bits: no sum of kStrip
constexpr std::int64_t kStrip = 7;

/// Strips of so many crossbars each, one after another.
TileTraffic strips_of(const std::vector<int>& crossbars) {
  TileTraffic traffic{kInput, kStrip};
  int first = 0;
  for (const int count : crossbars) {
    traffic.strips.push_back({first, first + count - 1});
    first += count;
  }
  return traffic;
}

std::int64_t placed(const TileTraffic& traffic, CrossbarPlacement placement, int crossbars) {
  return wire_bits(traffic, place_crossbars(traffic, placement, crossbars), crossbars);
}

/// The tree walked node by node, with the strips that each has sums of.
class Walk {
 public:
  /// @param lengths  of the edges of each level, from the root on
  Walk(const TileTraffic& traffic, const Leaves& leaves, std::vector<std::int64_t> lengths)
      : traffic_{traffic}, leaves_{leaves}, lengths_{std::move(lengths)} {
    visit(0, 0, 0);
  }

  std::int64_t input_bits = 0;  ///< times lengths
  std::int64_t sums_bits = 0;
  std::int64_t depth_times_weight = 0;  ///< of the sums

 private:
  using Strips = std::uint32_t;  // a bit each
  struct Node {
    bool used = false;
    Strips strips = 0;
  };

  std::int64_t sums(Strips strips) const { return std::popcount(strips) * traffic_.strip_bits; }

  /// @param number  of the node among those of its level
  Node visit(std::size_t level, int number, std::int64_t depth) {
    Node node;
    std::int64_t from_below = 0;
    if (level == lengths_.size()) {
      const auto crossbar = std::find(leaves_.begin(), leaves_.end(), number) - leaves_.begin();
      node.used = crossbar < static_cast<std::ptrdiff_t>(leaves_.size());
      for (std::size_t strip = 0; node.used && strip < traffic_.strips.size(); ++strip) {
        if (traffic_.strips[strip].first <= crossbar && crossbar <= traffic_.strips[strip].last)
          node.strips |= Strips{1} << strip;
      }
    } else {
      for (const int side : {0, 1}) {
        const auto child = visit(level + 1, 2 * number + side, depth + lengths_[level]);
        input_bits += child.used ? lengths_[level] * traffic_.input_bits : 0;
        sums_bits += lengths_[level] * sums(child.strips);
        from_below += sums(child.strips);
        node = {node.used || child.used, node.strips | child.strips};
      }
    }
    depth_times_weight += depth * (sums(node.strips) - from_below);
    return node;
  }

  const TileTraffic& traffic_;
  const Leaves& leaves_;
  std::vector<std::int64_t> lengths_;
};

const std::vector<std::int64_t> kOfFour{1, 1};
const std::vector<std::int64_t> kOfEight{2, 2, 1};

/// Over all ways to put the crossbars on leaves.
std::int64_t least_of_all(const TileTraffic& traffic, const std::vector<std::int64_t>& lengths) {
  std::vector<int> order(std::size_t{1} << lengths.size());
  std::iota(order.begin(), order.end(), 0);
  auto least = std::numeric_limits<std::int64_t>::max();
  const auto used = traffic.crossbars();
  do {
    const Leaves leaves(order.begin(), order.begin() + used);
    const Walk walk{traffic, leaves, lengths};
    least = std::min(least, walk.input_bits + walk.sums_bits);
    std::reverse(order.begin() + used, order.end());  // leaves that stay empty are alike
  } while (std::next_permutation(order.begin(), order.end()));
  return least;
}

TEST(HTree, HalvesItsEdgesEveryTwoLevels) {
  const auto lengths = [](int crossbars) {
    const HTree tree{crossbars};
    std::vector<std::int64_t> all;
    all.reserve(static_cast<std::size_t>(tree.levels));
    for (int level = 0; level < tree.levels; ++level) all.push_back(tree.length(level));
    return all;
  };
  EXPECT_EQ(lengths(2), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(lengths(4), kOfFour);
  EXPECT_EQ(lengths(8), kOfEight);
  EXPECT_EQ(lengths(32), (std::vector<std::int64_t>{4, 4, 2, 2, 1}));
  EXPECT_EQ(HTree{32}.path(), 13);
  EXPECT_EQ(HTree{5}.leaves(), 8);  // three of them empty
}

TEST(PlacedCrossbars, SendTheirBitsOverTheWayToTheRootWhenAlone) {
  EXPECT_EQ(placed(strips_of({1}), CrossbarPlacement::optimised, 32), 13 * (kInput + kStrip));
}

TEST(PlacedCrossbars, OfOneStripMeetAboveThem) {  // 2 input slices x 1 strip
  const auto traffic = strips_of({2});
  EXPECT_EQ(placed(traffic, CrossbarPlacement::optimised, 4), 2 * (kInput + kStrip) + (kInput + kStrip));
  EXPECT_EQ(wire_bits(traffic, {0, 3}, 4), 4 * (kInput + kStrip));  // only at the root
}

TEST(PlacedCrossbars, OfTwoStripsShareTheWayOfTheInput) {  // 1 x 2
  EXPECT_EQ(placed(strips_of({1, 1}), CrossbarPlacement::optimised, 4),
            2 * (kInput + kStrip) + (kInput + 2 * kStrip));
}

TEST(PlacedCrossbars, ReduceNearTheLeavesAndConcatenateNearTheRoot) {  // 8 x 4
  const auto traffic = strips_of({8, 8, 8, 8});
  const std::int64_t input = (2 * 4 + 4 * 4 + 8 * 2 + 16 * 2 + 32) * kInput;
  // an eight of leaves for each strip: one set of sums over each edge, two over those at the root
  EXPECT_EQ(placed(traffic, CrossbarPlacement::optimised, 32),
            input + (2 * 2 * 4 + 4 * 4 + 8 * 2 + 16 * 2 + 32) * kStrip);
  // those of the same rows in fours: all four strips over each edge above
  EXPECT_EQ(placed(traffic, CrossbarPlacement::by_input, 32),
            input + (4 * 2 * 4 + 4 * 4 * 4 + 4 * 8 * 2 + 2 * 16 * 2 + 32) * kStrip);
}

TEST(PlacedCrossbars, MayLeaveLeavesEmpty) {  // 2 x 3 in 8: a pair for each strip, one side with two of them
  EXPECT_EQ(placed(strips_of({2, 2, 2}), CrossbarPlacement::optimised, 8),
            (6 + 3 * 2 + 2 * 2) * kInput + (6 + 3 * 2 + 3 * 2) * kStrip);
}

TEST(PlacedCrossbars, KeepStripsApartWhereLeavesAreLeft) {
  auto traffic = strips_of({7, 7, 7, 7});
  traffic.input_bits = 0;
  // an eight of leaves each: halves 2 strips, then 1, 2, 4 and 7 edges a strip
  EXPECT_EQ(placed(traffic, CrossbarPlacement::optimised, 32),
            ((2 + 2) * 4 + 4 * 4 + 4 * 2 * 2 + 4 * 4 * 2 + 28) * kStrip);
  EXPECT_EQ(placed(traffic, CrossbarPlacement::in_order, 32), 128 * kStrip);
}

TEST(PlacedCrossbars, AreAsGoodAsTheBestOfAllPlacements) {
  for (const auto& strips : std::vector<std::vector<int>>{
           {1}, {2}, {3}, {4}, {1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 2}, {1, 1, 1}, {2, 1, 1}, {1, 1, 1, 1}}) {
    const auto traffic = strips_of(strips);
    EXPECT_EQ(placed(traffic, CrossbarPlacement::optimised, 4), least_of_all(traffic, kOfFour));
  }
  for (const auto& strips :
       std::vector<std::vector<int>>{{5, 3}, {3, 3, 2}, {1, 4, 2}, {3, 3}, {2, 2, 2, 1}, {5}, {1, 3, 1, 3}}) {
    const auto traffic = strips_of(strips);
    EXPECT_EQ(placed(traffic, CrossbarPlacement::optimised, 8), least_of_all(traffic, kOfEight))
        << ::testing::PrintToString(strips);
  }
}

TEST(PlacedCrossbars, AreNoWorseThanAsFilledWhereStripsShareACrossbar) {
  const TileTraffic halves{kInput, kStrip, {{0, 2}, {2, 4}, {5, 7}}};
  const TileTraffic thirds{kInput, kStrip, {{0, 1}, {1, 2}, {2, 3}, {4, 5}, {5, 6}}};
  for (const auto& traffic : {halves, thirds}) {
    const auto found = placed(traffic, CrossbarPlacement::optimised, 8);
    EXPECT_LE(found, placed(traffic, CrossbarPlacement::in_order, 8));
    EXPECT_GE(found, least_of_all(traffic, kOfEight));
  }
}

TEST(PlacedCrossbars, AreEachAtALeafOfTheirOwn) {
  const auto traffic = strips_of({5, 5, 5, 5, 5, 5, 2});
  for (const auto placement :
       {CrossbarPlacement::optimised, CrossbarPlacement::in_order, CrossbarPlacement::by_input}) {
    auto leaves = place_crossbars(traffic, placement, 32);
    std::sort(leaves.begin(), leaves.end());
    std::vector<int> all(32);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(leaves, all);
  }
}

/// The paper's objective, with the depth of a node in lengths of wire, and what it sends up less what it
/// gets.
TEST(WireBits, AreTheSumOfDepthTimesWeight) {
  for (const auto& traffic :
       {strips_of({3, 3, 2}), strips_of({2, 2, 1}), TileTraffic{kInput, kStrip, {{0, 2}, {2, 4}, {5, 7}}}}) {
    for (const auto& order : {Leaves{0, 1, 2, 3, 4, 5, 6, 7}, Leaves{7, 2, 5, 0, 3, 6, 1, 4}}) {
      const Leaves leaves(order.begin(), order.begin() + traffic.crossbars());
      const Walk walk{traffic, leaves, kOfEight};
      EXPECT_EQ(walk.sums_bits, walk.depth_times_weight);
      EXPECT_EQ(wire_bits(traffic, leaves, 8), walk.input_bits + walk.sums_bits);
    }
  }
}

}  // namespace
}  // namespace ouro::wafer
