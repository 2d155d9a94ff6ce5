#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <vector>

#include "engine/histogram.hpp"
#include "engine/logical_process.hpp"
#include "engine/region.hpp"
#include "wafer/die_network.hpp"
#include "wafer/flit_network.hpp"
#include "wafer/noc_traffic.hpp"

namespace ouro::wafer {

/// What arrived at the cores of one die; latencies in cycles, from the creation of a packet to the arrival of
/// its last flit.
struct NocArrivals {
  static constexpr int kBatches = 20;  ///< equal parts of the measured time, by creation

  std::int64_t created = 0;   ///< all packets
  std::int64_t arrived = 0;   ///< all packets
  std::int64_t measured = 0;  ///< packets created in the measured time
  std::int64_t measured_arrived = 0;
  std::int64_t latency = 0;          ///< sum over measured packets
  std::int64_t network_latency = 0;  ///< the same, from when the head left its core; `flit` only
  std::int64_t routers = 0;          ///< the same, routers on the way
  std::int64_t flits_accepted = 0;   ///< of packets that arrived in the measured time
  Cycle last = 0;                    ///< arrival of the last packet
  std::array<std::int64_t, kBatches> batch_packets{};
  std::array<std::int64_t, kBatches> batch_latency{};
  engine::Histogram latencies;
};

/// A packet of a trace that arrived.
struct TracedArrival {
  std::int64_t number = 0;
  Cycle entered = 0;  ///< its head left its core; `flit` only
  Cycle arrived = 0;
};

/// One die whose cores do nothing but send and receive: for studies of the network alone.
class NocProcess final : public engine::LogicalProcess {
 public:
  /// Keeps references.
  NocProcess(const Geometry& geometry, const NocModel& model, const NocTraffic& traffic, DieId die);

  std::string name() const override;
  engine::Channels channels() const override;
  void start(engine::Scheduler& scheduler) override;
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override;

  DieId die() const { return die_; }
  const NocArrivals& arrivals() const { return arrivals_; }
  const std::vector<TracedArrival>& traced() const { return traced_; }
  /// Flits that the router of a core of this die sent through a port: a Direction, or kEjection.
  std::int64_t flits_sent(int core, int port) const;
  /// Flits that went through routers, each counted once for each; `flit` only.
  std::int64_t router_visits() const { return flits_ ? flits_->router_visits() : 0; }

 private:
  struct Packet {
    std::int64_t number = 0;
    Cycle created = 0;
    Cycle entered = 0;
    CoreId to;
    std::uint16_t flits = 0;
    std::uint16_t routers = 0;
  };
  struct Creation {
    Cycle at;
    int core;  // of the die
    friend bool operator>(const Creation& a, const Creation& b) {
      return std::tie(a.at, a.core) > std::tie(b.at, b.core);
    }
  };
  struct Message;

  void plan_first(int core);
  void plan_next(const Creation& creation);
  /// None where the destination is dead.
  std::optional<Packet> make_packet(const Creation& creation);
  void step(Cycle now);
  void create_all(Cycle now);
  void announce_next(Cycle now);
  void announce(Cycle at);
  void send_over_border(const FlitNetwork::Departure& departure);
  void return_over_border(const FlitNetwork::CreditReturn& credit);
  void receive(const Message& message);
  void travel(const Packet& packet, const Onward& onward);
  void arrive(const Packet& packet, Cycle at);
  PacketSlot keep(const Packet& packet);
  CoreId neighbour(int core, Direction direction) const;

  engine::Time edge(Cycle cycle) const { return engine::Time{cycle * model_.cycle}; }
  Cycle cycle_at(engine::Time time) const { return time.time_since_epoch() / model_.cycle; }

  const Geometry& geometry_;
  const NocModel& model_;
  const NocTraffic& traffic_;
  DieId die_;
  std::optional<FlitNetwork> flits_;   // at fidelity flit
  std::optional<DieNetwork> packets_;  // at fidelity packet
  std::optional<BernoulliGaps> gaps_;
  std::priority_queue<Creation, std::vector<Creation>, std::greater<>> creations_;
  std::vector<std::uint64_t> gap_draws_;                 // by core of the die
  std::vector<std::int64_t> packets_created_;            // by core of the die
  std::vector<std::vector<const TracedPacket*>> trace_;  // by core of the die
  std::vector<Packet> packets_under_way_;                // by PacketSlot
  std::vector<PacketSlot> free_slots_;
  Cycle next_step_ = kNoCycle;
  NocArrivals arrivals_;
  std::vector<TracedArrival> traced_;
  engine::Scheduler* scheduler_ = nullptr;  ///< of the event being handled
};

}  // namespace ouro::wafer
