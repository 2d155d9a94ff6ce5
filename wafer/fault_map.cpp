#include "wafer/fault_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <tuple>

#include "engine/csv.hpp"
#include "engine/error.hpp"

namespace ouro::wafer {
namespace {

using engine::InputError;
using Kind = Fault::Kind;

constexpr std::array<std::string_view, 3> kKindNames{"core", "router", "link"};
constexpr std::array<std::string_view, 4> kDirectionNames{"east", "west", "north", "south"};

class FaultMapReader {
 public:
  FaultMapReader(const std::filesystem::path& file, const Geometry& geometry, Coordinate host)
      : geometry_{geometry}, host_{host}, rows_{engine::open_text(file), file.string()}, faults_{geometry} {}

  Faults read() {
    for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i] = column(kColumnNames[i]);
    while (rows_.next()) {
      const auto fault = read_row();
      refuse_overlap(fault);
      faults_.add(fault);
    }
    return std::move(faults_);
  }

 private:
  static constexpr std::array<std::string_view, 4> kColumnNames{"kind", "x", "y", "direction"};

  std::size_t column(std::string_view name) const {
    const auto found = rows_.find_column(name);
    if (found) return *found;
    throw InputError{rows_.where(), fmt::format("no column '{}'", name),
                     "a fault map has the columns kind, x, y, direction"};
  }

  template <std::size_t N>
  std::size_t choice(std::size_t field, const std::array<std::string_view, N>& known) const {
    const auto found = std::find(known.begin(), known.end(), rows_.field(columns_[field]));
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    throw InputError{
        rows_.where(),
        fmt::format("{}: '{}' is not accepted", kColumnNames[field], rows_.field(columns_[field])),
        fmt::format("known: {}", fmt::join(known, ", "))};
  }

  Fault read_row() const {
    const Coordinate at{static_cast<int>(rows_.whole_number(columns_[1], 0, geometry_.columns() - 1)),
                        static_cast<int>(rows_.whole_number(columns_[2], 0, geometry_.rows() - 1))};
    Fault fault{.kind = static_cast<Kind>(choice(0, kKindNames)), .core = geometry_.core_at(at)};
    if (fault.kind == Kind::link) {
      fault.direction = static_cast<Direction>(choice(3, kDirectionNames));
      if (!geometry_.contains(step(at, fault.direction)))
        throw InputError{rows_.where(), describe(fault) + " leads off the wafer"};
    } else if (!rows_.field(columns_[3]).empty()) {
      throw InputError{rows_.where(), fmt::format("{} has no direction", describe(fault)),
                       "leave it empty; it is for links"};
    }
    if (fault.kind == Kind::router && at == host_)
      throw InputError{rows_.where(), describe(fault) + " has the link to the host", "it must be alive"};
    return fault;
  }

  std::string describe(const Fault& fault) const {
    const auto at = geometry_.coordinate(fault.core);
    const auto place = fmt::format("({}, {})", at.x, at.y);
    switch (fault.kind) {
      case Kind::core:
        return "the core at " + place;
      case Kind::router:
        return "the router at " + place;
      case Kind::link:
        break;
    }
    return fmt::format("the link {} of {}", kDirectionNames[static_cast<std::size_t>(fault.direction)],
                       place);
  }

  /// What a row takes: a core, a router, or a link, which is named by its western or northern end.
  using Thing = std::tuple<Kind, CoreId, Direction>;
  Thing link(CoreId core, Direction direction) const {
    if (direction == Direction::east || direction == Direction::south) return {Kind::link, core, direction};
    return {Kind::link, geometry_.core_at(step(geometry_.coordinate(core), direction)), opposite(direction)};
  }

  std::vector<Thing> things_of(const Fault& fault) const {
    if (fault.kind == Kind::link) return {link(fault.core, fault.direction)};
    std::vector<Thing> things{{Kind::core, fault.core, {}}};
    if (fault.kind == Kind::core) return things;
    for (const auto direction : kDirections) {
      if (geometry_.contains(step(geometry_.coordinate(fault.core), direction)))
        things.push_back(link(fault.core, direction));
    }
    return things;
  }

  void refuse_overlap(const Fault& fault) {
    for (const auto& thing : things_of(fault)) {
      const auto [taken, is_new] = taken_.emplace(thing, Row{fault.kind, rows_.where()});
      const bool between_routers = std::get<Kind>(thing) == Kind::link && fault.kind == Kind::router &&
                                   taken->second.kind == Kind::router;
      if (is_new || between_routers) continue;
      throw InputError{
          rows_.where(),
          fmt::format("{} is already dead, or part of it: see {}", describe(fault), taken->second.where),
          "one row for each fault"};
    }
  }

  struct Row {
    Kind kind;
    std::string where;
  };

  const Geometry& geometry_;
  Coordinate host_;
  engine::CsvReader rows_;
  std::array<std::size_t, kColumnNames.size()> columns_{};
  Faults faults_;
  std::map<Thing, Row> taken_;
};

}  // namespace

Faults read_fault_map(const std::filesystem::path& file, const Geometry& geometry, Coordinate host) {
  return FaultMapReader{file, geometry, host}.read();
}

}  // namespace ouro::wafer
