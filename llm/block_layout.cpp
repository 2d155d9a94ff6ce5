#include "llm/block_layout.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

#include "llm/core_order.hpp"

namespace ouro::llm {

using wafer::Coordinate;
using wafer::CoreId;

namespace {

constexpr int kReach = 12;  // cores that a block may be moved from its middle, along x and y

/// Cheapest to reach first, then by number.
void sort_by_cost_to(std::vector<CoreId>& cores, const MappingCost& cost, CoreId middle) {
  std::sort(cores.begin(), cores.end(), [&](CoreId a, CoreId b) {
    return std::tuple{cost.between(a, middle), a} < std::tuple{cost.between(b, middle), b};
  });
}

Coordinate middle_of(const wafer::Geometry& geometry, std::span<const CoreId> cores) {
  Coordinate sum;
  for (const CoreId core : cores) {
    sum.x += geometry.coordinate(core).x;
    sum.y += geometry.coordinate(core).y;
  }
  const auto count = static_cast<int>(cores.size());
  return {sum.x / count, sum.y / count};
}

CoreId nearest_core(const wafer::Geometry& geometry, Coordinate at) {
  return geometry.core_at(
      {std::clamp(at.x, 0, geometry.columns() - 1), std::clamp(at.y, 0, geometry.rows() - 1)});
}

std::vector<Role> first_roles(Role count) {
  std::vector<Role> roles(count);
  std::iota(roles.begin(), roles.end(), Role{0});
  return roles;
}

/// A layout with its middle somewhere, perhaps mirrored.
struct Pose {
  Coordinate at;
  int x_sign = 1;
  int y_sign = 1;

  Coordinate place(Coordinate offset) const { return {at.x + x_sign * offset.x, at.y + y_sign * offset.y}; }
};

class BlockPlacer {
 public:
  BlockPlacer(const TokenFlows& flows, const MappingCost& cost, const BlockLayout& layout,
              std::span<const CoreId> live, Placement& placement)
      : flows_{flows},
        cost_{cost},
        layout_{layout},
        placement_{placement},
        free_(static_cast<std::size_t>(cost.geometry().cores())),
        flows_of_block_(static_cast<std::size_t>(flows.blocks())) {
    for (const CoreId core : live) free_[core.value()] = true;
    sort_flows();
  }

  void place_block(int block) {
    const Role first = flows_.tile(block, Matrix::qkv, 0);
    const Coordinate middle =
        middle_of(cost_.geometry(), std::span{placement_}.subspan(first, flows_.roles_of_block()));
    Pose best;
    std::optional<std::pair<int, std::int64_t>> least;
    for (int dy = -kReach; dy <= kReach; ++dy) {
      for (int dx = -kReach; dx <= kReach; ++dx) {
        for (const int x_sign : {1, -1}) {
          for (const int y_sign : {1, -1}) {
            const Pose pose{{middle.x + dx, middle.y + dy}, x_sign, y_sign};
            const auto blocked = count_blocked(pose);
            if (least && blocked > least->first) continue;
            const std::pair rank{blocked, cost_of(block, pose, middle)};
            if (!least || rank < *least) least = rank, best = pose;
          }
        }
      }
    }
    settle(block, best);
  }

  void place_lm_head() {
    const CoreId near = placement_[flows_.tile(flows_.blocks() - 1, Matrix::down, 0)];
    for (Role i = 0; i < flows_.lm_head_tiles(); ++i) take(flows_.lm_head(i), nearest_free(near));
  }

 private:
  /// To each block what moves between its tiles, and between them and those of the block before.
  void sort_flows() {
    for (const auto& flow : flows_.graph().flows) {
      const auto later = std::max(flow.from, flow.to) / flows_.roles_of_block();
      if (later < flows_of_block_.size() && is_tile(flow.from) && is_tile(flow.to))
        flows_of_block_[later].push_back(flow);
    }
    kv_parts_.resize(flows_.tiles_of_block());
    for (const auto& flow : flows_.within_block().flows) {
      if (is_tile(flow.from) != is_tile(flow.to)) kv_parts_[std::min(flow.from, flow.to)] += flow.parts;
    }
  }
  bool is_tile(Role role) const { return role % flows_.roles_of_block() < flows_.tiles_of_block(); }

