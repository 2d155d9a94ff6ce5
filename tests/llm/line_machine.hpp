#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "wafer/energy.hpp"

namespace ouro::tests {

using Cycle = std::int64_t;

/// What is to be done when, in cycles; first come, first served at the same cycle.
class Agenda {
 public:
  void at(Cycle when, std::function<void()> what) { items_.emplace(when, std::move(what)); }

  void run() {
    while (!items_.empty()) {
      auto first = items_.extract(items_.begin());
      now_ = first.key();
      first.mapped()();
    }
  }
  Cycle now() const { return now_; }

 private:
  std::multimap<Cycle, std::function<void()>> items_;
  Cycle now_ = 0;
};

/// The network of a line of cores at the default latencies, written from the description of DieNetwork and
/// not from its code: a link is taken for as many cycles as the packet has flits, after those whose heads
/// were there before, in the first gap between the others; links of the next die are taken when the head gets
/// there.
class Line {
 public:
  static constexpr int kHost = -1;
  using Arrived = std::function<void(Cycle tail)>;

  Line(Agenda& agenda, int cores, int cores_of_die)
      : agenda_{agenda},
        cores_of_die_{cores_of_die},
        in_(static_cast<std::size_t>(cores)),
        out_(in_),
        east_(in_),
        west_(in_) {}

  /// Now. `arrived` is told at once, or when the head enters the last die.
  void send(int from, int to, int bytes, const Arrived& arrived) {
    const int flits = flits_of(bytes);
    buffer_bits_ += 2 * 256 * flits;
    walk(from, to, flits, take(in_, from, agenda_.now(), flits) + 1, arrived);
  }

  void send_from_host(int to, int bytes, const Arrived& arrived) {
    const Cycle head = agenda_.now() + 1 + 4;
    agenda_.at(head, [=, this] { walk(0, to, flits_of(bytes), head, arrived); });
  }

  /// To each core of a run that begins at the source.
  void multicast(int from, int count, int bytes, const std::function<void(int index, Cycle tail)>& arrived) {
    const int flits = flits_of(bytes);
    buffer_bits_ += 2 * 256 * flits;
    branch(from, from, count, flits, take(in_, from, agenda_.now(), flits) + 1, arrived);
  }

  wafer::EnergyCounts counts() const {
    wafer::EnergyCounts counts;
    counts[wafer::Component::hop] = hop_bits_;
    counts[wafer::Component::die_crossing] = crossing_bits_;
    counts[wafer::Component::buffer] = buffer_bits_;
    return counts;
  }

 private:
  struct Turn {
    Cycle head, begin, end;
    friend bool operator<(const Turn& a, const Turn& b) { return a.begin < b.begin; }
  };
  using Links = std::vector<std::multiset<Turn>>;

  static int flits_of(int bytes) { return (bytes + 31) / 32; }

  static Cycle take(Links& links, int at, Cycle head, int flits) {
    auto& turns = links[static_cast<std::size_t>(at)];
    Cycle begin = head;
    for (const auto& turn : turns) {
      const bool in_the_way = turn.begin < begin + flits && begin < turn.end;
      if (turn.head <= head || in_the_way) begin = std::max(begin, turn.end);
    }
    turns.insert({head, begin, begin + flits});
    return begin;
  }

  /// Over the link from `at` to `to`, its neighbour or the host.
  /// @return  when the head is at the next router, a die border left out
  Cycle cross(int at, int to, int flits, Cycle head) {
    hop_bits_ += 256 * flits;
    return take(to > at ? east_ : west_, at, head + 1, flits) + 1;
  }

  bool is_border(int at, int to) const { return to == kHost || at / cores_of_die_ != to / cores_of_die_; }

  void eject(int at, int flits, Cycle head, const Arrived& arrived) {
    buffer_bits_ += 2 * 256 * flits;
    arrived(take(out_, at, head + 1, flits) + 2 + flits - 1);
  }

  void walk(int at, int to, int flits, Cycle head, const Arrived& arrived) {
    while (at != to) {
      const int next = to > at ? at + 1 : at - 1;
      head = cross(at, next, flits, head);
      if (is_border(at, next)) {
        crossing_bits_ += 256 * flits;
        const Cycle entered = head + 4;
        if (next == kHost) return arrived(entered + flits - 1);
        return agenda_.at(entered, [=, this] { walk(next, to, flits, entered, arrived); });
      }
      at = next;
    }
    eject(at, flits, head, arrived);
  }

  void branch(int from, int at, int count, int flits, Cycle head, std::function<void(int, Cycle)> arrived) {
    while (true) {
      eject(at, flits, head, [&](Cycle tail) { arrived(at - from, tail); });
      const int next = at + 1;
      if (next == from + count) return;
      head = cross(at, next, flits, head);
      if (is_border(at, next)) {
        crossing_bits_ += 256 * flits;
        const Cycle entered = head + 4;
        return agenda_.at(entered, [=, this] { branch(from, next, count, flits, entered, arrived); });
      }
      at = next;
    }
  }

  Agenda& agenda_;
  int cores_of_die_;
  Links in_, out_, east_, west_;
  std::int64_t hop_bits_ = 0;
  std::int64_t crossing_bits_ = 0;
  std::int64_t buffer_bits_ = 0;
};

}  // namespace ouro::tests
