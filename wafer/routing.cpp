#include "wafer/routing.hpp"

#include <algorithm>
#include <limits>

#include "engine/error.hpp"

namespace ouro::wafer {
namespace {

/// A length and the core that it leads to, in one number: the least is the least length, then the first core.
using Reach = std::uint64_t;
constexpr Reach kHop = Reach{1} << 32;
constexpr Reach kOutOfReach = std::numeric_limits<Reach>::max() / 2;

Reach make_reach(int length, std::size_t core) {
  return static_cast<Reach>(length) * kHop + core;
}

/// Lets each router know what is in reach along its piece of a row or column.
/// @param stride  between the cores of a piece
void spread(std::vector<Reach>& reach, const std::vector<std::int32_t>& piece, std::size_t stride) {
  const auto learn = [&](std::size_t core, std::size_t from) {
    if (piece[core] >= 0 && piece[core] == piece[from])
      reach[core] = std::min(reach[core], reach[from] + kHop);
  };
  for (std::size_t core = stride; core < piece.size(); ++core) learn(core, core - stride);
  for (std::size_t core = piece.size() - stride; core-- > 0;) learn(core, core + stride);
}

std::vector<std::vector<std::uint32_t>> cores_by_piece(const std::vector<std::int32_t>& piece_of_core) {
  std::vector<std::vector<std::uint32_t>> cores;
  for (std::uint32_t core = 0; core < piece_of_core.size(); ++core) {
    const auto piece = piece_of_core[core];
    if (piece < 0) continue;
    if (cores.size() <= static_cast<std::size_t>(piece)) cores.resize(static_cast<std::size_t>(piece) + 1);
    cores[static_cast<std::size_t>(piece)].push_back(core);
  }
  return cores;
}

}  // namespace

Routing::Routing(const Geometry& geometry, const Faults& faults) : geometry_{geometry} {
  if (faults.network_is_whole()) return;
  row_piece_ = cut(faults, Direction::west);
  column_piece_ = cut(faults, Direction::north);
  farthest_ = find_farthest();
}

/// @param back  where a router's piece comes from, unless a fault is between
Routing::Pieces Routing::cut(const Faults& faults, Direction back) const {
  Pieces pieces(static_cast<std::size_t>(geometry_.cores()), -1);
  std::int32_t next = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const CoreId core{static_cast<CoreId::Value>(i)};
    if (faults.router_is_dead(core)) continue;
    const auto before = step(geometry_.coordinate(core), back);
    const bool goes_on = geometry_.contains(before) && !faults.link_is_dead(core, back);
    pieces[i] = goes_on ? pieces[geometry_.core_at(before).value()] : next++;
  }
  return pieces;
}

/// A leg leads from a piece of a row to a piece of a column that crosses it, so all routers of a row's piece
/// need as many legs to all of a column's.
Routing::Farthest Routing::find_farthest() const {
  const auto rows = cores_by_piece(row_piece_), columns = cores_by_piece(column_piece_);
  const auto column_of = [&](std::uint32_t core) { return static_cast<std::size_t>(column_piece_[core]); };
  Farthest farthest;
  for (const auto& row : rows) {
    std::vector<int> legs(columns.size());  // 0: not yet known
    for (const auto core : row) legs[column_of(core)] = 1;
    const auto leads_on = [&](std::uint32_t core, int before) {
      const auto& crossed = rows[static_cast<std::size_t>(row_piece_[core])];
      return std::any_of(crossed.begin(), crossed.end(), [&](std::uint32_t other) {
        return legs[column_of(other)] > 0 && legs[column_of(other)] <= before;
      });
    };
    bool goes_on = true;
    for (int before = 1; goes_on; ++before) {
      goes_on = false;
      for (std::size_t column = 0; column < columns.size(); ++column) {
        if (legs[column] > 0 || !std::any_of(columns[column].begin(), columns[column].end(),
                                             [&](std::uint32_t core) { return leads_on(core, before); })) {
          continue;
        }
        legs[column] = before + 1;
        goes_on = true;
      }
    }
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const Farthest found{CoreId{row.front()}, CoreId{columns[column].front()}, legs[column]};
      if (found.legs == 0) return found;
      if (found.legs > farthest.legs) farthest = found;
    }
  }
  return farthest;
}

Waypoint Routing::find_waypoint(CoreId from, CoreId to) const {
  constexpr std::size_t kMostKept = 16'000'000;  // 128 MB
  if (detours_.empty()) detours_.resize(row_piece_.size());
  auto& detours = detours_[to.value()];
  if (detours.empty()) {
    if (detours_kept_ > kMostKept) {
      for (auto& kept : detours_) kept = {};
      detours_kept_ = 0;
    }
    detours = find_detours(to);
    detours_kept_ += detours.size();
  }
  const auto found = std::lower_bound(detours.begin(), detours.end(), from,
                                      [](const Detour& detour, CoreId core) { return detour.from < core; });
  if (found == detours.end() || found->from != from)
    throw engine::ContractError{"a packet is routed from or to a dead router"};
  return found->waypoint;
}

/// The waypoints of all sources to one destination, round by round from those that need one leg.
std::vector<Routing::Detour> Routing::find_detours(CoreId to) const {
  const auto cores = row_piece_.size();
  std::vector<int> legs(cores), length(cores);
  for (std::size_t core = 0; core < cores; ++core) {
    const CoreId from{static_cast<CoreId::Value>(core)};
    if (row_piece_[core] < 0 || !is_one_leg(from, to)) continue;
    legs[core] = 1;
    length[core] = distance(geometry_.coordinate(from), geometry_.coordinate(to));
  }
  std::vector<Detour> detours;
  bool goes_on = true;
  for (int before = 1; goes_on; ++before) {
    std::vector<Reach> reach(cores, kOutOfReach);
    for (std::size_t core = 0; core < cores; ++core) {
      if (legs[core] == before) reach[core] = make_reach(length[core], core);
    }
    // backwards: a leg goes along y last
    spread(reach, column_piece_, static_cast<std::size_t>(geometry_.columns()));
    spread(reach, row_piece_, 1);
    goes_on = false;
    for (std::size_t core = 0; core < cores; ++core) {
      if (row_piece_[core] < 0 || legs[core] > 0 || reach[core] >= kOutOfReach) continue;
      legs[core] = before + 1;
      length[core] = static_cast<int>(reach[core] / kHop);
      detours.push_back({CoreId{static_cast<CoreId::Value>(core)},
                         Waypoint{CoreId{static_cast<CoreId::Value>(reach[core] % kHop)}}});
      goes_on = true;
    }
  }
  std::sort(detours.begin(), detours.end(), [](const Detour& a, const Detour& b) { return a.from < b.from; });
  return detours;
}

int Routing::hops(const Geometry& geometry, CoreId from, CoreId to) const {
  int hops = 0;
  for (auto via = waypoint(from, to); !via.is_none(); via = waypoint(from, to)) {
    hops += distance(geometry.coordinate(from), geometry.coordinate(via.core()));
    from = via.core();
  }
  return hops + distance(geometry.coordinate(from), geometry.coordinate(to));
}

}  // namespace ouro::wafer
