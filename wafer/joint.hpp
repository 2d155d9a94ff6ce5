#pragma once

#include <vector>

#include "engine/time.hpp"
#include "wafer/geometry.hpp"

namespace ouro::wafer {

class Faults;

/// The links that join each wafer to the next: from routers on its southern edge to those north of the next.
///
/// Such a link forwards a packet when it has it whole, as Ethernet does.
struct Joint {
  std::vector<int> columns;      ///< of cores, where the links are
  engine::Duration flit_time{};  ///< that a link needs for a flit
  engine::Duration latency{};    ///< from edge to edge

  /// From a packet's leaving the router on one edge to its head's being at the other.
  engine::Duration passage(int flits) const { return flits * flit_time + latency; }
};

/// `links` columns, apart as evenly as they can be.
std::vector<int> evenly_spaced(int links, int columns);

/// Marks as missing the links between wafers in all other columns.
void leave_out_links(const Geometry& geometry, const Joint& joint, Faults& faults);

}  // namespace ouro::wafer
