#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/error.hpp"
#include "engine/region.hpp"

namespace ouro::engine {

// ---- what can be sent where
// ------------------------------------------------------------------------------------

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

Border Region::find_border() const {
  const std::set<int> all{placement_.begin(), placement_.end()};
  std::set<int> places;
  for (const auto& slot : slots_) {
    if (!slot.lp || slot.replicated) continue;
    for (const auto& channel : slot.channels.to) places.insert(placement_[channel.to.value()]);
    if (slot.channels.to_any) places.insert(all.begin(), all.end());
  }
  return {std::move(places), rank_, static_cast<int>(outgoing_.size())};
}

/// Of each LP, the shortest way of a signal over channels to each target.
void Region::find_ways_over_channels() {
  for (auto& slot : slots_) {
    if (!slot.lp) continue;
    slot.by_channels.assign(border_.targets.size(), kForever);
    if (slot.replicated) continue;
    if (slot.channels.to_any)
      std::fill(slot.by_channels.begin(), slot.by_channels.end(), *slot.channels.to_any);
    for (const auto& channel : slot.channels.to) {
      const auto target = border_.find(placement_[channel.to.value()]);
      if (target) slot.by_channels[*target] = std::min(slot.by_channels[*target], channel.lookahead);
    }
  }
  for (bool shorter = !border_.targets.empty(); shorter;) {
    shorter = false;
    for (auto& slot : slots_) shorter = (slot.lp && shorten_ways_over(slot)) || shorter;
  }
}

bool Region::shorten_ways_over(Slot& slot) {
  bool shorter = false;
  const auto go_over = [&](const Slot& next, Duration delay) {
    for (std::size_t i = 0; i < slot.by_channels.size(); ++i) {
      const auto way = sum(delay, next.by_channels[i]);
      shorter = shorter || way < slot.by_channels[i];
      slot.by_channels[i] = std::min(slot.by_channels[i], way);
    }
  };
  if (slot.replicated) {  // it may send to any LP of this rank, at once
    for (const auto& next : slots_) {
      if (next.lp && !next.replicated) go_over(next, Duration::zero());
    }
    return shorter;
  }
  for (const auto& channel : slot.channels.to) {
    const auto& next = slots_[channel.to.value()];
    if (next.lp && &next != &slot) go_over(next, channel.lookahead);
  }
  return shorter;  // a channel to any LP leads to any target directly
}

// ---- promises
// ------------------------------------------------------------------------------------------------

namespace {

std::string name_of(int target) {
  return target == kEveryRank ? "the replicated LPs" : fmt::format("rank {}", target);
}

}  // namespace

void Region::choose_promises(Lookahead lookahead) {
  const auto targets = border_.targets.size();
  bool foresight = false, alike = true;
  std::vector<Duration> least(targets, kForever);
  const Slot* first = nullptr;
  for (const auto& slot : slots_) {
    if (!slot.lp) continue;
    if (first == nullptr) first = &slot;
    foresight = foresight || slot.has_foresight;
    alike = alike && slot.by_channels == first->by_channels;
    for (std::size_t i = 0; i < targets; ++i) least[i] = std::min(least[i], slot.by_channels[i]);
  }
  for (const auto way : least) shortest_way_ = std::min(shortest_way_, way);
  if (targets > 0 && lookahead != Lookahead::link && (foresight || !alike)) {
    table_.emplace(targets);
    scratch_least_.resize(targets);
    scratch_promises_.resize(targets);
    held_.emplace(targets);
    find_transit();
  } else {
    constant_ = least;
    transit_ = least;
  }
}

void Region::find_transit() {
  transit_.assign(border_.targets.size(), kForever);
  for (const auto& slot : slots_) {
    if (!slot.lp) continue;
    if (slot.has_foresight) {
      slot.lp->foresee_arrivals(scratch_least_);
    } else {
      scratch_least_ = slot.by_channels;
    }
    for (std::size_t i = 0; i < transit_.size(); ++i) transit_[i] = std::min(transit_[i], scratch_least_[i]);
  }
}

/// What follows from a pending event is led to by it alone, or is set free by something that happens here,
/// which is not before the earliest pending event.
Time Region::promise_for(std::size_t target) const {
  if (!table_) return later_by(next_time(), constant_[target]);
  return std::min(table_->least(target), later_by(next_time(), held_->least(target)));
}

Time Region::promise_to(int peer) const {
  Time promise = kNever;
  for (const int rank : {peer, kEveryRank}) {
    const auto target = border_.find(rank);
    if (!target) continue;
    promise = std::min(promise, promise_for(*target));
  }
  return promise;
}

Time Region::promise_to_all() const {
  Time promise = kNever;
  for (std::size_t i = 0; i < border_.targets.size(); ++i) {
    promise = std::min(promise, promise_for(i));
  }
  return promise;
}

Duration Region::transit_to(int peer) const {
  Duration transit = kForever;
  for (const int rank : {peer, kEveryRank}) {
    const auto target = border_.find(rank);
    if (target) transit = std::min(transit, transit_[*target]);
  }
  return transit;
}

Duration Region::transit_to_all() const {
  return transit_.empty() ? kForever : *std::min_element(transit_.begin(), transit_.end());
}

void Region::foresee(const Event& event, std::span<Duration> least) const {
  const auto& slot = slots_[event.to.value()];
  if (slot.has_foresight) {
    slot.lp->foresee(event, least);
  } else {
    std::copy(slot.by_channels.begin(), slot.by_channels.end(), least.begin());
  }
}

/// That what follows from `event` is not below what the event being handled has promised.
void Region::check_promise(const Event& event, std::size_t target, Time arrival) const {
  if (arrival >= floor_[target]) return;
  const auto& sender = slots_[event.from.value()];
  const int rank = border_.targets[target];
  throw CausalityError{
      fmt::format("an event for LP {} at {} ps, sent by {}, can reach {} at {} ps, before the promised {} ps",
                  event.to.value(), picoseconds(event.time),
                  sender.lp ? fmt::format("'{}' at {} ps", sender.lp->name(), picoseconds(sender.clock))
                            : fmt::format("LP {}", event.from.value()),
                  name_of(rank), picoseconds(arrival), picoseconds(floor_[target]))};
}

// ---- what LPs hold
// ----------------------------------------------------------------------------------------------

/// The event being handled may set free what its own LP holds. What others hold needs an event for them.
void Region::bound_by_what_is_held(const Slot& slot) {
  for (std::size_t i = 0; i < slot.held.size(); ++i)
    floor_[i] = std::min(floor_[i], later_by(slot.clock, slot.held[i]));
}

/// What an LP holds is led to by the event at which it began to hold it, so it must not promise less.
void Region::ask_what_is_held(LpId id) {
  holds_other_ = false;
  auto& slot = slots_[id.value()];
  if (!table_ || !slot.has_foresight) return;
  if (!slot.held.empty()) held_->take(id.value(), scratch_least_);
  slot.held.resize(border_.targets.size());
  slot.lp->foresee_held(slot.held);
  const auto is_forever = [](Duration least) { return least == kForever; };
  if (std::all_of(slot.held.begin(), slot.held.end(), is_forever)) slot.held.clear();
  if (!slot.held.empty()) held_->set(id.value(), slot.held);
  for (std::size_t i = 0; i < slot.held.size(); ++i) {
    const Time promised = floor_[i], reach = later_by(slot.clock, slot.held[i]);
    if (reach >= promised) continue;
    throw CausalityError{fmt::format(
        "'{}' holds from {} ps what can reach {} at {} ps, before the promised {} ps", slot.lp->name(),
        picoseconds(slot.clock), name_of(border_.targets[i]), picoseconds(reach), picoseconds(promised))};
  }
}

}  // namespace ouro::engine
