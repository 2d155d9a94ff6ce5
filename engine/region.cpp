#include "engine/region.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  border_ = find_border();
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
    if (const auto target = border_.find(rank)) check_promise(event, *target, event.time);
  }
  if (rank != kEveryRank) {
    outgoing_[static_cast<std::size_t>(rank)].push_back(event);
    return;
  }
  copies_ += border_.peers.size();
  for (const int peer : border_.peers) outgoing_[static_cast<std::size_t>(peer)].push_back(event);
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
