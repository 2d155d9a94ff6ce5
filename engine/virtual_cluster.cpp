#include "engine/virtual_cluster.hpp"

#include <fmt/format.h>

#include <bit>
#include <map>

#include "engine/error.hpp"
#include "engine/virtual_null_messages.hpp"
#include "engine/virtual_windows.hpp"

namespace ouro::engine {
namespace {

/// What SingleRank does.
void run_alone(VirtualRank& rank, Time stop) {
  rank.region().run_before(stop);
  rank.charge_events();
  rank.count_stretch();
}

/// As verify_run.
RunVerdict verdict_of(std::span<Region* const> regions) {
  RunVerdict verdict;
  std::map<LpId, std::uint64_t> digests;
  for (const auto* region : regions) {
    for (const auto& report : region->reports()) {
      const auto [first, is_new] = digests.emplace(report.id, report.digest);
      if (first->second != report.digest) {
        throw ContractError{fmt::format("the copy of LP {} on rank {} has another digest than the first one",
                                        report.id.value(), region->rank())};
      }
      if (!is_new) continue;
      verdict.digest += digest_term(report.id, report.digest);
      verdict.events += report.events;
    }
  }
  return verdict;
}

}  // namespace

VirtualRun run_virtual_cluster(std::span<Region* const> regions, SynchronizerKind kind,
                               const VirtualCosts& costs, Time stop) {
  std::vector<VirtualInbox> inboxes(regions.size(), VirtualInbox{regions.size()});
  VirtualRanks ranks;
  for (auto* region : regions) ranks.emplace_back(*region, costs, inboxes);
  const double collective_seconds = costs.latency_seconds * std::bit_width(regions.size() - 1);
  if (ranks.size() == 1) {
    run_alone(ranks.front(), stop);
  } else if (kind == SynchronizerKind::window) {
    VirtualWindows{ranks, collective_seconds}.run_until(stop);
  } else {
    VirtualNullMessages{ranks, collective_seconds}.run_until(stop);
  }
  VirtualRun run{.wall_seconds = latest_clock(ranks), .costs = {}, .verdict = verdict_of(regions)};
  for (const auto& rank : ranks) run.costs.push_back(rank.cost());
  return run;
}

}  // namespace ouro::engine
