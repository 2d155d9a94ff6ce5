#pragma once

#include <span>
#include <vector>

#include "wafer/die_network.hpp"

namespace ouro::tests {

/// Where a packet ended, and when its tail was there.
struct Delivery {
  wafer::Onward::To to{};
  wafer::CoreId core;
  engine::Time tail{};
};

/// The networks of all dies of a wafer. It hands on at once what crosses a border.
class SmallWafer {
 public:
  SmallWafer(const wafer::Geometry& geometry, const wafer::NocModel& model)
      : geometry_{geometry}, model_{model} {
    for (int die = 0; die < geometry.dies(); ++die) {
      dies_.emplace_back(geometry_, model_, wafer::DieId{static_cast<wafer::DieId::Value>(die)});
    }
  }
  SmallWafer(const SmallWafer&) = delete;  // dies keep references
  SmallWafer& operator=(const SmallWafer&) = delete;

  const wafer::Geometry& geometry() const { return geometry_; }
  const wafer::NocModel& model() const { return model_; }
  wafer::CoreId core(wafer::Coordinate at) const { return geometry_.core_at(at); }
  wafer::DieNetwork& die_of(wafer::CoreId core) { return dies_[geometry_.die_of(core).value()]; }

  Delivery send(wafer::CoreId from, wafer::CoreId to, int flits, engine::Time ready = {}) {
    return follow(die_of(from).inject(from, to, flits, ready, travel_), to, flits);
  }
  Delivery send(wafer::Coordinate from, wafer::Coordinate to, int flits, engine::Time ready = {}) {
    return send(core(from), core(to), flits, ready);
  }
  /// @param head  when the head is at the router of the host's link
  Delivery send_from_host(wafer::CoreId to, int flits, engine::Time head) {
    const auto at = geometry_.core_at(model_.host);
    const auto via = model_.routing.waypoint(at, to);
    return follow(die_of(at).enter(at, to, flits, head, travel_, via), to, flits);
  }
  Delivery send_to_host(wafer::Coordinate from, int flits, engine::Time ready = {}) {
    return send(core(from), geometry_.host_id(), flits, ready);
  }

  std::vector<Delivery> send(const wafer::MulticastTree& tree, int flits, engine::Time ready = {}) {
    std::vector<Delivery> delivered;
    follow(die_of(tree.source()).inject(tree, flits, ready, travel_), tree, flits, delivered);
    return delivered;
  }

  /// Sums over all that was sent.
  const wafer::Travel& travel() const { return travel_; }

  const wafer::LinkUse& use(wafer::CoreId core, int port) const {
    return dies_[geometry_.die_of(core).value()].use(geometry_.index_in_die(core), port);
  }
  const wafer::LinkUse& use(wafer::Coordinate at, wafer::Direction direction) const {
    return use(core(at), static_cast<int>(direction));
  }

 private:
  Delivery follow(wafer::Onward onward, wafer::CoreId to, int flits) {
    while (onward.to == wafer::Onward::To::die) {
      onward = dies_[onward.die.value()].enter(onward.core, to, flits, onward.time, travel_, onward.via);
    }
    return {onward.to, onward.core, onward.time};
  }

  void follow(std::span<const wafer::Onward> branches, const wafer::MulticastTree& tree, int flits,
              std::vector<Delivery>& delivered) {
    const std::vector<wafer::Onward> copy(branches.begin(),
                                          branches.end());  // valid until the next call only
    for (const auto& branch : copy) {
      if (branch.to == wafer::Onward::To::core) {
        delivered.push_back({branch.to, branch.core, branch.time});
        continue;
      }
      const auto segment = branch.core.value();
      follow(dies_[branch.die.value()].enter(tree, segment, flits, branch.time, travel_), tree, flits,
             delivered);
    }
  }

  wafer::Geometry geometry_;
  wafer::NocModel model_;
  std::vector<wafer::DieNetwork> dies_;
  wafer::Travel travel_;
};

/// Steps of the dimension-order way, along x first.
inline std::vector<std::pair<wafer::Coordinate, wafer::Direction>> dimension_order_way(wafer::Coordinate at,
                                                                                       wafer::Coordinate to) {
  using wafer::Direction;
  std::vector<std::pair<wafer::Coordinate, Direction>> way;
  const auto go = [&](Direction direction) {
    way.emplace_back(at, direction);
    at = step(at, direction);
  };
  while (at.x < to.x) go(Direction::east);
  while (at.x > to.x) go(Direction::west);
  while (at.y < to.y) go(Direction::south);
  while (at.y > to.y) go(Direction::north);
  return way;
}

}  // namespace ouro::tests
