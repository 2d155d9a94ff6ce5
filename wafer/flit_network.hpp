#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/state_archive.hpp"
#include "wafer/die_links.hpp"
#include "wafer/flit_event.hpp"
#include "wafer/geometry.hpp"
#include "wafer/noc_model.hpp"
#include "wafer/packet_slots.hpp"
#include "wafer/travel.hpp"

namespace ouro::wafer {

/// Clock edges since the start of the run.
using Cycle = std::int64_t;
inline constexpr Cycle kNoCycle = std::numeric_limits<Cycle>::max();

/// The routers of one die at `flit` fidelity: wormhole switching, virtual channels, credits.
///
/// The die advances by clock edges, of which only those are needed at which something happens. At an edge all
/// routers see what has come over their links, allocate, and send; what they send comes at least one edge
/// later, so that their order is of no matter. Ways are those of NocModel::routing; where they have several
/// legs, leg i takes between routers the virtual channels of class i: the i-th of as many even parts as the
/// wafer needs legs.
///
/// An idle network gives a packet of z flits that visits n routers, with p = RouterModel::pipeline_cycles()
/// and w the latency of a wire, n (p + w) + w + 1 + (z - 1) cycles from its creation to its last flit's
/// arrival at the core, if buffers cover the credit loop.
///
/// The host interface takes a flit at each edge, as a core does. What it sends waits in a queue at the near
/// end of its link, beside the router [assumed].
class FlitNetwork {
 public:
  /// Keeps references.
  FlitNetwork(const Geometry& geometry, const NocModel& model, DieId die);

  /// A packet is in the output buffer of a core of this die, behind those that are there. Its head goes at
  /// edge `ready`, which is the next one, at the earliest.
  /// @param to  a core, or Geometry::host_id()
  void inject(int core, PacketSlot slot, CoreId to, int flits, Cycle ready);
  /// The same of the queue at the end of the host's link, if the die has it.
  void inject_from_host(PacketSlot slot, CoreId to, int flits, Cycle ready);

  /// From a neighbouring die, to be seen at edge `at`.
  /// @param slot, to, via  of the packet, if the flit is a head
  void receive_flit(Cycle at, LinkVc input, bool head, bool tail, PacketSlot slot, CoreId to,
                    Waypoint via = {});
  void receive_credit(Cycle at, LinkVc output);

  /// The clock edge `now`, later than those before.
  void step(Cycle now);
  /// The next edge at which something is to be done; kNoCycle if nothing is under way.
  Cycle next_cycle() const;

  // What the last step() did.

  /// A flit that leaves the die over a border.
  struct Departure {
    LinkVc output;
    PacketSlot slot = 0;
    bool head = false;
    bool tail = false;
    Cycle arrival = 0;  ///< edge at which the neighbour sees it
    Waypoint via{};     ///< of the packet, if the flit is a head
  };
  std::span<const Departure> departures() const { return departures_; }

  /// Room in a buffer for the neighbour behind a border.
  struct CreditReturn {
    LinkVc input;
    Cycle arrival = 0;
  };
  std::span<const CreditReturn> credits() const { return credit_returns_; }

  struct PacketEdge {
    PacketSlot slot = 0;
    Cycle at = 0;
  };
  /// Packets of which all flits are at their core.
  std::span<const PacketEdge> ejected() const { return ejected_; }
  /// Packets of which all flits are at the host interface.
  std::span<const PacketEdge> at_host() const { return at_host_; }
  /// Packets whose head left its core, or the host's queue.
  std::span<const PacketEdge> entered() const { return entered_; }

  /// Links between routers, and to the host, that the packet's head has taken in this die, the one over its
  /// border included.
  int hops(PacketSlot slot) const { return headings_[slot].hops; }

  /// By core of the die and port, as DieNetwork::use(). A head waits from the edge at which it could have
  /// left an idle router.
  LinkUse use(int core, int port) const;
  /// Flits that went through routers, each counted once for each.
  std::int64_t router_visits() const { return router_visits_; }
  /// Whether no flit is buffered or on a link.
  bool is_idle() const { return next_cycle() == kNoCycle; }

  /// The last edge that was stepped; -1 before the first.
  Cycle now() const { return now_; }

