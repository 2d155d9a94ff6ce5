#include "wafer/fault_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "engine/error.hpp"

namespace ouro::wafer {
namespace {

using engine::InputError;
using Kind = Fault::Kind;

constexpr std::array<std::string_view, 3> kKindNames{"core", "router", "link"};
constexpr std::array<std::string_view, 4> kDirectionNames{"east", "west", "north", "south"};

}  // namespace

std::string_view name_of(Kind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Direction direction) {
  return kDirectionNames[static_cast<std::size_t>(direction)];
}

std::string describe(const Fault& fault, const Geometry& geometry) {
  const auto at = geometry.coordinate(fault.core);
  const auto place = fmt::format("({}, {})", at.x, at.y);
  if (fault.kind != Kind::link) return fmt::format("the {} at {}", name_of(fault.kind), place);
  return fmt::format("the link {} of {}", name_of(fault.direction), place);
}

// ---- faults together
// ---------------------------------------------------------------------------------------------

FaultChecker::Thing FaultChecker::link(CoreId core, Direction direction) const {
  if (direction == Direction::east || direction == Direction::south) return {Kind::link, core, direction};
  return {Kind::link, geometry_.core_at(step(geometry_.coordinate(core), direction)), opposite(direction)};
}

std::vector<FaultChecker::Thing> FaultChecker::things_of(const Fault& fault) const {
  if (fault.kind == Kind::link) return {link(fault.core, fault.direction)};
  std::vector<Thing> things{{Kind::core, fault.core, {}}};
  if (fault.kind == Kind::core) return things;
  for (const auto direction : kDirections) {
    if (geometry_.contains(step(geometry_.coordinate(fault.core), direction)))
      things.push_back(link(fault.core, direction));
  }
  return things;
}

const FaultChecker::Taken* FaultChecker::overlap(const Fault& fault, const Thing& thing) const {
  const auto found = taken_.find(thing);
  if (found == taken_.end()) return nullptr;
  const bool between_routers =
      std::get<Kind>(thing) == Kind::link && fault.kind == Kind::router && found->second.kind == Kind::router;
  return between_routers ? nullptr : &found->second;
}

bool FaultChecker::leads_off(const Fault& fault) const {
  return fault.kind == Kind::link &&
         !geometry_.contains(step(geometry_.coordinate(fault.core), fault.direction));
}

bool FaultChecker::is_hosts(const Fault& fault) const {
  return fault.kind == Kind::router && geometry_.coordinate(fault.core) == host_;
}

bool FaultChecker::accepts(const Fault& fault) const {
  if (leads_off(fault) || is_hosts(fault)) return false;
  const auto things = things_of(fault);
  return std::none_of(things.begin(), things.end(),
                      [&](const Thing& thing) { return overlap(fault, thing) != nullptr; });
}

void FaultChecker::take(const Fault& fault, const std::string& where) {
  if (leads_off(fault)) throw InputError{where, describe(fault, geometry_) + " leads off the wafer"};
  if (is_hosts(fault))
    throw InputError{where, describe(fault, geometry_) + " has the link to the host", "it must be alive"};
  for (const auto& thing : things_of(fault)) {
    if (const auto* taken = overlap(fault, thing)) {
      throw InputError{
          where,
          fmt::format("{} is already dead, or part of it: see {}", describe(fault, geometry_), taken->where),
          "one row for each fault"};
    }
    taken_.emplace(thing, Taken{fault.kind, where});
  }
}

// ---- rows
// --------------------------------------------------------------------------------------------------------

FaultColumns::FaultColumns(const engine::CsvReader& rows, const Geometry& geometry)
    : rows_{rows}, geometry_{geometry} {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto found = rows_.find_column(kNames[i]);
    if (!found) {
      throw InputError{rows_.where(), fmt::format("no column '{}'", kNames[i]),
                       fmt::format("faults have the columns {}", fmt::join(kNames, ", "))};
    }
    columns_[i] = *found;
  }
}

std::size_t FaultColumns::choice(std::size_t field, std::span<const std::string_view> known) const {
  const auto found = std::find(known.begin(), known.end(), rows_.field(columns_[field]));
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  throw InputError{rows_.where(),
                   fmt::format("{}: '{}' is not accepted", kNames[field], rows_.field(columns_[field])),
                   fmt::format("known: {}", fmt::join(known, ", "))};
}

Fault FaultColumns::read() const {
  const Coordinate at{static_cast<int>(rows_.whole_number(columns_[1], 0, geometry_.columns() - 1)),
                      static_cast<int>(rows_.whole_number(columns_[2], 0, geometry_.rows() - 1))};
  Fault fault{.kind = static_cast<Kind>(choice(0, kKindNames)), .core = geometry_.core_at(at)};
  if (fault.kind == Kind::link) {
    fault.direction = static_cast<Direction>(choice(3, kDirectionNames));
  } else if (!rows_.field(columns_[3]).empty()) {
    throw InputError{rows_.where(), fmt::format("{} has no direction", describe(fault, geometry_)),
                     "leave it empty; it is for links"};
  }
  return fault;
}

}  // namespace ouro::wafer
