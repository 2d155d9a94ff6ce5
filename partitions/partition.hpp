#pragma once

#include <vector>

#include "wafer/geometry.hpp"

namespace ouro::partitions {

/// The rank of each die, by die number. Every rank has a die.
using Partition = std::vector<int>;

/// Dies line by line, back and forth, cut into runs whose lengths differ by one at most. The snake mapping
/// follows the same line, so that most traffic stays in a run.
Partition by_rows(const wafer::Geometry& geometry, int ranks);

/// The grid cut in two again and again, across its longer side, in proportion to the ranks of each part.
/// Where a part has more ranks than the cut leaves dies on one side, the cut moves.
Partition by_rectangles(const wafer::Geometry& geometry, int ranks);

}  // namespace ouro::partitions
