#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "wafer/flit_die.hpp"

namespace ouro::tests {

/// The dies of a wafer at `flit` fidelity, each driven by events as its logical process would be.
class FlitWafer {
 public:
  FlitWafer(const wafer::Geometry& geometry, const wafer::NocModel& model)
      : geometry_{geometry}, model_{model} {
    for (int die = 0; die < geometry.dies(); ++die)
      dies_.emplace_back(geometry_, model_, wafer::DieId{static_cast<wafer::DieId::Value>(die)});
    slots_.resize(dies_.size());
  }
  FlitWafer(const FlitWafer&) = delete;  // dies keep references
  FlitWafer& operator=(const FlitWafer&) = delete;

  /// Packets are numbered as they are sent.
  void send(wafer::CoreId from, wafer::CoreId to, int flits, engine::Time ready = {}) {
    const Packet packet{numbers_++, to, flits};
    at(ready, [=, this] {
      const auto die = number_of(from);
      dies_[die].inject(ready, geometry_.index_in_die(from), slots_[die].keep(packet), to, flits);
      send_alarm(die);
    });
  }
  /// @param ready  when the first flit is at the near end of the host's link
  void send_from_host(wafer::CoreId to, int flits, engine::Time ready) {
    const Packet packet{numbers_++, to, flits};
    at(ready, [=, this] {
      const auto die = number_of(geometry_.core_at(model_.host));
      dies_[die].inject_from_host(ready, slots_[die].keep(packet), to, flits);
      send_alarm(die);
    });
  }

  /// @return  when each packet's tail arrived
  const std::map<int, engine::Time>& run(engine::Time until = engine::kNever) {
    while (!agenda_.empty() && agenda_.begin()->first < until) {
      auto first = agenda_.extract(agenda_.begin());
      now_ = first.key();
      first.mapped()();
    }
    return arrived_;
  }

  /// As if each die had been written to a checkpoint, and read into a new one.
  void restart() {
    for (std::size_t die = 0; die < dies_.size(); ++die) {
      const auto bytes = engine::to_bytes(dies_[die]);
      std::destroy_at(&dies_[die]);
      std::construct_at(&dies_[die], geometry_, model_, wafer::DieId{static_cast<wafer::DieId::Value>(die)});
      engine::from_bytes(bytes, dies_[die]);
      EXPECT_EQ(engine::to_bytes(dies_[die]), bytes);
    }
  }

  /// Of the packets that have arrived or left a die.
  const wafer::Travel& travel() const { return travel_; }
  const wafer::FlitNetwork& network_of(wafer::CoreId core) const { return dies_[number_of(core)].network(); }
  bool is_idle() const {
    for (std::size_t die = 0; die < dies_.size(); ++die) {
      if (!dies_[die].network().is_idle() || !slots_[die].empty()) return false;
    }
    return true;
  }
  std::size_t sent() const { return static_cast<std::size_t>(numbers_); }

 private:
  struct Packet {
    int number = 0;
    wafer::CoreId to;
    int flits = 0;
  };

  void at(engine::Time when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }
  std::size_t number_of(wafer::CoreId core) const { return geometry_.die_of(core).value(); }

  void send_alarm(std::size_t die) {
    const auto when = dies_[die].take_alarm();
    if (when) at(*when, [=, this] { step(die); });
  }

  void step(std::size_t number) {
    auto& die = dies_[number];
    const auto edge = die.edge_due(now_);
    if (!edge) return;
    die.step(*edge);
    for (const auto& crossing : die.crossings()) {
      const auto packet = slots_[number][crossing.slot];
      if (crossing.event.is_tail()) leave(number, crossing.slot, true);
      at(crossing.time, [=, this, to = crossing.die.value(), event = crossing.event] {
        const auto slot = event.is_head() ? slots_[to].keep(packet) : 0;
        dies_[to].receive(now_, event, slot, packet.to);
        send_alarm(to);
      });
    }
    for (const auto& packet : die.at_cores()) arrive(number, packet, false);
    for (const auto& packet : die.at_host()) arrive(number, packet, true);
    send_alarm(number);
  }

  void arrive(std::size_t die, const wafer::FlitDie::Arrival& packet, bool at_host) {
    EXPECT_TRUE(arrived_.emplace(slots_[die][packet.slot].number, packet.time).second) << "arrives once";
    leave(die, packet.slot, at_host);
  }

  void leave(std::size_t die, wafer::PacketSlot slot, bool crosses_border) {
    const auto travel = dies_[die].travel(slot, slots_[die][slot].flits, crosses_border);
    travel_.hop_bits += travel.hop_bits;
    travel_.crossing_bits += travel.crossing_bits;
    slots_[die].release(slot);
  }

  wafer::Geometry geometry_;
  wafer::NocModel model_;
  std::deque<wafer::FlitDie> dies_;
  std::deque<wafer::PacketSlots<Packet>> slots_;
  std::multimap<engine::Time, std::function<void()>> agenda_;
  std::map<int, engine::Time> arrived_;
  wafer::Travel travel_;
  engine::Time now_{};
  int numbers_ = 0;
};

}  // namespace ouro::tests
