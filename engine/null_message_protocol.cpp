#include "engine/null_message_protocol.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/stopwatch.hpp"

namespace ouro::engine {
namespace {

constexpr std::uint64_t kEventsOfStretch = 128;  // between looks at what has come
constexpr std::size_t kEventsOfBatch = 1024;     // are sent even if the promise has not risen
// a slice is so many shortest ways over a border
constexpr int kFewestWays = 2, kMostWays = 1024;
// and is spent on promises if a rank sends so many batches, and more than one for so many events
constexpr std::uint64_t kManyBatches = 64, kFewEventsOfBatch = 4;

}  // namespace

NullMessageProtocol::NullMessageProtocol(SynchronizedRegion& region, Courier& courier,
                                         const std::vector<Neighbour>& neighbours, Duration shortest_way)
    : region_{region},
      courier_{courier},
      shortest_way_{shortest_way},
      slice_{shortest_way < kForever / kMostWays ? kMostWays * shortest_way : kForever},
      bounds_(neighbours.size()) {
  for (const auto& neighbour : neighbours) {
    const auto rank = static_cast<std::size_t>(neighbour.rank);
    if (rank >= link_of_rank_.size()) link_of_rank_.resize(rank + 1);
    link_of_rank_[rank] = links_.size();
    links_.push_back({.neighbour = neighbour});
  }
}

NullMessageProtocol::Step NullMessageProtocol::step(Time stop) {
  receive();
  update_bounds();
  if (region_.next_time() < std::min(safe_, stop)) {
    work(stop);
    tell_after_work();
    return Step::worked;
  }
  if (safe_ < stop) {
    tell_before_waiting();
    return Step::waits;
  }
  for (std::size_t i = 0; i < links_.size(); ++i) tell(i, promise_for(i), true);
  return Step::is_done;
}

bool NullMessageProtocol::all_are_done() const {
  return std::all_of(links_.begin(), links_.end(), [](const Link& link) { return link.is_done; });
}

void NullMessageProtocol::meet(Time stop, Time next, const Activity& most) {
  handled_ = stop;
  before_ = {region_.events(), counts_.batches};
  if (slice_ != kForever) {
    const bool spent = most.batches > kManyBatches && most.batches * kFewEventsOfBatch > most.events;
    slice_ = spent ? std::max(slice_ / 2, kFewestWays * shortest_way_)
                   : std::min(slice_ * 2, kMostWays * shortest_way_);
  }
  for (auto& link : links_) {
    link.is_done = false;
    link.promise = std::max(link.promise, later_by(next, shortest_way_));
  }
}

// ---- how far this rank may go
// ------------------------------------------------------------------------------------

/// Nothing comes over this link before, but for what follows from what comes over other links.
Time NullMessageProtocol::bound_of(const Link& link) const {
  if (!link.neighbour.sends_here) return kNever;
  if (link.neighbour.echo == kForever) return link.promise;
  Time own = region_.promise_to(link.neighbour.rank);
  for (const auto& batch : link.unheard) own = std::min(own, batch.earliest);
  own = std::min(own, earliest_of(region_.outgoing(link.neighbour.rank)));
  return std::min(link.promise, later_by(own, link.neighbour.echo));
}

void NullMessageProtocol::update_bounds() {
  const Stopwatch promising{counts_.promising_seconds};
  Time safe = kNever;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    bounds_[i] = bound_of(links_[i]);
    safe = std::min(safe, bounds_[i]);
  }
  safe_ = std::max(safe_, safe);
}

/// C of this rank for another.
Time NullMessageProtocol::promise_for(std::size_t index) const {
  const int rank = links_[index].neighbour.rank;
  Time others = kNever;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (i != index) others = std::min(others, bounds_[i]);
  }
  return std::min(region_.promise_to(rank), later_by(others, region_.transit_to(rank)));
}

void NullMessageProtocol::work(Time stop) {
  const Stopwatch working{counts_.events_seconds};
  const Time bound = std::min(safe_, stop);
  region_.run_before(bound, kEventsOfStretch);
  handled_ = std::min(bound, region_.next_time());
  ++counts_.stretches;
}

// ---- what is said and heard
// ------------------------------------------------------------------------------------

bool NullMessageProtocol::receive() {
  bool any = false;
  while (courier_.try_receive(batch_)) {
    const Stopwatch packing{counts_.packing_seconds};
    take_in(link_of(batch_.source));
    any = true;
  }
  return any;
}

void NullMessageProtocol::take_in(Link& link) {
  ++link.received;
  if (!batch_.events.empty()) {
    const Time earliest = earliest_of(batch_.events);
    region_.receive(batch_.events, safe_);
    link.unanswered = true;
    ++counts_.tested;
    counts_.slack_ps += static_cast<double>((earliest - std::min(link.promise, earliest)).count());
  }
  const auto& statement = batch_.statement;
  link.promise = statement.promise;
  link.is_done = statement.done != 0;
  while (!link.unheard.empty() && link.unheard.front().batch <= statement.received) link.unheard.pop_front();
}

void NullMessageProtocol::tell(std::size_t index, Time promise, bool done) {
  const Stopwatch packing{counts_.packing_seconds};
  auto& link = links_[index];
  auto& events = region_.outgoing(link.neighbour.rank);
  ++link.sent;
  ++counts_.batches;
  if (events.empty()) {
    ++counts_.promises;
  } else if (link.neighbour.echo != kForever) {
    link.unheard.push_back({link.sent, earliest_of(events)});
  }
  courier_.send(link.neighbour.rank, {promise, link.received, done ? 1U : 0U}, events);
  link.unanswered = false;
  link.told = promise;
}

void NullMessageProtocol::tell_after_work() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const auto& link = links_[i];
    if (!link.neighbour.hears_from_here) continue;
    const Time promise = promise_for(i);
    if (promise > link.told || region_.outgoing(link.neighbour.rank).size() >= kEventsOfBatch)
      tell(i, promise);
  }
}

void NullMessageProtocol::tell_before_waiting() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const auto& link = links_[i];
    const Time promise = promise_for(i);
    if (promise > link.told || link.unanswered || !region_.outgoing(link.neighbour.rank).empty())
      tell(i, promise);
  }
}

std::string NullMessageProtocol::describe() const {
  std::string text = fmt::format("handled all before {} ps, next event at {} ps, {} events",
                                 picoseconds(handled_), picoseconds(region_.next_time()), region_.events());
  std::size_t blocking = 0;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (bounds_[i] < bounds_[blocking]) blocking = i;
    text += fmt::format("; rank {} promised {} ps, nothing from it before {} ps", links_[i].neighbour.rank,
                        picoseconds(links_[i].promise), picoseconds(bounds_[i]));
  }
  if (!links_.empty()) text += fmt::format("; blocked by rank {}", links_[blocking].neighbour.rank);
  return text;
}

}  // namespace ouro::engine
