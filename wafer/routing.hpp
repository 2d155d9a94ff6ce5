#pragma once

#include <cstdint>
#include <vector>

#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"

namespace ouro::wafer {

/// The router at which a packet turns to the next leg of its way; none if this leg is the last.
class Waypoint {
 public:
  constexpr Waypoint() = default;
  explicit constexpr Waypoint(CoreId core) : code_{core.value() + 1} {}

  constexpr bool is_none() const { return code_ == 0; }
  constexpr CoreId core() const { return CoreId{code_ - 1}; }

  /// For messages; 0 for none.
  constexpr std::uint32_t code() const { return code_; }
  static constexpr Waypoint from_code(std::uint32_t code) {
    Waypoint waypoint;
    waypoint.code_ = code;
    return waypoint;
  }
  friend constexpr bool operator==(Waypoint, Waypoint) = default;

 private:
  std::uint32_t code_ = 0;
};

/// Ways along x, then along y; around dead routers and links in several such legs.
///
/// A leg is whole if all its routers and links are alive. Where the leg from a router to a packet's
/// destination is broken, the packet goes to a waypoint first: of the routers that a whole leg leads to and
/// that need a leg less from there, the one with the least total length, of these the first. It is chosen at
/// the source and again at each waypoint. Legs take their virtual channels from a class of their own, in
/// which dimension order allows no circle of waiting packets, and classes are taken in order: no deadlock.
///
/// By default all is whole, and every way one leg. One thread at a time may use it.
///
/// Source: C.-T. Ho and L. Stockmeyer, "A new approach to fault-tolerant wormhole routing for mesh-connected
/// parallel computers", IEEE Transactions on Computers 53(4), 2004, without their lambs: no live router is
/// given up.
class Routing {
 public:
  static constexpr int kMostLegs = 4;

  Routing() = default;
  Routing(const Geometry& geometry, const Faults& faults);

  /// Whether every way is one leg.
  bool is_whole() const { return row_piece_.empty(); }

  /// Two live routers that need most legs.
  struct Farthest {
    CoreId from;
    CoreId to;
    int legs = 1;  ///< 0: there is no way
  };
  const Farthest& farthest() const { return farthest_; }
  /// Most legs of a way.
  int legs() const { return farthest_.legs; }

  /// Where a packet at `from`, a source or waypoint, goes on to; both routers are alive.
  Waypoint waypoint(CoreId from, CoreId to) const {
    return is_whole() || is_one_leg(from, to) ? Waypoint{} : find_waypoint(from, to);
  }

  /// Links between the routers of a packet's way.
  int hops(const Geometry& geometry, CoreId from, CoreId to) const;

 private:
  struct Detour {
    CoreId from;
    Waypoint waypoint;
  };
  using Pieces = std::vector<std::int32_t>;  // by core; -1 for a dead router

  bool is_one_leg(CoreId from, CoreId to) const {
    const auto turn = geometry_.core_at({geometry_.coordinate(to).x, geometry_.coordinate(from).y}).value();
    return row_piece_[from.value()] == row_piece_[turn] && column_piece_[turn] == column_piece_[to.value()];
  }
  Waypoint find_waypoint(CoreId from, CoreId to) const;
  std::vector<Detour> find_detours(CoreId to) const;
  Pieces cut(const Faults& faults, Direction back) const;
  Farthest find_farthest() const;

  Geometry geometry_;
  Pieces row_piece_;  // of a row, without a dead router or link within; empty if all is whole
  Pieces column_piece_;
  Farthest farthest_;

  mutable std::vector<std::vector<Detour>> detours_;  // by destination, once asked for; by source
  mutable std::size_t detours_kept_ = 0;
};

}  // namespace ouro::wafer
