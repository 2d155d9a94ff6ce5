#include "wafer/multicast.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/error.hpp"

namespace ouro::wafer {
namespace {

/// Which way a dimension-order packet leaves `at`; kEjection where it has arrived.
int next_port(Coordinate at, Coordinate to) {
  if (to.x > at.x) return static_cast<int>(Direction::east);
  if (to.x < at.x) return static_cast<int>(Direction::west);
  if (to.y < at.y) return static_cast<int>(Direction::north);
  if (to.y > at.y) return static_cast<int>(Direction::south);
  return kEjection;
}

int link_of(const Geometry& geometry, Coordinate at, int port) {
  return static_cast<int>(DieLinks{geometry}.number(geometry.index_in_die(at), port));
}

}  // namespace

MulticastTree::MulticastTree(const Geometry& geometry, CoreId source, std::span<const CoreId> destinations,
                             const Routing& routing)
    : source_{source} {
  std::vector<Destination> ways;
  ways.reserve(destinations.size());
  for (const auto core : destinations) ways.push_back({core, routing.waypoint(source, core)});
  segments_.push_back({geometry.die_of(source), {}});
  grow({geometry, routing}, {0, -1, geometry.coordinate(source)}, std::move(ways));
}

std::vector<CoreId> MulticastTree::ends() const {
  std::vector<CoreId> ends;
  for (const auto& segment : segments_) {
    const auto goes_on_from = [&](std::int16_t parent) {
      return std::ranges::any_of(segment.steps, [=](const MulticastStep& step) {
        return step.parent == parent && step.end != MulticastStep::End::core;
      });
    };
    for (const auto& step : segment.steps) {
      if (step.end == MulticastStep::End::core && !goes_on_from(step.parent))
        ends.emplace_back(static_cast<CoreId::Value>(step.target));
    }
  }
  return ends;
}

void MulticastTree::grow(const Wafer& wafer, Branch from, std::vector<Destination> destinations) {
  const auto& geometry = wafer.geometry;
  const CoreId here = geometry.core_at(from.at);
  std::array<std::vector<Destination>, kDirections.size()> onward;
  bool ends_here = false;
  for (auto& to : destinations) {
    if (to.via == Waypoint{here}) to.via = wafer.routing.waypoint(here, to.core);
    const int port = next_port(from.at, geometry.coordinate(to.via.is_none() ? to.core : to.via.core()));
    if (port == kEjection) {
      ends_here = true;
    } else {
      onward[static_cast<std::size_t>(port)].push_back(to);
    }
  }
  if (ends_here) {
    const int link = link_of(geometry, from.at, kEjection);
    add_step(from, link, MulticastStep::End::core, here.value());
  }
  for (const auto direction : kDirections) {
    auto& rest = onward[static_cast<std::size_t>(direction)];
    if (!rest.empty()) grow(wafer, cross_link(geometry, from, direction), std::move(rest));
  }
}

MulticastTree::Branch MulticastTree::cross_link(const Geometry& geometry, Branch from, Direction direction) {
  const int link = link_of(geometry, from.at, static_cast<int>(direction));
  const auto to = step(from.at, direction);
  if (geometry.die_of(from.at) == geometry.die_of(to)) {
    return {from.segment, add_step(from, link, MulticastStep::End::router, 0), to};
  }
  const auto next = static_cast<std::uint32_t>(segments_.size());
  const bool leaves = geometry.leaves_wafer(from.at, direction);
  add_step(from, link, leaves ? MulticastStep::End::wafer : MulticastStep::End::crossing, next);
  segments_.push_back({geometry.die_of(to), {}});
  return {next, -1, to};
}

std::int16_t MulticastTree::add_step(Branch from, int link, MulticastStep::End end, std::uint32_t target) {
  auto& steps = segments_[from.segment].steps;
  if (steps.size() > std::numeric_limits<std::int16_t>::max())
    throw engine::ContractError{"a multicast has too many links in one die"};
  steps.push_back({static_cast<std::uint16_t>(link), from.parent, end, target});
  return static_cast<std::int16_t>(steps.size() - 1);
}

std::int64_t MulticastTree::destinations_from(std::uint32_t segment) const {
  std::int64_t destinations = 0;
  for (const auto& step : segments_[segment].steps) {
    if (step.end == MulticastStep::End::core) ++destinations;
    if (step.end == MulticastStep::End::crossing || step.end == MulticastStep::End::wafer)
      destinations += destinations_from(step.target);
  }
  return destinations;
}

}  // namespace ouro::wafer
