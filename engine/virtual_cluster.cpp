#include "engine/virtual_cluster.hpp"

#include <bit>
#include <utility>

#include "engine/virtual_null_messages.hpp"
#include "engine/virtual_windows.hpp"

namespace ouro::engine {
namespace {

/// What SingleRank does.
void run_alone(VirtualRank& rank, Time stop) {
  rank.region().run_before(stop, kAllEvents);
  rank.charge_events();
  rank.count_stretch();
}

}  // namespace

VirtualRun run_virtual_cluster(std::span<SynchronizedRegion* const> regions, SynchronizerKind kind,
                               const VirtualCosts& costs, Time stop) {
  std::vector<VirtualInbox> inboxes(regions.size(), VirtualInbox{regions.size()});
  VirtualRanks ranks;
  for (auto* region : regions) ranks.emplace_back(*region, costs, inboxes);
  const double collective_seconds = costs.latency_seconds * std::bit_width(regions.size() - 1);
  std::optional<BusiestRanks> busiest;
  if (ranks.size() == 1) {
    run_alone(ranks.front(), stop);
  } else if (kind == SynchronizerKind::window) {
    VirtualWindows windows{ranks, collective_seconds};
    windows.run_until(stop);
    busiest = windows.busiest();
  } else {
    VirtualNullMessages{ranks, collective_seconds}.run_until(stop);
  }
  VirtualRun run{.wall_seconds = latest_clock(ranks), .costs = {}, .busiest = std::move(busiest)};
  for (const auto& rank : ranks) run.costs.push_back(rank.cost());
  return run;
}

}  // namespace ouro::engine