  int count_blocked(const Pose& pose) const {
    return static_cast<int>(std::count_if(layout_.begin(), layout_.end(),
                                          [&](Coordinate offset) { return !is_free(pose.place(offset)); }));
  }
  bool is_free(Coordinate at) const {
    return cost_.geometry().contains(at) && free_[cost_.geometry().core_at(at).value()];
  }

  /// Of the flows between tiles; and as if all KV cores were in the middle.
  std::int64_t cost_of(int block, const Pose& pose, Coordinate middle) const {
    const auto& geometry = cost_.geometry();
    const Role first = flows_.tile(block, Matrix::qkv, 0);
    const auto core_of = [&](Role role) {
      return role >= first && role - first < layout_.size()
                 ? nearest_core(geometry, pose.place(layout_[role - first]))
                 : placement_[role];
    };
    std::int64_t sum = 0;
    for (const auto& flow : flows_of_block_[static_cast<std::size_t>(block)])
      sum += flow.parts * cost_.between(core_of(flow.from), core_of(flow.to));
    const CoreId kv = nearest_core(geometry, middle);
    for (Role i = 0; i < layout_.size(); ++i) sum += kv_parts_[i] * cost_.between(core_of(first + i), kv);
    return sum;
  }

  void settle(int block, const Pose& pose) {
    const Role first = flows_.tile(block, Matrix::qkv, 0);
    std::vector<Role> displaced;
    for (Role i = 0; i < layout_.size(); ++i) {
      const auto at = pose.place(layout_[i]);
      if (is_free(at)) {
        take(first + i, cost_.geometry().core_at(at));
      } else {
        displaced.push_back(first + i);
      }
    }
    const auto& geometry = cost_.geometry();
    for (const Role role : displaced) {
      take(role, nearest_free(nearest_core(geometry, pose.place(layout_[role - first]))));
    }
  }

  void take(Role role, CoreId core) {
    placement_[role] = core;
    free_[core.value()] = false;
  }

  CoreId nearest_free(CoreId near) const {
    CoreId best = near;
    std::optional<std::int64_t> least;
    for (CoreId::Value core = 0; core < free_.size(); ++core) {
      const auto far = cost_.between(near, CoreId{core});
      if (free_[core] && (!least || far < *least)) least = far, best = CoreId{core};
    }
    return best;
  }

  const TokenFlows& flows_;
  const MappingCost& cost_;
  const BlockLayout& layout_;
  Placement& placement_;
  std::vector<bool> free_;
  std::vector<std::vector<Flow>> flows_of_block_;
  std::vector<std::int64_t> kv_parts_;  // by tile: to and from all KV cores of its block
};

}  // namespace

BlockLayout find_block_layout(const TokenFlows& flows, const MappingCost& cost,
                              const SearchOptions& options) {
  const auto& geometry = cost.geometry();
  const CoreId middle =
      geometry.core_of_die(geometry.die_of(Coordinate{geometry.columns() / 2, geometry.rows() / 2}),
                           geometry.core_rows / 2 * geometry.core_columns + geometry.core_columns / 2);
  auto sites = row_order(geometry);
  sort_by_cost_to(sites, cost, middle);
  const auto block = flows.within_block();
  sites.resize(block.roles);
  PlacementSearch search{block, cost, first_roles(flows.tiles_of_block()), sites};
  const auto placement = search.improve(sites, options);  // tiles first: in the middle

  const auto tiles = std::span{placement}.first(flows.tiles_of_block());
  const Coordinate origin = middle_of(geometry, tiles);
  BlockLayout layout;
  layout.reserve(tiles.size());
  for (const CoreId core : tiles) {
    const auto at = geometry.coordinate(core);
    layout.push_back({at.x - origin.x, at.y - origin.y});
  }
  return layout;
}

void place_blocks(const TokenFlows& flows, const MappingCost& cost, const BlockLayout& layout,
                  std::span<const CoreId> live, Placement& placement) {
  BlockPlacer placer{flows, cost, layout, live, placement};
  for (int block = 0; block < flows.blocks(); ++block) placer.place_block(block);
  placer.place_lm_head();
}

}  // namespace ouro::llm
