#include "llm/mapping_cost.hpp"

#include <cmath>

namespace ouro::llm {

MappingCost::MappingCost(const wafer::Geometry& geometry, double die_penalty)
    : geometry_{geometry}, penalty_{std::llround(die_penalty * kUnit)} {
  const auto cores = static_cast<wafer::CoreId::Value>(geometry.cores());
  sites_.reserve(cores);
  for (wafer::CoreId::Value core = 0; core < cores; ++core) {
    const auto at = geometry.coordinate(wafer::CoreId{core});
    sites_.push_back({at.x, at.y, static_cast<std::int32_t>(geometry.die_of(at).value())});
  }
}

Objective evaluate(const FlowGraph& graph, const MappingCost& cost, const Placement& placement) {
  Objective objective;
  for (const auto& flow : graph.flows) {
    objective.by_volume[static_cast<std::size_t>(flow.volume)] +=
        flow.parts * cost.between(placement[flow.from], placement[flow.to]);
  }
  return objective;
}

double byte_links(const FlowGraph& graph, std::int64_t objective) {
  return static_cast<double>(objective) / static_cast<double>(MappingCost::kUnit * graph.parts_of_byte);
}

}  // namespace ouro::llm
