#include "engine/virtual_windows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

void work_before(VirtualRank& rank, Time bound) {
  rank.region().run_before(bound, kAllEvents);
  rank.charge_events();
}

}  // namespace

VirtualWindows::VirtualWindows(VirtualRanks& ranks, double collective_seconds)
    : ranks_{ranks},
      collective_seconds_{collective_seconds},
      neighbours_{find_all_neighbours(ranks)},
      onward_(ranks.size(), kForever),
      shortest_{shortest_way(ranks)},
      busiest_{ranks.size()},
      counted_(ranks.size(), 0) {
  for (std::size_t i = 0; i < ranks.size(); ++i) onward_[i] = ranks[i].region().transit_to_all();
}

void VirtualWindows::run_until(Time stop) {
  while (true) {
    end_window();
    Agreement agreement;
    for (auto& rank : ranks_) add_state(rank, agreement);
    for (auto& rank : ranks_) send_batches(rank);
    const double agreed = latest_clock(ranks_) + collective_seconds_;
    for (auto& rank : ranks_) {
      receive_batches(rank);
      work_before(rank, std::min(later_by(reached_, shortest_), stop));
      rank.wait_until(agreed);
    }
    if (agreement.next_event >= stop) return;

    if (agreement.promise <= agreement.next_event) {
      throw ContractError{fmt::format("the earliest event is at {} ps and promises nothing after {} ps",
                                      picoseconds(agreement.next_event), picoseconds(agreement.promise))};
    }
    reached_ = std::min(agreement.promise, stop);
    for (auto& rank : ranks_) {
      work_before(rank, reached_);
      rank.count_stretch();
    }
  }
}

/// As WindowSynchronizer counts: from one agreement to the next.
void VirtualWindows::end_window() {
  for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
    const auto events = ranks_[rank].region().events();
    busiest_.add(rank, events - std::exchange(counted_[rank], events));
  }
  busiest_.end_window();
}

const std::vector<Neighbour>& VirtualWindows::neighbours_of(VirtualRank& rank) const {
  return neighbours_[static_cast<std::size_t>(rank.region().rank())];
}

void VirtualWindows::add_state(VirtualRank& rank, Agreement& agreement) const {
  auto& region = rank.region();
  agreement.next_event = std::min(agreement.next_event, region.next_time());
  agreement.promise = std::min(agreement.promise, region.promise_to_all());
  for (const auto& neighbour : neighbours_of(rank)) {
    const auto onward = onward_[static_cast<std::size_t>(neighbour.rank)];
    const Time sent = earliest_of(region.outgoing(neighbour.rank));
    agreement.next_event = std::min(agreement.next_event, sent);
    agreement.promise = std::min(agreement.promise, later_by(sent, onward));
  }
  rank.charge_promises();
}

void VirtualWindows::send_batches(VirtualRank& rank) const {
  for (const auto& neighbour : neighbours_of(rank)) {
    if (neighbour.hears_from_here) rank.send(neighbour.rank, {}, rank.region().outgoing(neighbour.rank));
  }
}

void VirtualWindows::receive_batches(VirtualRank& rank) {
  for (const auto& neighbour : neighbours_of(rank)) {
    if (!neighbour.sends_here) continue;
    rank.wait_until(rank.next_arrival());
    rank.try_receive(batch_);  // of whoever's comes next
    rank.region().receive(batch_.events, reached_);
  }
}

}  // namespace ouro::engine
