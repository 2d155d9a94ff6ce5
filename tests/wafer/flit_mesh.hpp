#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "wafer/flit_network.hpp"

namespace ouro::tests {

/// The dies of a wafer; hands on what crosses a border.
class Mesh {
 public:
  Mesh(const wafer::Geometry& geometry, const wafer::NocModel& model) : geometry_{geometry}, model_{model} {
    for (int die = 0; die < geometry.dies(); ++die)
      dies_.emplace_back(geometry_, model_, wafer::DieId{static_cast<wafer::DieId::Value>(die)});
  }
  Mesh(const Mesh&) = delete;  // dies keep references

  /// A packet's slot is the same number in all dies.
  void inject(wafer::CoreId from, wafer::CoreId to, int flits) {
    const auto slot = static_cast<wafer::PacketSlot>(to_.size());
    to_.push_back(to);
    die_of(from).inject(geometry_.index_in_die(from), slot, to, flits, now_);
  }

  /// Steps until nothing moves.
  /// @return  the edge at which each packet's last flit arrived
  std::map<wafer::PacketSlot, wafer::Cycle> run() {
    std::map<wafer::PacketSlot, wafer::Cycle> arrived;
    for (wafer::Cycle now = now_; now != wafer::kNoCycle; now = next()) {
      now_ = now;
      for (auto& die : dies_) die.step(now);
      for (auto& die : dies_) {
        for (const auto& packet : die.ejected()) {
          EXPECT_TRUE(arrived.emplace(packet.slot, packet.at).second) << "a packet arrives once";
        }
        for (const auto& flit : die.departures()) {
          const auto [core, port] = beyond(die, flit.output.core, flit.output.port);
          die_of(core).receive_flit(flit.arrival, place(core, port, flit.output.vc), flit.head, flit.tail,
                                    flit.slot, to_[flit.slot], flit.via);
        }
        for (const auto& credit : die.credits()) {
          const auto [core, port] = beyond(die, credit.input.core, credit.input.port);
          die_of(core).receive_credit(credit.arrival, place(core, port, credit.input.vc));
        }
      }
    }
    return arrived;
  }

  wafer::FlitNetwork& die_of(wafer::CoreId core) { return dies_[geometry_.die_of(core).value()]; }
  const wafer::Geometry& geometry() const { return geometry_; }

 private:
  wafer::Cycle next() const {
    wafer::Cycle earliest = wafer::kNoCycle;
    for (const auto& die : dies_) earliest = std::min(earliest, die.next_cycle());
    return earliest;
  }
  /// The core on the other side of a link, and the side on which it has the link.
  std::pair<wafer::CoreId, int> beyond(const wafer::FlitNetwork& die, int core, int port) const {
    constexpr std::array<int, 4> kOpposite{1, 0, 3, 2};  // of east, west, north, south
    const wafer::DieId id{static_cast<wafer::DieId::Value>(&die - dies_.data())};
    const auto at = geometry_.coordinate(geometry_.core_of_die(id, core));
    return {geometry_.core_at(step(at, static_cast<wafer::Direction>(port))),
            kOpposite[static_cast<std::size_t>(port)]};
  }
  wafer::LinkVc place(wafer::CoreId core, int port, std::uint8_t vc) const {
    return {static_cast<std::uint16_t>(geometry_.index_in_die(core)), static_cast<std::uint8_t>(port), vc};
  }

  wafer::Geometry geometry_;
  wafer::NocModel model_;
  std::vector<wafer::FlitNetwork> dies_;
  std::vector<wafer::CoreId> to_;
  wafer::Cycle now_ = 0;
};

}  // namespace ouro::tests
