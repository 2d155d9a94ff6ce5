#include "tools/result_groups.hpp"

namespace ouro::tools {

void write_experts(ResultWriting& out, const llm::System& system) {
  const auto& experts = out.experiment().model.experts;
  if (experts.routed == 0) return;
  const auto all = static_cast<std::size_t>(experts.routed + experts.shared);
  const auto& stations = out.experiment().plan->stations();
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(out.experiment().plan->blocks()) * all);
  for (const auto* die : system.dies()) {
    for (std::size_t station = 0; station < stations.size(); ++station) {
      const auto* use = die->station_use(static_cast<int>(station));
      if (use == nullptr || !stations[station].routes) continue;
      const auto first = static_cast<std::size_t>(stations[station].block) * all;
      for (std::size_t i = 0; i < use->expert_tokens.size(); ++i) tokens[first + i] += use->expert_tokens[i];
    }
  }
  out.sum_over_ranks(tokens);
  out.file().set_attribute("/experts", "routed", std::int64_t{experts.routed});
  out.file().set_attribute("/experts", "per_token", std::int64_t{experts.per_token});
  out.write_whole<std::int64_t>(
      {"/experts/tokens", "token",
       "tokens that each expert worked for, by block and expert; shared experts last"},
      tokens, {all});
}

}  // namespace ouro::tools
