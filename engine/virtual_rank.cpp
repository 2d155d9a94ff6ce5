#include "engine/virtual_rank.hpp"

#include <algorithm>
#include <utility>

namespace ouro::engine {
namespace {

/// As Transport packs it: whether more follows, the number of events, the statement, the events.
std::size_t bytes_of_message(std::size_t events) {
  return sizeof(bool) + sizeof(std::uint64_t) + sizeof(Statement) + events * sizeof(Event);
}

}  // namespace

void VirtualInbox::put(double arrival, Batch batch) {
  auto& latest = latest_[static_cast<std::size_t>(batch.source)];
  latest = std::max(latest, arrival);
  batches_.emplace(latest, std::move(batch));  // after those that arrive at the same time
}

bool VirtualInbox::take(double now, Batch& batch) {
  if (next_arrival() > now) return false;
  batch = std::move(batches_.begin()->second);
  batches_.erase(batches_.begin());
  return true;
}

double VirtualInbox::next_arrival() const {
  return batches_.empty() ? kNoArrival : batches_.begin()->first;
}

void VirtualRank::charge_events() {
  const auto events = region_.events() - charged_events_;
  charged_events_ = region_.events();
  spend(&SynchronizationCost::events_seconds, costs_.event_seconds * static_cast<double>(events));
}

void VirtualRank::wait_until(double time) {
  if (time <= clock_) return;
  cost_.waiting_seconds += time - clock_;
  clock_ = time;
}

void VirtualRank::send(int peer, const Statement& statement, std::vector<Event>& events) {
  charge_events();  // they came before
  const auto bytes = bytes_of_message(events.size());
  charge_message(bytes);
  ++cost_.messages_sent;
  cost_.bytes_sent += bytes;
  if (events.empty()) ++cost_.promises_sent;
  const double under_way = costs_.latency_seconds + static_cast<double>(bytes) / costs_.bytes_per_second;
  inboxes_[static_cast<std::size_t>(peer)].put(clock_ + under_way, {region_.rank(), statement, events});
  events.clear();
}

bool VirtualRank::try_receive(Batch& batch) {
  if (!inboxes_[static_cast<std::size_t>(region_.rank())].take(clock_, batch)) return false;
  charge_message(bytes_of_message(batch.events.size()));
  return true;
}

void VirtualRank::charge_message(std::size_t bytes) {
  spend(&SynchronizationCost::packing_seconds,
        costs_.message_seconds + costs_.byte_seconds * static_cast<double>(bytes));
}

void VirtualRank::spend(double SynchronizationCost::*on, double seconds) {
  cost_.*on += seconds;
  clock_ += seconds;
}

std::vector<std::vector<Neighbour>> find_all_neighbours(VirtualRanks& ranks) {
  std::vector<std::vector<Reach>> reach;
  for (auto& rank : ranks) reach.push_back(reach_of(rank.region(), ranks.size()));
  std::vector<std::vector<Neighbour>> neighbours;
  std::vector<Reach> from(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    for (std::size_t other = 0; other < ranks.size(); ++other) from[other] = reach[other][rank];
    neighbours.push_back(match_neighbours(reach[rank], from));
  }
  return neighbours;
}

Duration shortest_way(VirtualRanks& ranks) {
  auto shortest = kForever;
  for (auto& rank : ranks) shortest = std::min(shortest, rank.region().shortest_way());
  return shortest;
}

double latest_clock(const VirtualRanks& ranks) {
  double latest = 0;
  for (const auto& rank : ranks) latest = std::max(latest, rank.clock());
  return latest;
}

}  // namespace ouro::engine
