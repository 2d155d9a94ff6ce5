#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "wafer/geometry.hpp"
#include "wafer/noc_model.hpp"

namespace ouro::wafer {

/// Clock edges since the start of the run.
using Cycle = std::int64_t;
inline constexpr Cycle kNoCycle = std::numeric_limits<Cycle>::max();

/// A packet of one die; who uses the network numbers them, and may use a number again once its tail has left.
using PacketSlot = std::uint32_t;

/// A virtual channel of a link of a die. A core is named by its number within the die.
struct LinkVc {
  std::uint16_t core = 0;
  std::uint8_t port = 0;  ///< a Direction, or kInjection
  std::uint8_t vc = 0;
};

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
class FlitNetwork {
 public:
  /// Keeps references.
  FlitNetwork(const Geometry& geometry, const NocModel& model, DieId die);

  /// A packet is in the output buffer of a core of this die, behind those that are there. Its head goes at
  /// the next edge at the earliest.
  void inject(int core, PacketSlot slot, CoreId to, int flits);

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
  /// Packets whose head left its core.
  std::span<const PacketEdge> entered() const { return entered_; }

  /// Flits that a core's router sent through a port: a Direction, or kEjection.
  std::int64_t flits_sent(int core, int port) const;
  /// Flits that went through routers, each counted once for each.
  std::int64_t router_visits() const { return router_visits_; }
  /// Whether no flit is buffered or on a link.
  bool is_idle() const { return next_cycle() == kNoCycle; }

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
  };

  /// Where a packet goes, and by which leg of its way.
  struct Heading {
    Coordinate leg_end;
    CoreId to;
    Waypoint via;
    int leg = 0;
  };

  struct Router {
    Mask waiting = 0;                               // heads without output virtual channel
    Mask sending = 0;                               // with one, and with a flit
    std::array<std::uint16_t, kPorts> free_vcs{};   // by output
    std::array<std::uint8_t, kPorts> next_input{};  // round robin of an output over inputs
    std::array<std::uint8_t, kPorts> next_output{};
    std::array<std::uint8_t, kPorts> next_vc{};  // of an input
  };

  struct Source {
    struct Waiting {
      PacketSlot slot;
      CoreId to;
      std::uint16_t flits;
    };
    std::vector<Waiting> queue;  // from `first` on
    std::size_t first = 0;
    int sent = 0;  // flits of the first packet
    int vc = -1;   // of the first packet, or of the one before
    std::uint16_t free_vcs = 0;
  };

  struct Arrival {
    LinkVc input;
    Flit flit;
  };
  struct EdgeWork {
    std::vector<Arrival> flits;
    std::vector<LinkVc> credits;
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
  void wake_source(int core) { sources_[static_cast<std::size_t>(core) / 64] |= Mask{1} << (core % 64); }

  void add_flit(Cycle at, LinkVc input, Flit flit);
  void add_credit(Cycle at, LinkVc output);
  void accept(const Arrival& arrival);
  void begin_packet(int core, int input_vc, Cycle ready);
  void head_for(PacketSlot slot, CoreId to, Waypoint via, int leg);
  int route(int core, PacketSlot slot);
  std::uint16_t usable_vcs(int output, PacketSlot slot) const;
  bool feed(int core);
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
  int vcs_;
  int pipeline_tail_;  // edges from the grant of the switch to the next router, wire left out
  int wire_;
  int border_wire_;
  Cycle now_ = -1;

  std::vector<Router> routers_;
  std::vector<InputVc> inputs_;               // by vc_index()
  std::vector<Flit> buffers_;                 // rings, by vc_index()
  std::vector<std::uint8_t> output_credits_;  // by vc_index()
  std::vector<std::uint8_t> vc_round_;        // round robin of an output virtual channel over inputs
  std::vector<std::uint8_t> input_round_;     // of an input virtual channel over outputs
  std::vector<Source> source_;
  std::vector<std::uint8_t> source_credits_;
  std::vector<Heading> headings_;       // by PacketSlot
  std::vector<std::uint64_t> active_;   // routers to step, a bit each
  std::vector<std::uint64_t> sources_;  // cores that have flits to send

  std::vector<EdgeWork> wheel_;
  std::size_t wheel_mask_;
  std::size_t on_wheel_ = 0;

  std::vector<Departure> departures_;
  std::vector<CreditReturn> credit_returns_;
  std::vector<PacketEdge> ejected_;
  std::vector<PacketEdge> entered_;
  std::vector<std::int64_t> flits_sent_;  // by core and port
  std::int64_t router_visits_ = 0;

  std::array<std::uint8_t, 64> port_of_{};                                // of an input virtual channel
  std::array<std::uint8_t, RouterModel::kMostVirtualChannels> leg_of_{};  // by virtual channel of a link
  std::array<std::uint16_t, Routing::kMostLegs> vcs_of_{};                // by leg

  // of the router being stepped, by input virtual channel
  std::array<std::uint8_t, 64> granted_vc_{};
  std::array<std::uint16_t, 64> offered_{};
};

}  // namespace ouro::wafer
