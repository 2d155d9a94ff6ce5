#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "engine/event.hpp"

namespace ouro::bench {

/// The ladder queue, to compare EventQueue with: far events lie unsorted at the top, nearer ones in rungs of
/// buckets, where a bucket with many events becomes a rung of its own, and the nearest sorted at the bottom.
/// Buckets keep their memory, so that nothing is allocated in a steady state.
///
/// Source: W. T. Tang, R. S. M. Goh, I. L.-J. Thng, Ladder queue: an O(1) priority queue structure for
/// large-scale discrete event simulation, ACM TOMACS 15(3), 2005, with its threshold of 50 and 8 rungs.
class LadderQueue {
 public:
  void push(const engine::Event& event) {
    const auto time = engine::picoseconds(event.time);
    if (time >= top_begin_) {
      top_.push_back(event);
      return;
    }
    for (std::size_t i = 0; i < depth_; ++i) {
      if (time < rungs_[i].next_begin()) continue;
      rungs_[i].add(event);
      return;
    }
    bottom_.insert(std::upper_bound(bottom_.begin(), bottom_.end(), event, later), event);
    if (bottom_.size() > kThreshold && depth_ < kRungs) spread_bottom();
  }

  /// The queue is not empty.
  engine::Event pop() {
    while (bottom_.empty()) refill();
    const auto event = bottom_.back();
    bottom_.pop_back();
    return event;
  }

 private:
  static constexpr std::size_t kThreshold = 50;  // events that are sorted at once
  static constexpr std::size_t kRungs = 8;

  struct Rung {
    std::int64_t begin = 0;
    std::int64_t width = 1;
    std::size_t next = 0;  // bucket that is taken next
    std::size_t events = 0;
    std::vector<std::vector<engine::Event>> buckets;

    std::int64_t next_begin() const { return begin + static_cast<std::int64_t>(next) * width; }
    void add(const engine::Event& event) {
      buckets[static_cast<std::size_t>((engine::picoseconds(event.time) - begin) / width)].push_back(event);
      ++events;
    }
    /// For about one event a bucket of `count` events from `first` on, all before `end`.
    void lay_out(std::int64_t first, std::int64_t end, std::size_t count) {
      const auto wanted = static_cast<std::int64_t>(count);
      begin = first;
      width = std::max<std::int64_t>(1, (end - first + wanted - 1) / wanted);
      next = events = 0;
      const auto needed = static_cast<std::size_t>((end - first + width - 1) / width);
      if (buckets.size() < needed) buckets.resize(needed);
    }
  };

  static bool later(const engine::Event& a, const engine::Event& b) { return b < a; }

  void sort_into_bottom(std::vector<engine::Event>& events) {
    std::swap(bottom_, events);
    events.clear();
    std::sort(bottom_.begin(), bottom_.end(), later);
  }
  void spread(std::vector<engine::Event>& events, std::int64_t begin, std::int64_t end) {
    auto& rung = rungs_[depth_++];
    rung.lay_out(begin, end, events.size());
    for (const auto& event : events) rung.add(event);
    events.clear();
  }
  /// So many came before the innermost rung that sorting them in is no longer cheap.
  void spread_bottom() {
    const auto begin = engine::picoseconds(bottom_.back().time);
    const auto end = depth_ > 0 ? rungs_[depth_ - 1].next_begin() : top_begin_;
    spread(bottom_, begin, end);
  }
  /// Brings the nearest events one step nearer.
  void refill() {
    while (depth_ > 0 && rungs_[depth_ - 1].events == 0) --depth_;
    if (depth_ == 0) return take_top();
    auto& rung = rungs_[depth_ - 1];
    while (rung.buckets[rung.next].empty()) ++rung.next;
    auto& bucket = rung.buckets[rung.next];
    const auto begin = rung.next_begin();
    rung.events -= bucket.size();
    ++rung.next;
    if (bucket.size() <= kThreshold || rung.width == 1 || depth_ == kRungs) {
      sort_into_bottom(bucket);
    } else {
      spread(bucket, begin, begin + rung.width);
    }
  }
  void take_top() {
    const auto [first, last] = std::minmax_element(
        top_.begin(), top_.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    const auto begin = engine::picoseconds(first->time);
    const auto end = engine::picoseconds(last->time) + 1;
    top_begin_ = end;
    if (top_.size() <= kThreshold) {
      sort_into_bottom(top_);
    } else {
      spread(top_, begin, end);
    }
  }

  std::vector<engine::Event> top_;
  std::int64_t top_begin_ = std::numeric_limits<std::int64_t>::min();
  std::array<Rung, kRungs> rungs_;
  std::size_t depth_ = 0;
  std::vector<engine::Event> bottom_;  // the earliest last
};

}  // namespace ouro::bench