  /// What the last step() did is left out.
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [geometry, model, die, corner, host_core, vcs, pipeline_tail, wire, border_wire, least_stay, now,
           routers, inputs, buffers, output_credits, vc_round, input_round, source, source_credits, headings,
           active, sources, wheel, wheel_mask, on_wheel, departures, credit_returns, ejected, at_host,
           entered, uses, router_visits, port_of, leg_of, vcs_of, granted_vc, offered] = *this;
    engine::archive_fields(archive, now, routers, inputs, buffers, output_credits, vc_round, input_round,
                           source, source_credits, headings, active, sources, wheel, on_wheel, uses,
                           router_visits);
  }

 private:
  static constexpr int kPorts = RouterModel::kPorts;
  static constexpr int kLocal = 4;   // port to and from the core
  static constexpr int kSource = 5;  // in place of a port: the core's side of its injection link
  using Mask = std::uint64_t;        // of input virtual channels: bit port x virtual channels + vc

  /// Slot of the packet, and whether the flit is its head, its tail.
  struct Flit {
    PacketSlot slot = 0;
    bool head = false;
    bool tail = false;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [packet, is_head, is_tail] = *this;
      engine::archive_fields(archive, packet, is_head, is_tail);
    }
  };

  struct InputVc {
    Cycle ready = 0;          // edge from which it may ask for an output virtual channel
    PacketSlot arriving = 0;  // of the body flits that come
    std::uint8_t first = 0;   // of its flits, in the ring
    std::uint8_t flits = 0;
    bool idle = true;  // no packet at its front
    std::uint8_t output = 0;
    std::uint8_t output_vc = 0;
    std::uint16_t usable_vcs = 0;  // of the output

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [from, coming, front, count, free, port, vc, usable] = *this;
      engine::archive_fields(archive, from, coming, front, count, free, port, vc, usable);
    }
  };

  /// Where a packet goes, by which leg of its way, and how far it has come.
  struct Heading {
    Coordinate leg_end;
    CoreId to;
    Waypoint via;
    int leg = 0;
    int hops = 0;
    Cycle since = 0;  // edge at which its head came to the router

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [end, destination, turn, number, links, seen] = *this;
      engine::archive_fields(archive, end.x, end.y, destination, turn, number, links, seen);
    }
  };

  struct Router {
    Mask waiting = 0;                               // heads without output virtual channel
    Mask sending = 0;                               // with one, and with a flit
    std::array<std::uint16_t, kPorts> free_vcs{};   // by output
    std::array<std::uint8_t, kPorts> next_input{};  // round robin of an output over inputs
    std::array<std::uint8_t, kPorts> next_output{};
    std::array<std::uint8_t, kPorts> next_vc{};  // of an input

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [heads, flits, vcs, input, output, vc] = *this;
      engine::archive_fields(archive, heads, flits, vcs, input, output, vc);
    }
  };

  struct Source {
    struct Waiting {
      PacketSlot slot;
      std::uint16_t flits;
      Cycle ready;

      template <class Archive>
      void serialize(Archive& archive, unsigned /*version*/) {
        auto& [packet, count, since] = *this;
        engine::archive_fields(archive, packet, count, since);
      }
    };
    std::vector<Waiting> queue;  // from `first` on
    std::size_t first = 0;
    int sent = 0;  // flits of the first packet
    int vc = -1;   // of the first packet, or of the one before
    std::uint16_t free_vcs = 0;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [waiting, front, gone, last_vc, free] = *this;
      engine::archive_fields(archive, waiting, front, gone, last_vc, free);
    }
  };

  struct Arrival {
    LinkVc input;
    Flit flit;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [at, what] = *this;
      engine::archive_fields(archive, at, what);
    }
  };
  struct EdgeWork {
    std::vector<Arrival> flits;
    std::vector<LinkVc> credits;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [arriving, returning] = *this;
      engine::archive_fields(archive, arriving, returning);
    }
  };

  /// What a link carried; waiting in edges.
  struct Use {
    std::int64_t flits = 0;
    Cycle waited = 0;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [count, edges] = *this;
      engine::archive_fields(archive, count, edges);
    }
  };

  /// Input virtual channels that win the switch, at most one of each port.
  struct Moves {
    std::array<std::uint8_t, kPorts> input_vc{};
    int count = 0;
  };

  std::size_t vc_index(int core, int port, int vc) const {
    return static_cast<std::size_t>((core * kPorts + port) * vcs_ + vc);
  }
  EdgeWork& work_at(Cycle at) { return wheel_[static_cast<std::size_t>(at) & wheel_mask_]; }
  void wake(int core) { active_[static_cast<std::size_t>(core) / 64] |= Mask{1} << (core % 64); }
  void wake_source(int source) {
    sources_[static_cast<std::size_t>(source) / 64] |= Mask{1} << (source % 64);
  }
  bool has_host() const { return host_core_ >= 0; }
  int host_source() const { return geometry_.cores_of_die(); }  // behind those of the cores
  bool is_host_link(int core, int port) const;
  Use& use_of(int core, int port) { return uses_[static_cast<std::size_t>(core * kLinksPerCore + port)]; }

  void add_flit(Cycle at, LinkVc input, Flit flit);
  void add_credit(Cycle at, LinkVc output);
  void accept(const Arrival& arrival);
  void begin_packet(int core, int input_vc, Cycle ready);
  void enter_queue(int source, CoreId from, CoreId to, Source::Waiting packet);
  void head_for(PacketSlot slot, CoreId to, Waypoint via, int leg);
  Coordinate end_of_leg(CoreId to, Waypoint via) const;
  int route(int core, PacketSlot slot);
  std::uint16_t usable_vcs(int output, PacketSlot slot) const;
  bool feed(int source);
  void send_from(int source, int vc, Flit flit);
  bool step_router(int core);
  Mask allocate_vcs(int core, Mask asking);
  Mask those_that_may_use(std::size_t first, Mask bidders, int vc) const;
  bool request_switch(int core, Mask speculating, Moves& moves);
  void forward(int core, int input_vc);
  void send(LinkVc output, Flit flit);
  void return_credit(int core, int port, int vc);
  int neighbour_of(int core, int port) const;

  const Geometry& geometry_;
  const NocModel& model_;
  DieId die_;
  Coordinate corner_;
  int host_core_;  // of the die, whose router has the host's link on its west side; -1 if none has
  int vcs_;
  int pipeline_tail_;  // edges from the grant of the switch to the next router, wire left out
  int wire_;
  int border_wire_;
  int least_stay_;  // edges from a head's arrival in an idle router to its grant of the switch
  Cycle now_ = -1;

  std::vector<Router> routers_;
  std::vector<InputVc> inputs_;               // by vc_index()
  std::vector<Flit> buffers_;                 // rings, by vc_index()
  std::vector<std::uint8_t> output_credits_;  // by vc_index()
  std::vector<std::uint8_t> vc_round_;        // round robin of an output virtual channel over inputs
  std::vector<std::uint8_t> input_round_;     // of an input virtual channel over outputs
  std::vector<Source> source_;                // of the cores, and of the host if the die has it
  std::vector<std::uint8_t> source_credits_;
  std::vector<Heading> headings_;       // by PacketSlot
  std::vector<std::uint64_t> active_;   // routers to step, a bit each
  std::vector<std::uint64_t> sources_;  // those that have flits to send

  std::vector<EdgeWork> wheel_;
  std::size_t wheel_mask_;
  std::size_t on_wheel_ = 0;

  std::vector<Departure> departures_;
  std::vector<CreditReturn> credit_returns_;
  std::vector<PacketEdge> ejected_;
  std::vector<PacketEdge> at_host_;
  std::vector<PacketEdge> entered_;
  std::vector<Use> uses_;  // by core and port: an output, or kSource for the core's own link
  std::int64_t router_visits_ = 0;

  std::array<std::uint8_t, 64> port_of_{};                                // of an input virtual channel
  std::array<std::uint8_t, RouterModel::kMostVirtualChannels> leg_of_{};  // by virtual channel of a link
  std::array<std::uint16_t, Routing::kMostLegs> vcs_of_{};                // by leg

  // of the router being stepped, by input virtual channel
  std::array<std::uint8_t, 64> granted_vc_{};
  std::array<std::uint16_t, 64> offered_{};
};

}  // namespace ouro::wafer
