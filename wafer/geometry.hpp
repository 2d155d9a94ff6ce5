#pragma once

#include <array>
#include <optional>

#include "engine/id.hpp"

namespace ouro::wafer {

/// A core and its router, numbered row by row over the whole grid: those of the first wafer first.
using CoreId = engine::Id<struct CoreTag>;
/// A die, numbered row by row.
using DieId = engine::Id<struct DieTag>;

/// Position on the grid of cores: x grows to the east, y to the south.
struct Coordinate {
  int x = 0;
  int y = 0;
  friend auto operator<=>(const Coordinate&, const Coordinate&) = default;
};

enum class Direction { east, west, north, south };
inline constexpr std::array kDirections{Direction::east, Direction::west, Direction::north, Direction::south};

constexpr Coordinate step(Coordinate at, Direction direction) {
  switch (direction) {
    case Direction::east:
      return {at.x + 1, at.y};
    case Direction::west:
      return {at.x - 1, at.y};
    case Direction::north:
      return {at.x, at.y - 1};
    case Direction::south:
      break;
  }
  return {at.x, at.y + 1};
}

constexpr Direction opposite(Direction direction) {
  switch (direction) {
    case Direction::east:
      return Direction::west;
    case Direction::west:
      return Direction::east;
    case Direction::north:
      return Direction::south;
    case Direction::south:
      break;
  }
  return Direction::north;
}

/// Links between two routers where packets go no detours.
constexpr int distance(Coordinate a, Coordinate b) {
  const auto apart = [](int one, int other) { return one < other ? other - one : one - other; };
  return apart(a.x, b.x) + apart(a.y, b.y);
}

/// The grid of cores, in dies. Several wafers lie one south of the other in one grid.
struct Geometry {
  static constexpr int kMostCores = 4'000'000;

  int die_columns = 9;
  int die_rows = 7;       ///< of all wafers
  int core_columns = 13;  ///< of a die
  int core_rows = 17;     ///< of a die
  int wafers = 1;         ///< with as many rows of dies each

  int columns() const { return die_columns * core_columns; }
  int rows() const { return die_rows * core_rows; }
  int cores() const { return columns() * rows(); }
  int dies() const { return die_columns * die_rows; }
  int cores_of_die() const { return core_columns * core_rows; }

  int rows_of_wafer() const { return rows() / wafers; }
  int cores_of_wafer() const { return cores() / wafers; }
  int wafer_of(CoreId core) const { return static_cast<int>(core.value()) / cores_of_wafer(); }
  int wafer_of(DieId die) const { return static_cast<int>(die.value()) / (dies() / wafers); }

  /// Whether a link in that direction leads to another wafer, or would.
  bool leaves_wafer(Coordinate at, Direction direction) const {
    const auto to = step(at, direction);
    return contains(to) && to.y / rows_of_wafer() != at.y / rows_of_wafer();
  }

  bool contains(Coordinate at) const { return at.x >= 0 && at.y >= 0 && at.x < columns() && at.y < rows(); }

  Coordinate coordinate(CoreId core) const {
    const auto index = static_cast<int>(core.value());
    return {index % columns(), index / columns()};
  }
  /// Stands for the host interface where a packet's destination is named.
  CoreId host_id() const { return CoreId{static_cast<CoreId::Value>(cores())}; }
  CoreId core_at(Coordinate at) const { return CoreId{static_cast<CoreId::Value>(at.y * columns() + at.x)}; }

  DieId die_of(Coordinate at) const {
    return DieId{static_cast<DieId::Value>(at.y / core_rows * die_columns + at.x / core_columns)};
  }
  DieId die_of(CoreId core) const { return die_of(coordinate(core)); }

  /// Number of a core within its die, row by row.
  int index_in_die(Coordinate at) const { return at.y % core_rows * core_columns + at.x % core_columns; }
  int index_in_die(CoreId core) const { return index_in_die(coordinate(core)); }

  /// The core with that number within `die`.
  CoreId core_of_die(DieId die, int index) const {
    const auto number = static_cast<int>(die.value());
    return core_at({number % die_columns * core_columns + index % core_columns,
                    number / die_columns * core_rows + index / core_columns});
  }

  std::optional<DieId> neighbour(DieId die, Direction direction) const {
    const auto number = static_cast<int>(die.value());
    const auto to = step({number % die_columns, number / die_columns}, direction);
    if (to.x < 0 || to.y < 0 || to.x >= die_columns || to.y >= die_rows) return std::nullopt;
    return DieId{static_cast<DieId::Value>(to.y * die_columns + to.x)};
  }
};

}  // namespace ouro::wafer
