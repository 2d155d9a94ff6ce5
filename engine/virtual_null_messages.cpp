#include "engine/virtual_null_messages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::engine {

VirtualNullMessages::VirtualNullMessages(VirtualRanks& ranks, double collective_seconds)
    : ranks_{ranks}, collective_seconds_{collective_seconds} {
  const auto neighbours = find_all_neighbours(ranks);
  const auto shortest = shortest_way(ranks);
  for (std::size_t i = 0; i < ranks.size(); ++i)
    protocols_.emplace_back(ranks[i].region(), ranks[i], neighbours[i], shortest);
}

void VirtualNullMessages::run_until(Time stop) {
  for (Time next{}; next < stop;) next = run_slice(std::min(protocols_.front().end_of_slice(next), stop));
}

Time VirtualNullMessages::run_slice(Time stop) {
  states_.assign(ranks_.size(), State::works);
  const auto has_met = [](State state) { return state == State::has_met; };
  while (!std::all_of(states_.begin(), states_.end(), has_met)) advance(next_to_go(), stop);
  return meet(stop);
}

std::size_t VirtualNullMessages::next_to_go() const {
  std::size_t next = 0;
  for (std::size_t rank = 1; rank < ranks_.size(); ++rank) {
    if (goes_on_at(rank) < goes_on_at(next)) next = rank;
  }
  if (goes_on_at(next) < VirtualInbox::kNoArrival) return next;
  throw ContractError{"every rank waits for another one" + describe()};
}

double VirtualNullMessages::goes_on_at(std::size_t rank) const {
  switch (states_[rank]) {
    case State::works:
      return ranks_[rank].clock();
    case State::waits:
    case State::is_done:
      return std::max(ranks_[rank].clock(), ranks_[rank].next_arrival());
    case State::has_met:
      break;
  }
  return VirtualInbox::kNoArrival;
}

void VirtualNullMessages::advance(std::size_t rank, Time stop) {
  auto& state = states_[rank];
  if (state != State::works) ranks_[rank].wait_until(ranks_[rank].next_arrival());
  if (state == State::is_done) {
    protocols_[rank].receive();
  } else {
    state = step(rank, stop);
  }
  if (state == State::is_done && protocols_[rank].all_are_done()) state = State::has_met;
}

VirtualNullMessages::State VirtualNullMessages::step(std::size_t rank, Time stop) {
  switch (protocols_[rank].step(stop)) {
    case NullMessageProtocol::Step::waits:
      return State::waits;
    case NullMessageProtocol::Step::is_done:
      return State::is_done;
    case NullMessageProtocol::Step::worked:
      break;
  }
  ranks_[rank].charge_events();
  ranks_[rank].charge_promises();
  ranks_[rank].count_stretch();
  return State::works;
}

Time VirtualNullMessages::meet(Time stop) {
  const double together = latest_clock(ranks_) + collective_seconds_;
  Time next = kNever;
  NullMessageProtocol::Activity most;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    ranks_[i].wait_until(together);
    next = std::min(next, ranks_[i].region().next_time());
    const auto activity = protocols_[i].activity();
    most = {std::max(most.events, activity.events), std::max(most.batches, activity.batches)};
  }
  for (auto& protocol : protocols_) protocol.meet(stop, next, most);
  return next;
}

std::string VirtualNullMessages::describe() const {
  std::string text;
  for (std::size_t rank = 0; rank < protocols_.size(); ++rank)
    text += fmt::format("\nrank {}: {}", rank, protocols_[rank].describe());
  return text;
}

}  // namespace ouro::engine
