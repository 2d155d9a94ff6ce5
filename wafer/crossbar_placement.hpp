#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

namespace ouro::wafer {

/// At which leaf of a core's H-tree each crossbar of a tile lies.
enum class CrossbarPlacement {
  optimised,  ///< so that least bits times lengths of wire go over the tree
  in_order,   ///< as the crossbars are filled: strip after strip
  by_input,   ///< those next to each other that work on the same rows of the input
};

/// Crossbars that hold rows of one strip of columns, of those that a tile fills, one after another.
struct CrossbarSpan {
  int first = 0;
  int last = 0;
  auto operator<=>(const CrossbarSpan&) const = default;
};

/// What a tile sends over the H-tree for a token.
///
/// The input goes to all crossbars of the tile: over each edge that leads to one. Each crossbar has sums of
/// the columns of each strip that it holds rows of. Where sums of a strip come from both sides of a node, it
/// adds them (reduction), else it sends on both (concatenation). So over an edge go the sums of each strip
/// that has a crossbar below it, once.
struct TileTraffic {
  std::int64_t input_bits = 0;
  std::int64_t strip_bits = 0;  ///< sums of the columns of one strip
  std::vector<CrossbarSpan> strips{};

  int crossbars() const;
  auto operator<=>(const TileTraffic&) const = default;
};

/// Leaves by crossbar.
using Leaves = std::vector<int>;

/// Bits times lengths of edges, in lengths of an edge to a leaf. This is what is minimised.
///
/// It is the paper's sum of depth(node) x weight(node) [body], with the depth in lengths of wire, and as the
/// weight of a node what it sends towards the root less what it gets from below [assumed]: of a leaf its
/// sums; of a concatenation nothing; of a reduction, negative, what it saves. So reductions belong near the
/// leaves. The input is sent anywhere alike, but over fewer edges where crossbars lie together.
/// @param crossbars  of the core: the tree's size
std::int64_t wire_bits(const TileTraffic& traffic, const Leaves& leaves, int crossbars);

/// @param crossbars  of the core
Leaves place_crossbars(const TileTraffic& traffic, CrossbarPlacement placement, int crossbars);

/// Most crossbars of a core that `optimised` is found for within a second.
inline constexpr int kMostPlacedCrossbars = 64;

/// wire_bits() of the tiles of a model, each kind computed once.
class PlacedTiles {
 public:
  /// @param crossbars  of a core
  PlacedTiles(CrossbarPlacement placement, int crossbars) : placement_{placement}, crossbars_{crossbars} {}

  std::int64_t wire_bits(const TileTraffic& traffic);

 private:
  CrossbarPlacement placement_;
  int crossbars_;
  std::map<TileTraffic, std::int64_t> known_;
};

}  // namespace ouro::wafer
