#include "llm/optimised_mapping.hpp"

#include <algorithm>
#include <iterator>

#include "llm/block_layout.hpp"
#include "llm/core_order.hpp"
#include "llm/kv_sharing.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;

std::vector<Role> tiles_of(const TokenFlows& flows) {
  std::vector<Role> tiles;
  tiles.reserve(flows.graph().roles);
  for (int block = 0; block < flows.blocks(); ++block) {
    for (Role i = 0; i < flows.tiles_of_block(); ++i) tiles.push_back(flows.tile(block, Matrix::qkv, 0) + i);
  }
  for (Role i = 0; i < flows.lm_head_tiles(); ++i) tiles.push_back(flows.lm_head(i));
  return tiles;
}

class Optimiser {
 public:
  Optimiser(const TokenFlows& flows, const MappingCost& cost, const wafer::Faults& faults)
      : flows_{flows}, cost_{cost}, live_{live_cores(cost.geometry(), faults)}, tiles_{tiles_of(flows)} {}

  Placement construct(const Placement& start, const SearchOptions& options) const {
    auto placement = start;
    place_blocks(flows_, cost_, find_block_layout(flows_, cost_, options), live_, placement);
    share_out_kv(placement);
    return placement;
  }

  Placement polish(const Placement& start, const SearchOptions& options) const {
    auto placement = PlacementSearch{flows_.graph(), cost_, tiles_, live_}.improve(start, options);
    share_out_kv(placement);
    return placement;
  }

  std::int64_t total(const Placement& placement) const {
    return evaluate(flows_.graph(), cost_, placement).total();
  }

 private:
  void share_out_kv(Placement& placement) const {
    std::vector<bool> taken(static_cast<std::size_t>(cost_.geometry().cores()));
    for (const Role role : tiles_) taken[placement[role].value()] = true;
    std::vector<CoreId> left;
    left.reserve(live_.size());
    std::copy_if(live_.begin(), live_.end(), std::back_inserter(left),
                 [&](CoreId core) { return !taken[core.value()]; });
    share_out_kv_cores(flows_, cost_, left, placement);
  }

  const TokenFlows& flows_;
  const MappingCost& cost_;
  std::vector<CoreId> live_;
  std::vector<Role> tiles_;
};

}  // namespace

Placement optimise_placement(const TokenFlows& flows, const MappingCost& cost, const wafer::Faults& faults,
                             const Placement& start, const SearchOptions& options) {
  const Optimiser optimiser{flows, cost, faults};
  const auto constructed = optimiser.construct(start, {options.seed, options.steps / 3});
  const auto& better = optimiser.total(constructed) < optimiser.total(start) ? constructed : start;
  return optimiser.polish(better, {options.seed, options.steps - options.steps / 3});
}

}  // namespace ouro::llm
