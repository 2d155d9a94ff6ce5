#include "engine/recorded_region.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

/// What promises see of the time to what really comes next: all of what is near, such as a packet whose way
/// is known, and of what is farther a part: the rest is waiting that was not foreseen, and events that could
/// have led to more than they did. Fitted to the windows that six jobs need on 2 to 63 ranks; see
/// docs/performance.md.
constexpr Duration kForeseen{100'000};
constexpr std::int64_t kPartForeseen = 10;

Duration foreseen_of(Duration ahead) {
  return std::min(ahead, std::max(kForeseen, ahead / kPartForeseen));
}

}  // namespace

RecordedRegion::RecordedRegion(int rank, int ranks, const Placement& placement, const Recording& recording,
                               const RecordedWays& ways, Lookahead lookahead)
    : rank_{rank},
      placement_{placement},
      sends_{recording.sends},
      ways_{ways},
      lookahead_{lookahead},
      outgoing_(static_cast<std::size_t>(ranks)) {
  take_work(recording);
  take_sends();
  border_ = find_border();
  find_ways();
  fronts_.resize(border_.targets.size());
  promised_.assign(border_.targets.size(), Time::min());
  advance(Time{});
}

// ---- what is here
// ------------------------------------------------------------------------------------------

bool RecordedRegion::is_here(LpId lp) const {
  const int place = placement_[lp.value()];
  return place == rank_ || place == kEveryRank;
}

/// What a replicated LP sends reaches LPs of the same rank only.
bool RecordedRegion::is_sent_here(const RecordedSend& send) const {
  return is_here(send.from) && (placement_[send.from.value()] != kEveryRank || is_here(send.to));
}

/// To its target; none if it crosses no border, as what a replicated LP sends.
std::optional<std::size_t> RecordedRegion::target_of(const RecordedSend& send) const {
  if (placement_[send.from.value()] == kEveryRank) return std::nullopt;
  return border_.find(placement_[send.to.value()]);
}

void RecordedRegion::take_work(const Recording& recording) {
  for (const auto& work : recording.work) {
    if (!is_here(work.lp)) continue;
    if (work_.empty() || work_.back().window != work.window) work_.push_back({work.window, 0});
    work_.back().events += work.events;
  }
}

void RecordedRegion::take_sends() {
  for (std::uint32_t i = 0; i < sends_.size(); ++i) {
    if (is_sent_here(sends_[i])) by_sending_.push_back(i);
  }
  by_cause_.reserve(by_sending_.size());
  for (const auto i : ways_.by_cause()) {
    if (is_sent_here(sends_[i])) by_cause_.push_back(i);
  }
}

Border RecordedRegion::find_border() const {
  std::set<int> places;
  for (const auto i : by_sending_) {
    if (placement_[sends_[i].from.value()] != kEveryRank) places.insert(placement_[sends_[i].to.value()]);
  }
  return {std::move(places), rank_, static_cast<int>(outgoing_.size())};
}

void RecordedRegion::find_ways() {
  over_border_.assign(border_.targets.size(), kForever);
  for (const auto i : by_sending_) {
    const auto target = target_of(sends_[i]);
    if (!target) continue;
    over_border_[*target] = std::min(over_border_[*target], sends_[i].arrival - sends_[i].sent);
  }
  for (const auto way : over_border_) shortest_way_ = std::min(shortest_way_, way);
  if (lookahead_ == Lookahead::link) return;
  for (const int target : border_.targets) from_nodes_.push_back(ways_to(ways_, placement_, rank_, target));
}

// ---- what goes on
// ------------------------------------------------------------------------------------------

/// Events of a window lie evenly in it.
Time RecordedRegion::time_of_work() const {
  if (next_work_ == work_.size()) return kNever;
  const auto& work = work_[next_work_];
  const auto within =
      kRecordedWindow * (2 * std::int64_t{done_of_work_} + 1) / (2 * std::int64_t{work.events});
  return Time{work.window * kRecordedWindow + within};
}

Time RecordedRegion::next_time() const {
  Time next = time_of_work();
  if (next_sent_ < by_sending_.size()) next = std::min(next, sends_[by_sending_[next_sent_]].sent);
  if (!arrivals_.empty()) next = std::min(next, arrivals_.top());
  return next;
}

