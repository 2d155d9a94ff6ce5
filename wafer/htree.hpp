#pragma once

#include <bit>
#include <cstdint>

namespace ouro::wafer {

/// The tree of wires between the root of a core and its crossbars: binary, with a crossbar, or none, at each
/// leaf.
///
/// Levels of edges are counted from the root, from 0 on. As an H-tree fills a square, its edges halve every
/// two levels: those of 32 crossbars are 1/4, 1/4, 1/8, 1/8 and 1/16 of the core's side.
struct HTree {
  int levels = 0;

  explicit constexpr HTree(int crossbars)
      : levels{static_cast<int>(std::bit_width(static_cast<unsigned>(crossbars) - 1))} {}

  constexpr int leaves() const { return 1 << levels; }

  /// Of an edge, in lengths of an edge to a leaf.
  constexpr std::int64_t length(int level) const { return std::int64_t{1} << ((levels - 1) / 2 - level / 2); }

  /// From the root to a leaf, in the same unit: 13 for 32 crossbars.
  constexpr std::int64_t path() const {
    std::int64_t sum = 0;
    for (int level = 0; level < levels; ++level) sum += length(level);
    return sum;
  }
};

}  // namespace ouro::wafer
