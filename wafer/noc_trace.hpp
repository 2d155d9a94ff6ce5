#pragma once

#include <vector>

#include "wafer/noc_traffic.hpp"

namespace ouro::engine {
class Setting;
}

namespace ouro::wafer {

/// The packets of a trace, in the order of creation, then number.
///
/// @param file  names either a CSV with the columns packet, t_create (cycles), src, dst (numbers of cores,
/// row by
///              row), size_flits; or, if it ends in .h5, the result of a run that recorded packets
/// @throws InputError  for a file that cannot be read or has no packets, a packet from or to a core that is
/// dead or not on the grid,
///                     and a run on another grid of cores
std::vector<TracedPacket> read_noc_trace(const engine::Setting& file, const Geometry& geometry,
                                         const Faults& faults);

}  // namespace ouro::wafer
