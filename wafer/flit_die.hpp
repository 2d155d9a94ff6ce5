#pragma once

#include <optional>
#include <span>
#include <vector>

#include "wafer/flit_event.hpp"
#include "wafer/flit_network.hpp"

namespace ouro::wafer {

/// The FlitNetwork of a die whose logical process lives by events at any time: which clock edges it needs,
/// and what becomes of its flits and credits at die borders.
///
/// A link delivers what it carries a setup time before the edge that takes it in, and the die looks at all
/// that has come a hold time after the edge, each a picosecond. So it is of no matter in which order events
/// of one edge are handled.
///
/// Whoever has it sends itself the edges that take_alarm() asks for, and the neighbours what crossings()
/// says.
class FlitDie {
 public:
  /// Keeps references.
  FlitDie(const Geometry& geometry, const NocModel& model, DieId die);

  /// Setup, hold and what crosses a border at once fit into a cycle.
  static constexpr engine::Duration kShortestCycle{3};
  /// Least time from an event of the die to what it sends to a neighbour: a credit.
  static engine::Duration lookahead(const NocModel& model);
  /// The same to the host interface: a packet of one flit.
  static engine::Duration host_lookahead(const NocModel& model);

  /// A packet is in the output buffer of a core of this die.
  /// @param to  a core, or Geometry::host_id()
  void inject(engine::Time now, int core, PacketSlot slot, CoreId to, int flits);
  /// The first flit of a packet from the host interface is at the near end of its link.
  void inject_from_host(engine::Time now, PacketSlot slot, CoreId to, int flits);

  /// What a neighbour's crossings() told.
  /// @param slot, to  of the packet, if it is a head
  void receive(engine::Time now, const FlitEvent& event, PacketSlot slot, CoreId to);

  /// There is something to do at that edge.
  void wake_at(Cycle edge);
  /// When to send an event of an edge, if one is wanted before those that were asked for.
  std::optional<engine::Time> take_alarm();
  /// The edge of such an event; none if an earlier one took its place.
  std::optional<Cycle> edge_due(engine::Time now) const;
  /// The edge that is due.
  void step(Cycle edge);

  // What the last step() did.

  /// To a neighbouring die.
  struct Crossing {
    DieId die;
    engine::Time time{};
    FlitEvent event{};
    PacketSlot slot = 0;  ///< of a flit's packet
  };
  std::span<const Crossing> crossings() const { return crossings_; }

  /// A packet whose tail is at its core, or its tail's first bit at the host interface, as at `packet`
  /// fidelity.
  struct Arrival {
    PacketSlot slot = 0;
    engine::Time time{};
  };
  std::span<const Arrival> at_cores() const { return at_cores_; }
  std::span<const Arrival> at_host() const { return at_host_; }
  /// Packets whose head left their core.
  std::span<const FlitNetwork::PacketEdge> entered() const { return network_.entered(); }

  /// Of a packet whose tail leaves this die, or arrives.
  Travel travel(PacketSlot slot, int flits, bool crosses_border) const;

  const FlitNetwork& network() const { return network_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [geometry, model, die, network, wanted, announced, crossings, at_cores, at_host] = *this;
    engine::archive_fields(archive, network, wanted, announced);
  }

 private:
  engine::Time at_edge(Cycle edge) const { return engine::Time{edge * model_.cycle}; }
  Cycle next_edge(engine::Time now) const;
  void add_crossing(LinkVc link, Cycle arrival, FlitEvent event, PacketSlot slot);

  const Geometry& geometry_;
  const NocModel& model_;
  DieId die_;
  FlitNetwork network_;
  Cycle wanted_ = kNoCycle;     // the next edge with something to do
  Cycle announced_ = kNoCycle;  // the next edge of which an event is under way
  std::vector<Crossing> crossings_;
  std::vector<Arrival> at_cores_;
  std::vector<Arrival> at_host_;
};

}  // namespace ouro::wafer
