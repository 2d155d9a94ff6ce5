#include "wafer/crossbar_placement.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "wafer/htree.hpp"

namespace ouro::wafer {
namespace {

/// Crossbars below a node by the strip that they belong to, largest first, without zeros.
using Counts = std::vector<int>;

int total(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0);
}

/// The dynamic program. Strips send equally many bits, so all that matters below a node is how many crossbars
/// there are of each strip: its cost is the least over all ways to give each strip's crossbars to the two
/// sides, of both sides' costs and of the edges to them.
///
/// Exact where each crossbar holds rows of one strip only.
class PlacementProgram {
 public:
  PlacementProgram(const TileTraffic& traffic, int crossbars) : traffic_{traffic}, tree_{crossbars} {}

  /// @param strips  how many crossbars belong to each
  /// @return  by leaf: to which strip its crossbar belongs, or kEmpty
  std::vector<int> place(const std::vector<int>& strips) {
    std::vector<Strip> all;
    all.reserve(strips.size());
    for (int strip = 0; strip < static_cast<int>(strips.size()); ++strip)
      all.push_back({strips[static_cast<std::size_t>(strip)], strip});
    std::vector<int> leaves(static_cast<std::size_t>(tree_.leaves()), kEmpty);
    place(0, 0, std::move(all), leaves);
    return leaves;
  }

  static constexpr int kEmpty = -1;

 private:
  struct Strip {
    int crossbars;
    int number;
  };
  struct Best {
    std::int64_t cost = std::numeric_limits<std::int64_t>::max();
    Counts left;  ///< of each strip, in the order of the counts
  };

  /// Fills the leaves below a node at `level`.
  void place(int level, int first_leaf, std::vector<Strip> strips, std::vector<int>& leaves) {
    std::erase_if(strips, [](const Strip& strip) { return strip.crossbars == 0; });
    if (strips.empty()) return;
    if (level == tree_.levels) {
      leaves[static_cast<std::size_t>(first_leaf)] = strips.front().number;
      return;
    }
    std::stable_sort(strips.begin(), strips.end(),
                     [](const Strip& a, const Strip& b) { return a.crossbars > b.crossbars; });
    Counts counts;
    for (const auto& strip : strips) counts.push_back(strip.crossbars);
    const auto& on_left = best(level, counts).left;
    auto left = strips, right = strips;
    for (std::size_t i = 0; i < strips.size(); ++i) {
      left[i].crossbars = on_left[i];
      right[i].crossbars -= on_left[i];
    }
    place(level + 1, first_leaf, std::move(left), leaves);
    place(level + 1, first_leaf + (tree_.leaves() >> (level + 1)), std::move(right), leaves);
  }

  /// Of what is below a node at `level` (0: the root).
  const Best& best(int level, const Counts& counts) {
    const auto known = best_.find({level, counts});
    if (known != best_.end()) return known->second;
    Best found;
    if (level == tree_.levels || counts.empty()) {
      found.cost = 0;
    } else {
      Counts left(counts.size());
      divide(level, counts, left, 0, total(counts), found);
    }
    return best_.emplace(std::pair{level, counts}, std::move(found)).first->second;
  }

  /// Tries all ways to divide the strips from `next` on. Of strips with equally many crossbars the first one
  /// has not less on the left: the others are the same with other names.
  /// @param rest  crossbars that are not yet on the left
  void divide(int level, const Counts& counts, Counts& left, std::size_t next, int rest, Best& found) {
    const int room = tree_.leaves() >> (level + 1);
    if (next == counts.size()) {
      if (rest > room) return;
      Counts right(counts.size());
      std::transform(counts.begin(), counts.end(), left.begin(), right.begin(), std::minus<>{});
      const auto cost = below(level, left) + below(level, right);
      if (cost < found.cost) found = {cost, left};
      return;
    }
    const int on_left = total(counts) - rest;
    int most = std::min(counts[next], room - on_left);
    if (next > 0 && counts[next] == counts[next - 1]) most = std::min(most, left[next - 1]);
    for (left[next] = most; left[next] >= 0; --left[next])
      divide(level, counts, left, next + 1, rest - left[next], found);
    left[next] = 0;
  }

  /// One side of a node at `level`, with the edge to it.
  std::int64_t below(int level, Counts counts) {
    std::erase(counts, 0);
    if (counts.empty()) return 0;
    std::sort(counts.begin(), counts.end(), std::greater<>{});
    const auto bits = traffic_.input_bits + static_cast<std::int64_t>(counts.size()) * traffic_.strip_bits;
    return tree_.length(level) * bits + best(level + 1, counts).cost;
  }

