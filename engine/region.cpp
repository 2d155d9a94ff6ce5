#include "engine/region.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/error.hpp"

namespace ouro::engine {

Region::Region(int rank, int ranks, Placement placement, const LpFactory& make, const RegionOptions& options)
    : rank_{rank},
      placement_{std::move(placement)},
      slots_(placement_.size()),
      outgoing_(static_cast<std::size_t>(ranks)),
      recorder_{options.recorder} {
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (placement_[index] != rank_ && placement_[index] != kEveryRank) continue;
    const LpId id{static_cast<LpId::Value>(index)};
    auto& slot = slots_[index];
    slot.lp = make(id);
    slot.channels = slot.lp->channels();
    slot.replicated = placement_[index] == kEveryRank;
    slot.has_foresight = slot.lp->has_foresight();
    check_channels(id, slot);
  }
  find_border();
  if (options.meet_border) options.meet_border(border_);
  find_ways_over_channels();
  choose_promises(options.lookahead);
  floor_.assign(border_.targets.size(), Time::min());
  for (const auto id : lps()) options.saved ? go_on(id, options.saved(id)) : start(id);
  for (const auto id : lps()) ask_what_is_held(id);
}

void Region::start(LpId id) {
  Scheduler scheduler{*this, id, Time{}};
  slots_[id.value()].lp->start(scheduler);
}

// ---- what goes on elsewhere
// ------------------------------------------------------------------------------------

namespace {

/// Boost archives objects; this one is a view of an LP's parts.
template <class Slot>
class SlotState {
 public:
  SlotState(Slot& slot, std::vector<Event>& pending) : slot_{slot}, pending_{pending} {}

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive_fields(archive, slot_.clock, slot_.sent, slot_.events, slot_.digest, slot_.sent_digest, pending_);
    if constexpr (Archive::is_saving::value) {
      slot_.lp->save(archive);
    } else {
      slot_.lp->load(archive);
    }
  }

 private:
  Slot& slot_;
  std::vector<Event>& pending_;
};

}  // namespace

void Region::save(const std::function<void(LpId, std::string)>& take) const {
  for (const auto& events : outgoing_) {
    if (!events.empty()) throw ContractError{"a region was saved while it had events to send"};
  }
  std::vector<std::vector<Event>> pending(slots_.size());
  queue_.for_each([&](const Event& event) { pending[event.to.value()].push_back(event); });
  for (const auto id : lps()) {
    auto& events = pending[id.value()];
    std::sort(events.begin(),
              events.end());  // the order in which the queue happens to hold them is of no matter
    take(id, to_bytes(SlotState{slots_[id.value()], events}));
  }
}

void Region::go_on(LpId id, std::string saved) {
  std::vector<Event> pending;
  SlotState state{slots_[id.value()], pending};
  from_bytes(std::move(saved), state);
  for (const auto& event : pending) keep(event);
}

std::vector<LpId> Region::lps() const {
  std::vector<LpId> ids;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].lp) ids.emplace_back(static_cast<LpId::Value>(index));
  }
  return ids;
}

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

void Region::find_border() {
  const std::set<int> all{placement_.begin(), placement_.end()};
  std::set<int> targets;
  for (const auto& slot : slots_) {
    if (!slot.lp || slot.replicated) continue;
    for (const auto& channel : slot.channels.to) targets.insert(placement_[channel.to.value()]);
    if (slot.channels.to_any) targets.insert(all.begin(), all.end());
  }
  targets.erase(rank_);
  if (outgoing_.size() == 1) targets.erase(kEveryRank);  // the only copy is here
  border_.targets.assign(targets.begin(), targets.end());
  if (targets.erase(kEveryRank) > 0) {
    for (int peer = 0; peer < static_cast<int>(outgoing_.size()); ++peer) targets.insert(peer);
    targets.erase(rank_);
  }
  peers_.assign(targets.begin(), targets.end());
}

std::optional<std::size_t> Region::target_of(int rank) const {
  const auto& targets = border_.targets;
  const auto found = std::lower_bound(targets.begin(), targets.end(), rank);
  if (found == targets.end() || *found != rank) return std::nullopt;
  return static_cast<std::size_t>(found - targets.begin());
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
      const auto target = target_of(placement_[channel.to.value()]);
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
    held_.assign(targets, kForever);
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
  return std::min(table_->least(target), later_by(next_time(), held_[target]));
}

