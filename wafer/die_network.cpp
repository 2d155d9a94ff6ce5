#include "wafer/die_network.hpp"

#include <algorithm>
#include <cstdlib>

namespace ouro::wafer {

using engine::Duration;
using engine::Time;

DieNetwork::DieNetwork(const Geometry& geometry, const NocModel& model, DieId die)
    : geometry_{geometry},
      model_{model},
      die_{die},
      corner_{geometry.coordinate(geometry.core_of_die(die, 0))},
      edge_north_{geometry.leaves_wafer(corner_, Direction::north)},
      edge_south_{geometry.leaves_wafer({corner_.x, corner_.y + geometry.core_rows - 1}, Direction::south)},
      numbers_{geometry},
      links_(numbers_.count()),
      earlier_(numbers_.count()) {}

Time DieNetwork::take(std::size_t link, Time head, int flits, Duration length) {
  auto& [last, use] = links_[link];
  Time begin = head;
  if (head > last.end) {
    if (last.end > now_) keep_last(link);
    last = {head, head, head + length};
  } else if (head >= last.head) {
    begin = last.end;
    last.end += length;
  } else {
    begin = take_gap(link, head, length);
  }
  use.flits += flits;
  use.waited += begin - head;
  return begin;
}

Time DieNetwork::quiet_from() const {
  const auto last = std::max_element(links_.begin(), links_.end(),
                                     [](const Link& a, const Link& b) { return a.last.end < b.last.end; });
  return last->last.end + model_.wire_latency + model_.die_crossing_latency;
}

void DieNetwork::keep_last(std::size_t link) {
  forget_ended(earlier_[link]);
  earlier_[link].push_back(links_[link].last);
}

void DieNetwork::forget_ended(Turns& turns) const {
  const auto running =
      std::find_if(turns.begin(), turns.end(), [this](const Turn& turn) { return turn.end > now_; });
  turns.erase(turns.begin(), running);
}

/// For a packet whose head is there before that of the last turn.
Time DieNetwork::take_gap(std::size_t link, Time head, Duration length) {
  auto& last = links_[link].last;
  auto& earlier = earlier_[link];
  forget_ended(earlier);
  std::size_t place = earlier.size();
  while (place > 0 && earlier[place - 1].head > head) --place;
  Time begin = place > 0 ? std::max(head, earlier[place - 1].end) : head;
  for (; place < earlier.size() && earlier[place].begin < begin + length; ++place)
    begin = std::max(begin, earlier[place].end);
  if (begin + length <= last.begin) {
    earlier.insert(earlier.begin() + static_cast<std::ptrdiff_t>(place), {head, begin, begin + length});
    return begin;
  }
  begin = std::max(begin, last.end);
  last = {head, last.begin, begin + length};
  return begin;
}

Time DieNetwork::enter_first_router(CoreId from, int flits, Time ready) {
  return take(link(geometry_.coordinate(from), kInjection), ready, flits) + model_.wire_latency;
}

Onward DieNetwork::inject(CoreId from, CoreId to, int flits, Time ready, Travel& travel) {
  now_ = ready;
  const Coordinate at = geometry_.coordinate(from);
  const auto via = model_.routing.waypoint(from, model_.router_of(geometry_, to));
  return walk({at, enter_first_router(from, flits, ready)}, to, via, flits, travel);
}

Onward DieNetwork::enter(CoreId at, CoreId to, int flits, Time head, Travel& travel, Waypoint via) {
  now_ = head;
  return walk({geometry_.coordinate(at), head}, to, via, flits, travel);
}

Time DieNetwork::cross(std::size_t first_link, int step, int hops, int flits, Time head) {
  const Duration router = model_.router_latency();
  for (auto link = static_cast<std::ptrdiff_t>(first_link); hops > 0; --hops, link += step)
    head = take(static_cast<std::size_t>(link), head + router, flits) + model_.wire_latency;
  return head;
}

Onward DieNetwork::walk(Head head, CoreId to, Waypoint via, int flits, Travel& travel) {
  const bool to_host = to == geometry_.host_id();
  const Coordinate target = to_host ? model_.host : geometry_.coordinate(to);
  for (;;) {
    const auto end_of_leg = via.is_none() ? target : geometry_.coordinate(via.core());
    go_along_leg(head, end_of_leg, flits, travel);
    if (!contains(head.at)) return leave_to_die(head, via, flits, travel);
    if (head.at != end_of_leg) {
      const auto direction = end_of_leg.y < head.at.y ? Direction::north : Direction::south;
      return leave_to_wafer(head, direction, via, flits, travel);
    }
    if (via.is_none()) break;
    via = model_.routing.waypoint(via.core(), geometry_.core_at(target));
  }
  return to_host ? leave_to_host(head.at, flits, head.time, travel) : eject(head.at, flits, head.time);
}

/// Along x, then along y, as far as this die goes: to the next one, but not to the next wafer.
void DieNetwork::go_along_leg(Head& head, Coordinate target, int flits, Travel& travel) {
  auto& at = head.at;
  const std::int64_t bits = flits * model_.link_bits;
  // one step beyond the border is the router of the next die
  const int x = std::clamp(target.x, corner_.x - 1, corner_.x + geometry_.core_columns);
  if (x != at.x) {
    const bool east = x > at.x;
    const int hops = std::abs(x - at.x);
    head.time = cross(link(at, static_cast<int>(east ? Direction::east : Direction::west)), east ? 1 : -1,
                      hops, flits, head.time);
    travel.hop_bits += hops * bits;
    at.x = x;
    if (!contains(at)) return;
  }
  const int y = std::clamp(target.y, corner_.y - (edge_north_ ? 0 : 1),
                           corner_.y + geometry_.core_rows - (edge_south_ ? 1 : 0));
  if (y != at.y) {
    const bool south = y > at.y;
    const int hops = std::abs(y - at.y);
    head.time = cross(link(at, static_cast<int>(south ? Direction::south : Direction::north)), south ? 1 : -1,
                      hops, flits, head.time);
    travel.hop_bits += hops * bits;
    at.y = y;
  }
}

Onward DieNetwork::leave_to_die(const Head& head, Waypoint via, int flits, Travel& travel) {
  travel.crossing_bits += flits * model_.link_bits;
  return {Onward::To::die, geometry_.core_at(head.at), geometry_.die_of(head.at),
          head.time + model_.die_crossing_latency, via};
}

Onward DieNetwork::leave_to_wafer(const Head& head, Direction direction, Waypoint via, int flits,
                                  Travel& travel) {
  const auto& joint = model_.joint;
  const Time start = take(link(head.at, static_cast<int>(direction)), head.time + model_.router_latency(),
                          flits, flits * joint.flit_time);
  travel.joint_bits += flits * model_.link_bits;
  const auto to = step(head.at, direction);
  return {Onward::To::die, geometry_.core_at(to), geometry_.die_of(to), start + joint.passage(flits), via};
}

Onward DieNetwork::eject(Coordinate at, int flits, Time head) {
  const Time start = take(link(at, kEjection), head + model_.router_latency(), flits);
  const Time tail = start + model_.wire_latency + flits * model_.cycle;
  return {Onward::To::core, geometry_.core_at(at), die_, tail, {}};
}

Onward DieNetwork::leave_to_host(Coordinate at, int flits, Time head, Travel& travel) {
  const auto index = link(at, static_cast<int>(Direction::west));
  const Time start = take(index, head + model_.router_latency(), flits);
  travel.hop_bits += flits * model_.link_bits;
  travel.crossing_bits += flits * model_.link_bits;
  const Time tail = start + model_.wire_latency + model_.die_crossing_latency + (flits - 1) * model_.cycle;
  return {Onward::To::host, geometry_.host_id(), die_, tail, {}};
}

std::span<const Onward> DieNetwork::inject(const MulticastTree& tree, int flits, Time ready, Travel& travel) {
  now_ = ready;
  const Time head = enter_first_router(tree.source(), flits, ready);
  if (model_.multicast == MulticastMode::unicast && head > ready + model_.wire_latency) {
    onward_.assign(1, {Onward::To::die, CoreId{0}, die_, head, {}});
    return onward_;
  }
  return walk(tree, 0, flits, head, travel);
}

std::span<const Onward> DieNetwork::enter(const MulticastTree& tree, std::uint32_t segment, int flits,
                                          Time head, Travel& travel) {
  now_ = head;
  return walk(tree, segment, flits, head, travel);
}

std::span<const Onward> DieNetwork::walk(const MulticastTree& tree, std::uint32_t segment, int flits,
                                         Time head, Travel& travel) {
  const auto& steps = tree.segment(segment).steps;
  const std::int64_t bits = flits * model_.link_bits;
  heads_.resize(steps.size());
  onward_.clear();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    const Time at_router = step.parent < 0 ? head : heads_[static_cast<std::size_t>(step.parent)];
    if (step.end == MulticastStep::End::wafer) {
      const Time start =
          take(step.link, at_router + model_.router_latency(), flits, flits * model_.joint.flit_time);
      travel.joint_bits += bits;
      onward_.push_back({Onward::To::die,
                         CoreId{step.target},
                         tree.segment(step.target).die,
                         start + model_.joint.passage(flits),
                         {}});
      continue;
    }
    const Time start = take(step.link, at_router + model_.router_latency(), flits);
    if (step.end == MulticastStep::End::core) {
      const Time tail = start + model_.wire_latency + flits * model_.cycle;
      onward_.push_back({Onward::To::core, CoreId{step.target}, die_, tail, {}});
      continue;
    }
    heads_[i] = start + model_.wire_latency;
    travel.hop_bits += bits;
    if (step.end == MulticastStep::End::crossing) {
      travel.crossing_bits += bits;
      onward_.push_back({Onward::To::die,
                         CoreId{step.target},
                         tree.segment(step.target).die,
                         heads_[i] + model_.die_crossing_latency,
                         {}});
    }
  }
  return onward_;
}

}  // namespace ouro::wafer
