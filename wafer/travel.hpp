#pragma once

#include <cstdint>

#include "engine/state_archive.hpp"
#include "wafer/noc_model.hpp"

namespace ouro::wafer {

/// How far a packet's bits went; a multicast's bits count once for each link of the tree.
struct Travel {
  std::int64_t hop_bits = 0;       ///< bits times links between routers, and to the host
  std::int64_t crossing_bits = 0;  ///< bits times die borders of one wafer
  std::int64_t joint_bits = 0;     ///< bits times links between wafers
};

/// What a link carried.
struct LinkUse {
  std::int64_t flits = 0;
  engine::Duration waited{};  ///< sum over packets of their heads' waiting for this link
};

/// What went over the links to neighbours and to the host that leave the router of a core.
///
/// @param flits_over  gives, for a Direction, the flits over the link on that side
template <class FlitsOver>
Travel travel_from(const Geometry& geometry, const NocModel& model, CoreId core,
                   const FlitsOver& flits_over) {
  const auto at = geometry.coordinate(core);
  Travel travel;
  for (const auto direction : kDirections) {
    const std::int64_t bits = flits_over(direction) * model.link_bits;
    if (geometry.leaves_wafer(at, direction)) {
      travel.joint_bits += bits;
      continue;
    }
    travel.hop_bits += bits;
    const auto to = step(at, direction);
    // the host is beyond a border, too
    if (!geometry.contains(to) || geometry.die_of(to) != geometry.die_of(at)) travel.crossing_bits += bits;
  }
  return travel;
}

}  // namespace ouro::wafer

OURO_ARCHIVE_AS_BYTES(ouro::wafer::LinkUse);
