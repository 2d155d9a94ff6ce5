#pragma once

#include <cstdint>

#include "engine/time.hpp"
#include "wafer/geometry.hpp"
#include "wafer/joint.hpp"
#include "wafer/router_model.hpp"
#include "wafer/routing.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

enum class MulticastMode { tree, unicast };

/// How the network is simulated.
enum class Fidelity {
  packet,  ///< DieNetwork: links remember until when they are taken
  flit,    ///< FlitNetwork: routers with virtual channels and credits
  stage    ///< none: a model's tokens move from station to station
};

/// What the network is; shared by all dies.
///
/// At any fidelity, a lone packet of z flits over h links takes (h + 1) (router + wire) + wire + z cycles
/// from the output buffer of its source to the input buffer of its destination: BookSim2's zero-load latency,
/// its injection and ejection channels included.
struct NocModel {
  Fidelity fidelity = Fidelity::packet;
  RouterModel router;
  engine::Duration cycle{1000};
  engine::Duration wire_latency{1000};
  engine::Duration die_crossing_latency{4000};  ///< on top of the wire
  std::int64_t link_bits = 256;                 ///< of one flit
  MulticastMode multicast = MulticastMode::tree;
  Coordinate host;  ///< the core whose router has the link to the host interface, on its west side
  Routing routing;  ///< around dead routers and links
  Joint joint;      ///< of several wafers

  /// Flits of a packet. The head's routing information travels on wires of its own.
  int flits(std::int64_t bytes) const { return static_cast<int>((8 * bytes + link_bits - 1) / link_bits); }

  /// Where a packet for a core, or for the host interface, leaves the routers.
  CoreId router_of(const Geometry& geometry, CoreId to) const {
    return to == geometry.host_id() ? geometry.core_at(host) : to;
  }

  /// Of a head in an idle router.
  engine::Duration router_latency() const { return router.pipeline_cycles() * cycle; }

  /// Least time from a packet's head entering a die to its entering the next one of the same wafer.
  engine::Duration die_lookahead() const { return router_latency() + wire_latency + die_crossing_latency; }
  /// The same for a neighbour of `die`, perhaps on another wafer.
  engine::Duration die_lookahead(const Geometry& geometry, DieId die, Direction direction) const {
    const auto to = geometry.neighbour(die, direction);
    const bool leaves = to && geometry.wafer_of(*to) != geometry.wafer_of(die);
    return leaves ? router_latency() + joint.passage(1) : die_lookahead();
  }

  /// Time that a signal needs from corner to corner of idle wafers, if there are links between wafers on its
  /// way.
  engine::Duration crossing_time(const Geometry& geometry) const {
    const int joints = geometry.wafers - 1;
    const int hops = geometry.columns() + geometry.rows() - 2 - joints;
    const int crossings = geometry.die_columns + geometry.die_rows - 2 - joints;
    return hops * (router_latency() + wire_latency) + crossings * die_crossing_latency +
           joints * (router_latency() + joint.passage(1));
  }
};

}  // namespace ouro::wafer
