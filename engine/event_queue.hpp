#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/event.hpp"

namespace ouro::engine {

/// The pending events of one rank, taken out in their total order.
///
/// A 4-ary heap of small nodes over a pool of events: an event is copied once on its way in and once on its
/// way out, and nothing is allocated once the pool has grown to its largest.
class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }

  /// Time of the earliest event; kNever if there is none.
  Time next_time() const { return heap_.empty() ? kNever : heap_.front().time; }

  void push(const Event& event);

  /// Takes the earliest event out; the queue must not be empty.
  Event pop();

 private:
  struct Node {
    Time time;
    LpId to;
    std::uint32_t slot;  // in the pool
  };

  bool before(const Node& a, const Node& b) const;
  std::uint32_t store(const Event& event);

  std::vector<Node> heap_;
  std::vector<Event> pool_;
  std::vector<std::uint32_t> unused_;
};

}  // namespace ouro::engine
