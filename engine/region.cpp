#include "engine/region.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/error.hpp"

namespace ouro::engine {

Region::Region(int rank, int ranks, Placement placement, const LpFactory& make)
    : rank_{rank},
      placement_{std::move(placement)},
      slots_(placement_.size()),
      outgoing_(static_cast<std::size_t>(ranks)) {
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (placement_[index] != rank_ && placement_[index] != kEveryRank) continue;
    const LpId id{static_cast<LpId::Value>(index)};
    auto& slot = slots_[index];
    slot.lp = make(id);
    slot.channels = slot.lp->channels();
    slot.replicated = placement_[index] == kEveryRank;
    check_channels(id, slot);
  }
  find_peers();
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].lp) continue;
    Scheduler scheduler{*this, LpId{static_cast<LpId::Value>(index)}, Time{}};
    slots_[index].lp->start(scheduler);
  }
}

void Region::check_channels(LpId id, const Slot& slot) {
  if (slot.replicated) return;  // its copies are everywhere, so what it sends crosses no border
  const auto refuse = [&](const std::string& to) {
    throw ContractError{fmt::format("'{}' promises no lookahead to {}", slot.lp->name(), to)};
  };
  for (const auto& channel : slot.channels.to) {
    if (channel.to.value() >= placement_.size()) {
      throw ContractError{
          fmt::format("'{}' has a channel to LP {}, which is none", slot.lp->name(), channel.to.value())};
    }
    if (channel.to != id && channel.lookahead <= Duration::zero())
      refuse(fmt::format("LP {}", channel.to.value()));
  }
  if (slot.channels.to_any && *slot.channels.to_any <= Duration::zero()) refuse("every other LP");
}

void Region::find_peers() {
  std::set<int> peers;
  const auto reach = [&](LpId to, Duration lookahead) {
    const int rank = placement_[to.value()];
    if (rank == rank_) return;
    if (rank == kEveryRank) {
      for (int peer = 0; peer < static_cast<int>(outgoing_.size()); ++peer) peers.insert(peer);
    } else {
      peers.insert(rank);
    }
    lookahead_ = std::min(lookahead_, lookahead);
  };
  for (const auto& slot : slots_) {
    if (!slot.lp || slot.replicated) continue;
    for (const auto& channel : slot.channels.to) reach(channel.to, channel.lookahead);
    if (!slot.channels.to_any) continue;
    for (std::size_t to = 0; to < placement_.size(); ++to)
      reach(LpId{static_cast<LpId::Value>(to)}, *slot.channels.to_any);
  }
  peers.erase(rank_);
  peers_.assign(peers.begin(), peers.end());
}

void Region::run_before(Time bound) {
  while (queue_.next_time() < bound) {
    const Event event = queue_.pop();
    auto& slot = slots_[event.to.value()];
    slot.clock = event.time;
    slot.digest.add(event);
    ++slot.events;
    ++events_;
    Scheduler scheduler{*this, event.to, event.time};
    slot.lp->handle(event, scheduler);
  }
}

void Region::receive(std::span<const Event> events) {
  for (const auto& event : events) {
    check_clock(event);
    queue_.push(event);
  }
}

void Region::check_clock(const Event& event) const {
  const auto& slot = slots_[event.to.value()];
  if (event.time >= slot.clock) return;
  throw CausalityError{fmt::format("'{}' stands at {} ps and receives an event for {} ps from LP {}",
                                   slot.lp->name(), picoseconds(slot.clock), picoseconds(event.time),
                                   event.from.value())};
}

void Region::check_lookahead(const Slot& sender, LpId from, LpId to, Duration delay) const {
  Duration promised{};
  if (from != to && !sender.replicated) {
    const auto& channels = sender.channels.to;
    const auto found =
        std::find_if(channels.begin(), channels.end(), [&](const Channel& c) { return c.to == to; });
    if (found == channels.end() && !sender.channels.to_any) {
      throw CausalityError{
          fmt::format("'{}' sends to LP {} but promised never to", sender.lp->name(), to.value())};
    }
    promised = found == channels.end() ? *sender.channels.to_any : found->lookahead;
  }
  if (delay < promised) {
    throw CausalityError{fmt::format(
        "'{}' at {} ps sends to LP {} after {} ps, below the promised lookahead of {} ps", sender.lp->name(),
        picoseconds(sender.clock), to.value(), delay.count(), promised.count())};
  }
}

Event Region::make_event(LpId from, LpId to, Duration delay) {
  auto& sender = slots_[from.value()];
  check_lookahead(sender, from, to, delay);
  Event event;
  event.time = sender.clock + delay;
  event.to = to;
  event.from = from;
  event.sequence = sender.sent++;
  return event;
}

void Region::deliver(const Event& event) {
  const int rank = placement_[event.to.value()];
  const bool replica_sends = slots_[event.from.value()].replicated;
  if (rank == rank_ || rank == kEveryRank) {
    queue_.push(event);
  }
  if (rank == rank_ || replica_sends) return;
  if (rank != kEveryRank) {
    outgoing_[static_cast<std::size_t>(rank)].push_back(event);
    return;
  }
  for (const int peer : peers_) outgoing_[static_cast<std::size_t>(peer)].push_back(event);
}

std::vector<Region::LpReport> Region::reports() const {
  std::vector<LpReport> result;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    const auto& slot = slots_[index];
    if (!slot.lp) continue;
    result.push_back(
        {LpId{static_cast<LpId::Value>(index)}, slot.digest.value(), slot.events, slot.replicated});
  }
  return result;
}

}  // namespace ouro::engine