Time Region::promise_to(int peer) const {
  Time promise = kNever;
  for (const int rank : {peer, kEveryRank}) {
    const auto target = target_of(rank);
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
    const auto target = target_of(rank);
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

// ---- events
// --------------------------------------------------------------------------------------------------

void Region::run_before(Time bound, std::uint64_t most) {
  for (; most > 0 && queue_.next_time() < bound; --most) {
    const auto place = queue_.earliest_slot();
    if (table_) table_->take(place, floor_);
    const Event event = queue_.pop();
    if (recorder_ != nullptr) recorder_->handle(event, place);
    auto& slot = slots_[event.to.value()];
    slot.clock = event.time;
    slot.digest.add(event);
    ++slot.events;
    ++events_;
    if (table_ && !slot.held.empty()) bound_by_what_is_held(slot);
    Scheduler scheduler{*this, event.to, event.time};
    slot.lp->handle(event, scheduler);
    if (holds_other_) ask_what_is_held(event.to);
  }
}

void Region::receive(std::span<const Event> events, Time promised) {
  for (const auto& event : events) {
    if (event.time < promised) {
      throw CausalityError{fmt::format(
          "LP {} receives an event from LP {} for {} ps, but its rank had promised none before {} ps",
          event.to.value(), event.from.value(), picoseconds(event.time), picoseconds(promised))};
    }
    check_clock(event);
    for (std::size_t i = 0; i < floor_.size(); ++i) floor_[i] = later_by(event.time, transit_[i]);
    keep(event);
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
  if (from != to || delay < Duration{}) check_lookahead(sender, from, to, delay);
  Event event;
  event.time = sender.clock + delay;
  event.to = to;
  event.from = from;
  event.sequence = sender.sent++;
  return event;
}

void Region::deliver(const Event& event) {
  const int rank = placement_[event.to.value()];
  auto& sender = slots_[event.from.value()];
  const bool replica_sends = sender.replicated;
  if (recorder_ != nullptr) recorder_->send(event, sender.clock);
  if (replica_sends) sender.sent_digest.add(event);
  if (rank == rank_ || rank == kEveryRank) keep(event);
  if (rank == rank_ || replica_sends) return;
  if (table_) {
    if (const auto target = target_of(rank)) check_promise(event, *target, event.time);
  }
  if (rank != kEveryRank) {
    outgoing_[static_cast<std::size_t>(rank)].push_back(event);
    return;
  }
  copies_ += peers_.size();
  for (const int peer : peers_) outgoing_[static_cast<std::size_t>(peer)].push_back(event);
}

/// Makes the event pending, with its promises.
void Region::keep(const Event& event) {
  const auto slot = queue_.push(event);
  if (recorder_ != nullptr) recorder_->keep(event, slot);
  if (!table_) return;
  foresee(event, scratch_least_);
  for (std::size_t i = 0; i < scratch_least_.size(); ++i) {
    scratch_promises_[i] = later_by(event.time, scratch_least_[i]);
    check_promise(event, i, scratch_promises_[i]);
  }
  table_->set(slot, scratch_promises_);
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
  slot.held.resize(held_.size());
  slot.lp->foresee_held(slot.held);
  const auto is_forever = [](Duration least) { return least == kForever; };
  if (std::all_of(slot.held.begin(), slot.held.end(), is_forever)) slot.held.clear();
  std::fill(held_.begin(), held_.end(), kForever);
  for (const auto& other : slots_) {
    for (std::size_t i = 0; i < other.held.size(); ++i) held_[i] = std::min(held_[i], other.held[i]);
  }
  for (std::size_t i = 0; i < slot.held.size(); ++i) {
    const Time promised = floor_[i], reach = later_by(slot.clock, slot.held[i]);
    if (reach >= promised) continue;
    throw CausalityError{fmt::format(
        "'{}' holds from {} ps what can reach {} at {} ps, before the promised {} ps", slot.lp->name(),
        picoseconds(slot.clock), name_of(border_.targets[i]), picoseconds(reach), picoseconds(promised))};
  }
}

std::vector<Region::LpReport> Region::reports() const {
  std::vector<LpReport> result;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    const auto& slot = slots_[index];
    if (!slot.lp) continue;
    result.push_back({LpId{static_cast<LpId::Value>(index)}, slot.digest.value(), slot.events,
                      slot.replicated, slot.sent_digest.value()});
  }
  return result;
}

Region::ReplicationCost Region::replication_cost() const {
  ReplicationCost cost{.copies = copies_};
  for (const auto& slot : slots_) {
    if (slot.replicated) cost.handled += slot.events;
  }
  return cost;
}

}  // namespace ouro::engine
