#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "llm/token_flows.hpp"
#include "wafer/geometry.hpp"

namespace ouro::llm {

/// What it costs to move something between two cores of a wafer: links in a whole network, and those times
/// a penalty where the cores are on different dies.
class MappingCost {
 public:
  static constexpr std::int64_t kUnit = 1000;  ///< of a cost: a thousandth of a link

  /// @param die_penalty  factor, at least 1
  MappingCost(const wafer::Geometry& geometry, double die_penalty);

  std::int64_t between(wafer::CoreId a, wafer::CoreId b) const {
    const Site& one = sites_[a.value()];
    const Site& other = sites_[b.value()];
    const std::int64_t links = wafer::distance({one.x, one.y}, {other.x, other.y});
    return links * (one.die == other.die ? kUnit : penalty_);
  }
  const wafer::Geometry& geometry() const { return geometry_; }

 private:
  struct Site {
    std::int32_t x, y, die;
  };
  wafer::Geometry geometry_;
  std::int64_t penalty_;
  std::vector<Site> sites_;  // by core
};

/// The objective, in parts of a byte times thousandths of a link, by volume.
struct Objective {
  std::array<std::int64_t, kVolumes> by_volume{};

  std::int64_t total() const { return by_volume[0] + by_volume[1] + by_volume[2]; }
};

/// Sum over all flows from a on n to b on n' of bytes x links(n, n') x P(n, n'): the objective of the paper's
/// quadratic program, where the rest of it (a core a role, no dead ones) is for the caller to see to.
Objective evaluate(const FlowGraph& graph, const MappingCost& cost, const Placement& placement);

/// In bytes times links.
double byte_links(const FlowGraph& graph, std::int64_t objective);

}  // namespace ouro::llm
