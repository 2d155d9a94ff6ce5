#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/csv.hpp"
#include "wafer/faults.hpp"

namespace ouro::wafer {

/// Such as: the link east of (3, 0)
std::string describe(const Fault& fault, const Geometry& geometry);

/// "core", "router" or "link"
std::string_view name_of(Fault::Kind kind);
std::string_view name_of(Direction direction);

/// Accepts faults that make sense together: each core, router and link dies once.
class FaultChecker {
 public:
  /// @param host  whose router must be alive
  FaultChecker(const Geometry& geometry, Coordinate host) : geometry_{geometry}, host_{host} {}

  /// Whether take() would accept it.
  bool accepts(const Fault& fault) const;

  /// @param where  it is said, for messages about it and about others that overlap it
  /// @throws InputError  if the link leads off the wafer, the router is the host's, or a part is dead already
  void take(const Fault& fault, const std::string& where);

 private:
  /// What dies: a core, a router's links, or a link, which is named by its western or northern end.
  using Thing = std::tuple<Fault::Kind, CoreId, Direction>;
  struct Taken {
    Fault::Kind kind;
    std::string where;
  };
  Thing link(CoreId core, Direction direction) const;
  std::vector<Thing> things_of(const Fault& fault) const;
  const Taken* overlap(const Fault& fault, const Thing& thing) const;
  bool leads_off(const Fault& fault) const;
  bool is_hosts(const Fault& fault) const;

  const Geometry& geometry_;
  Coordinate host_;
  std::map<Thing, Taken> taken_;
};

/// The columns kind, x, y and direction of a CSV.
class FaultColumns {
 public:
  /// @throws InputError  if one is lacking
  FaultColumns(const engine::CsvReader& rows, const Geometry& geometry);

  /// Of the current row.
  /// @throws InputError  names file and line
  Fault read() const;

 private:
  static constexpr std::array<std::string_view, 4> kNames{"kind", "x", "y", "direction"};

  std::size_t choice(std::size_t field, std::span<const std::string_view> known) const;

  const engine::CsvReader& rows_;
  const Geometry& geometry_;
  std::array<std::size_t, kNames.size()> columns_{};
};

}  // namespace ouro::wafer
