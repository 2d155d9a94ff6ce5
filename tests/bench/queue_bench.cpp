// The hold model on the event queue, on the heaps at hand and on a ladder queue: take the earliest of N
// events, put one back. All must give the events in the same order.
//
//   build/release/tests/queue_bench [holds]
//
// Prints millions of holds a second, median of five interleaved rounds, for delays of L + Exp(1) with L =
// 0.1, and for delays of whole cycles as in a network, where many times are equal.

#include <fmt/core.h>

#include <algorithm>
#include <boost/heap/d_ary_heap.hpp>
#include <chrono>
#include <cstdlib>
#include <queue>
#include <vector>

#include "engine/event_queue.hpp"
#include "engine/random.hpp"
#include "tests/bench/ladder_queue.hpp"

namespace {

using namespace ouro::engine;

struct Later {
  bool operator()(const Event& a, const Event& b) const { return b < a; }
};

/// What std::priority_queue and boost's heap have in common, with the names of EventQueue.
template <class Heap>
class AsQueue {
 public:
  void push(const Event& event) { heap_.push(event); }
  Event pop() {
    const Event event = heap_.top();
    heap_.pop();
    return event;
  }

 private:
  Heap heap_;
};

using BinaryHeap = AsQueue<std::priority_queue<Event, std::vector<Event>, Later>>;
using QuaternaryHeap =
    AsQueue<boost::heap::d_ary_heap<Event, boost::heap::arity<4>, boost::heap::compare<Later>>>;

/// Drawn in advance: drawing is no part of a hold.
std::vector<Duration> draw_delays(bool cycles) {
  constexpr std::uint64_t kDelays = 1U << 16;
  std::vector<Duration> delays;
  for (std::uint64_t i = 0; i < kDelays; ++i) {
    const RandomKey key{1, random_purpose("delay"), i};
    delays.push_back(cycles ? Duration{1000 * static_cast<std::int64_t>(2 + uniform_below(300, key))}
                            : Duration{100'000} + exponential(Duration{1'000'000}, key));
  }
  return delays;
}

struct Measured {
  double rate;          ///< holds a second
  std::uint64_t order;  ///< of the events that were taken on the way to the steady state
};

template <class Queue>
Measured hold(std::uint32_t events, const std::vector<Duration>& delays, int holds) {
  Queue queue;
  std::uint64_t sequence = 0;
  const auto put = [&](Time now) {
    const auto delay = delays[sequence % delays.size()];
    queue.push({now + delay, LpId{static_cast<std::uint32_t>(sequence % events)}, LpId{0}, sequence, {}});
    ++sequence;
  };
  for (std::uint32_t i = 0; i < events; ++i) put(Time{});
  std::uint64_t order = 0;
  for (std::uint32_t i = 0; i < 4 * events; ++i) {
    const auto event = queue.pop();
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    order = (order + event.sequence + 1) * kOdd;
    put(event.time);
  }
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < holds; ++i) put(queue.pop().time);
  return {holds / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), order};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kRounds = 5;
  const int holds = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  struct Contender {
    const char* name;
    Measured (*hold)(std::uint32_t, const std::vector<Duration>&, int);
  };
  const Contender contenders[] = {{"EventQueue", hold<EventQueue>},
                                  {"binary heap", hold<BinaryHeap>},
                                  {"4-ary heap", hold<QuaternaryHeap>},
                                  {"ladder queue", hold<ouro::bench::LadderQueue>}};
  for (const bool cycles : {false, true}) {
    const auto delays = draw_delays(cycles);
    for (const std::uint32_t events : {1'024U, 16'384U, 262'144U}) {
      std::vector<double> rates[std::size(contenders)];
      std::uint64_t order = 0;
      for (int round = 0; round < kRounds; ++round) {
        for (std::size_t i = 0; i < std::size(contenders); ++i) {
          const auto measured = contenders[i].hold(events, delays, holds);
          rates[i].push_back(measured.rate);
          if (round + i == 0) order = measured.order;
          if (measured.order != order) {
            fmt::print("{} takes the events in another order\n", contenders[i].name);
            return 1;
          }
        }
      }
      fmt::print("{:>12} delays, {:>7} events:", cycles ? "whole cycles" : "exponential", events);
      for (std::size_t i = 0; i < std::size(contenders); ++i)
        fmt::print("  {} {:.1f} M/s", contenders[i].name, median(rates[i]) / 1e6);
      fmt::print("\n");
    }
  }
}
