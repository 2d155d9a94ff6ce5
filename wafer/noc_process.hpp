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
#include "wafer/flit_die.hpp"
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
  std::int64_t flits_sent(int core, int port) const {
    return flits_ ? flits_->network().use(core, port).flits : packets_->use(core, port).flits;
  }
  /// Flits that went through routers, each counted once for each; `flit` only.
  std::int64_t router_visits() const { return flits_ ? flits_->network().router_visits() : 0; }

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
  void create_all(Cycle now);
  void inject(int core, const Packet& packet);
  void wake_for_creation();
  void send_alarm();
  void step_flits();
  void send(const FlitDie::Crossing& crossing);
  void receive_flits(const Message& message);
  void travel(const Packet& packet, const Onward& onward);
  void arrive(const Packet& packet, Cycle at);

  engine::Time edge(Cycle cycle) const { return engine::Time{cycle * model_.cycle}; }
  Cycle cycle_at(engine::Time time) const { return time.time_since_epoch() / model_.cycle; }

  const Geometry& geometry_;
  const NocModel& model_;
  const NocTraffic& traffic_;
  DieId die_;
  std::optional<FlitDie> flits_;       // at fidelity flit
  std::optional<DieNetwork> packets_;  // at fidelity packet
  std::optional<BernoulliGaps> gaps_;
  std::priority_queue<Creation, std::vector<Creation>, std::greater<>> creations_;
  std::vector<std::uint64_t> gap_draws_;                 // by core of the die
  std::vector<std::int64_t> packets_created_;            // by core of the die
  std::vector<std::vector<const TracedPacket*>> trace_;  // by core of the die
  PacketSlots<Packet> under_way_;                        // in this die, at fidelity flit
  NocArrivals arrivals_;
  std::vector<TracedArrival> traced_;
  engine::Scheduler* scheduler_ = nullptr;  ///< of the event being handled
};

}  // namespace ouro::wafer
