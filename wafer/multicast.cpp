#include "wafer/multicast.hpp"

#include <array>

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

MulticastTree::MulticastTree(const Geometry& geometry, CoreId source, std::span<const CoreId> destinations)
    : source_{source} {
  std::vector<Coordinate> coordinates;
  coordinates.reserve(destinations.size());
  for (const auto core : destinations) coordinates.push_back(geometry.coordinate(core));
  segments_.push_back({geometry.die_of(source), {}});
  grow(geometry, {0, -1, geometry.coordinate(source)}, coordinates);
}

void MulticastTree::grow(const Geometry& geometry, Branch from, const std::vector<Coordinate>& destinations) {
  std::array<std::vector<Coordinate>, kDirections.size()> onward;
  bool ends_here = false;
  for (const auto to : destinations) {
    const int port = next_port(from.at, to);
    if (port == kEjection) {
      ends_here = true;
    } else {
      onward[static_cast<std::size_t>(port)].push_back(to);
    }
  }
  if (ends_here) {
    const int link = link_of(geometry, from.at, kEjection);
    add_step(from, link, MulticastStep::End::core, geometry.core_at(from.at).value());
  }
  for (const auto direction : kDirections) {
    const auto& rest = onward[static_cast<std::size_t>(direction)];
    if (!rest.empty()) grow(geometry, cross_link(geometry, from, direction), rest);
  }
}

MulticastTree::Branch MulticastTree::cross_link(const Geometry& geometry, Branch from, Direction direction) {
  const int link = link_of(geometry, from.at, static_cast<int>(direction));
  const auto to = step(from.at, direction);
  if (geometry.die_of(from.at) == geometry.die_of(to)) {
    return {from.segment, add_step(from, link, MulticastStep::End::router, 0), to};
  }
  const auto next = static_cast<std::uint32_t>(segments_.size());
  add_step(from, link, MulticastStep::End::crossing, next);
  segments_.push_back({geometry.die_of(to), {}});
  return {next, -1, to};
}

std::int16_t MulticastTree::add_step(Branch from, int link, MulticastStep::End end, std::uint32_t target) {
  auto& steps = segments_[from.segment].steps;
  steps.push_back({static_cast<std::uint16_t>(link), from.parent, end, target});
  return static_cast<std::int16_t>(steps.size() - 1);
}

}  // namespace ouro::wafer