void RecordedRegion::run_before(Time bound, std::uint64_t most) {
  Time next = time_of_work();
  for (; next < bound && most > 0; --most) {
    ++events_;
    if (++done_of_work_ == work_[next_work_].events) {
      ++next_work_;
      done_of_work_ = 0;
    }
    next = time_of_work();
  }
  advance(std::min(next, bound));
}

void RecordedRegion::advance(Time clock) {
  if (clock <= clock_) return;
  clock_ = clock;
  for (; next_known_ < by_cause_.size() && sends_[by_cause_[next_known_]].known < clock_; ++next_known_)
    become_pending(by_cause_[next_known_]);
  for (; next_sent_ < by_sending_.size() && sends_[by_sending_[next_sent_]].sent < clock_; ++next_sent_)
    send(by_sending_[next_sent_]);
  while (!arrivals_.empty() && arrivals_.top() < clock_) arrivals_.pop();
}

/// Its cause is handled.
void RecordedRegion::become_pending(std::uint32_t index) {
  const auto& send = sends_[index];
  const auto target = target_of(send);
  if (target) promise(*target, {send.arrival, send.sent});
  if (is_here(send.to)) expect(index);
}

void RecordedRegion::send(std::uint32_t index) {
  const auto& send = sends_[index];
  if (is_here(send.to)) arrivals_.push(send.arrival);
  const auto target = target_of(send);
  if (!target) return;
  const int place = border_.targets[*target];
  Event event{send.arrival, send.to, send.from, send.sequence, {}};
  event.set(std::uint64_t{index});
  if (place != kEveryRank) {
    outgoing_[static_cast<std::size_t>(place)].push_back(event);
  } else {
    for (const int peer : border_.peers) outgoing_[static_cast<std::size_t>(peer)].push_back(event);
  }
}

void RecordedRegion::receive(std::span<const Event> events, Time promised) {
  for (const auto& event : events) {
    if (event.time < promised || event.time < clock_) {
      throw CausalityError{fmt::format(
          "recorded LP {} receives an event from LP {} for {} ps, but all before {} ps is handled",
          event.to.value(), event.from.value(), picoseconds(event.time),
          picoseconds(std::max(promised, clock_)))};
    }
    expect(static_cast<std::uint32_t>(event.as<std::uint64_t>()));
    arrivals_.push(event.time);
    for (std::size_t target = 0; target < border_.targets.size(); ++target)
      promised_[target] = std::min(promised_[target], later_by(event.time, over_border_[target]));
  }
}

// ---- promises
// ----------------------------------------------------------------------------------------------

/// An event will be handled here.
void RecordedRegion::expect(std::uint32_t index) {
  if (lookahead_ == Lookahead::link) return;
  const Time arrival = sends_[index].arrival;
  for (std::size_t target = 0; target < border_.targets.size(); ++target)
    promise(target, {later_by(arrival, from_nodes_[target][ways_.node_of(index)]), arrival});
}

void RecordedRegion::promise(std::size_t target, Front front) {
  if (lookahead_ == Lookahead::link || front.promise == kNever || front.until < clock_) return;
  fronts_[target].push(front);
}

Time RecordedRegion::least_promise(std::size_t target) const {
  promised_[target] = std::max(promised_[target], find_promise(target));
  return promised_[target];
}

Time RecordedRegion::find_promise(std::size_t target) const {
  const Time next = next_time();
  const Time by_link = later_by(next, over_border_[target]);
  if (lookahead_ == Lookahead::link) return by_link;
  auto& fronts = fronts_[target];
  while (!fronts.empty() && fronts.top().until < clock_) fronts.pop();
  if (fronts.empty()) return kNever;
  return std::max(by_link, next + foreseen_of(fronts.top().promise - next));
}

Time RecordedRegion::promise_to(int peer) const {
  Time least = kNever;
  for (const int rank : {peer, kEveryRank}) {
    const auto target = border_.find(rank);
    if (target) least = std::min(least, least_promise(*target));
  }
  return least;
}

Time RecordedRegion::promise_to_all() const {
  Time least = kNever;
  for (std::size_t target = 0; target < border_.targets.size(); ++target)
    least = std::min(least, least_promise(target));
  return least;
}

Duration RecordedRegion::transit_to(int peer) const {
  Duration least = kForever;
  for (const int rank : {peer, kEveryRank}) {
    const auto target = border_.find(rank);
    if (target) least = std::min(least, over_border_[*target]);
  }
  return least;
}

}  // namespace ouro::engine