  const TileTraffic& traffic_;
  HTree tree_;
  std::map<std::pair<int, Counts>, Best> best_;
};

/// The strip that each crossbar belongs to: the first of those that it holds rows of.
std::vector<int> strips_of_crossbars(const TileTraffic& traffic) {
  std::vector<int> strips(static_cast<std::size_t>(traffic.crossbars()), -1);
  for (int strip = 0; strip < static_cast<int>(traffic.strips.size()); ++strip) {
    const auto& [first, last] = traffic.strips[static_cast<std::size_t>(strip)];
    for (int crossbar = first; crossbar <= last; ++crossbar) {
      auto& known = strips[static_cast<std::size_t>(crossbar)];
      if (known < 0) known = strip;
    }
  }
  return strips;
}

Leaves in_order(const TileTraffic& traffic) {
  Leaves leaves(static_cast<std::size_t>(traffic.crossbars()));
  std::iota(leaves.begin(), leaves.end(), 0);
  return leaves;
}

Leaves by_input(const TileTraffic& traffic) {
  const auto strips = strips_of_crossbars(traffic);
  std::vector<std::tuple<int, int>> order;  // how far behind the strip's first, crossbar
  for (int crossbar = 0; crossbar < traffic.crossbars(); ++crossbar) {
    const auto strip = static_cast<std::size_t>(strips[static_cast<std::size_t>(crossbar)]);
    order.emplace_back(crossbar - traffic.strips[strip].first, crossbar);
  }
  std::sort(order.begin(), order.end());
  Leaves leaves(order.size());
  for (std::size_t leaf = 0; leaf < order.size(); ++leaf)
    leaves[static_cast<std::size_t>(std::get<1>(order[leaf]))] = static_cast<int>(leaf);
  return leaves;
}

Leaves optimised(const TileTraffic& traffic, int crossbars) {
  const auto strips = strips_of_crossbars(traffic);
  std::vector<int> counts(traffic.strips.size());
  for (const int strip : strips) ++counts[static_cast<std::size_t>(strip)];
  const auto placed = PlacementProgram{traffic, crossbars}.place(counts);
  Leaves leaves;
  std::vector<std::size_t> next(counts.size());  // leaf from which to look for one of the strip
  for (const int strip : strips) {
    auto& leaf = next[static_cast<std::size_t>(strip)];
    while (placed[leaf] != strip) ++leaf;
    leaves.push_back(static_cast<int>(leaf++));
  }
  const auto as_filled = in_order(traffic);
  return wire_bits(traffic, as_filled, crossbars) < wire_bits(traffic, leaves, crossbars) ? as_filled
                                                                                          : leaves;
}

}  // namespace

int TileTraffic::crossbars() const {
  int last = -1;
  for (const auto& strip : strips) last = std::max(last, strip.last);
  return last + 1;
}

std::int64_t wire_bits(const TileTraffic& traffic, const Leaves& leaves, int crossbars) {
  const HTree tree{crossbars};
  std::int64_t sum = 0;
  std::vector<bool> reached;
  for (int level = 0; level < tree.levels; ++level) {
    const int below = tree.levels - 1 - level;  // levels between the edge and the leaves
    const auto edges = [&](int first, int last) {
      reached.assign(std::size_t{2} << level, false);
      for (int crossbar = first; crossbar <= last; ++crossbar)
        reached[static_cast<std::size_t>(leaves[static_cast<std::size_t>(crossbar)] >> below)] = true;
      return std::count(reached.begin(), reached.end(), true);
    };
    std::int64_t bits = edges(0, traffic.crossbars() - 1) * traffic.input_bits;
    for (const auto& strip : traffic.strips) bits += edges(strip.first, strip.last) * traffic.strip_bits;
    sum += tree.length(level) * bits;
  }
  return sum;
}

Leaves place_crossbars(const TileTraffic& traffic, CrossbarPlacement placement, int crossbars) {
  switch (placement) {
    case CrossbarPlacement::optimised:
      return optimised(traffic, crossbars);
    case CrossbarPlacement::by_input:
      return by_input(traffic);
    case CrossbarPlacement::in_order:
      break;
  }
  return in_order(traffic);
}

std::int64_t PlacedTiles::wire_bits(const TileTraffic& traffic) {
  const auto known = known_.find(traffic);
  if (known != known_.end()) return known->second;
  const auto leaves = place_crossbars(traffic, placement_, crossbars_);
  return known_.emplace(traffic, wafer::wire_bits(traffic, leaves, crossbars_)).first->second;
}

}  // namespace ouro::wafer
