#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/event.hpp"

namespace ouro::engine {

/// The pending events of one rank, taken out in their total order.
///
/// A calendar: events of the near future lie unsorted in buckets of equal width, and a bucket is sorted when
/// it is reached; events beyond the last bucket wait in a heap. Width and number of buckets follow the
/// events, which changes no order. Events lie in a pool, so each is copied once on its way in and once on its
/// way out, and nothing is allocated once pool and buckets have grown to their largest.
///
/// Source: R. Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation event
/// set problem", CACM 31(10), 1988; tests/bench/phold_bench compares it with the hold model's limit.
class EventQueue {
 public:
  EventQueue();

  bool empty() const { return today_.empty(); }
  std::size_t size() const { return size_; }

  /// Time of the earliest event; kNever if there is none.
  Time next_time() const { return today_.empty() ? kNever : today_.back().time; }

  /// @return  slot of the event: a small number that no other pending event has
  std::uint32_t push(const Event& event);

  /// Slot of the earliest event; the queue must not be empty.
  std::uint32_t earliest_slot() const { return today_.back().slot; }

  /// Takes the earliest event out; the queue must not be empty.
  Event pop();

  /// Calls `visit` with every event, in no order.
  template <class Visitor>
  void for_each(const Visitor& visit) const {
    for (const auto& node : today_) visit(pool_[node.slot]);
    for (const auto first : buckets_) {
      for (auto slot = first; slot != kEnd; slot = next_[slot]) visit(pool_[slot]);
    }
    for (const auto& node : far_) visit(pool_[node.slot]);
  }

 private:
  struct Node {
    Time time;
    LpId to;
    std::uint32_t slot;  // in the pool
  };
  static constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();  // of a list of slots

  bool later(const Node& a, const Node& b) const;
  std::uint32_t store(const Event& event);
  std::uint64_t day_of(Time time) const {
    return static_cast<std::uint64_t>(picoseconds(time)) >> width_bits_;
  }

  void place(const Node& node);
  void open_bucket(std::size_t bucket);
  void insert_today(const Node& node);
  void turn_page();
  std::uint64_t next_marked_day() const;
  void take_from_far();
  void fit();
  void rebuild(std::size_t buckets, int width_bits);

  std::vector<Event> pool_;
  std::vector<std::uint32_t> next_;  // slot after this one in the same bucket
  std::vector<std::uint32_t> unused_;

  std::vector<Node> today_;             // latest first; earlier than every bucket
  std::uint64_t day_ = 0;               // the newest that today_ holds
  int width_bits_ = 10;                 // of a day: 2^10 ps
  std::vector<std::uint32_t> buckets_;  // of the days after day_, by day modulo their number: a list of slots
  std::vector<std::uint64_t> marks_;    // a bit for each bucket that is not empty
  std::size_t in_buckets_ = 0;
  std::vector<Node> far_;  // a heap of what is beyond the buckets, earliest on top
  std::size_t size_ = 0;

  // since the last look at the fit
  std::uint64_t pops_ = 0;
  std::uint64_t pages_ = 0;
};

}  // namespace ouro::engine
