#include "engine/recorded_ways.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <unordered_map>
#include <utility>

namespace ouro::engine {
namespace {

std::uint64_t pair_of(std::uint32_t high, std::uint32_t low) {
  return std::uint64_t{high} << 32 | low;
}

}  // namespace

RecordedWays::RecordedWays(const Recording& recording) {
  std::unordered_map<std::uint64_t, Node> nodes;
  const auto find_node = [&](LpId lp, std::uint32_t kind) {
    const auto [found, is_new] = nodes.try_emplace(pair_of(lp.value(), kind), static_cast<Node>(lps_.size()));
    if (is_new) lps_.push_back(lp);
    return found->second;
  };
  std::unordered_map<std::uint64_t, Duration> least;
  node_of_send_.reserve(recording.sends.size());
  for (const auto& send : recording.sends) {
    const auto node = find_node(send.to, send.kind);
    node_of_send_.push_back(node);
    if (send.known == RecordedSend::kFromTheStart) continue;
    const auto way = pair_of(find_node(send.from, send.cause), node);
    const auto [found, is_new] = least.try_emplace(way, send.arrival - send.known);
    if (!is_new) found->second = std::min(found->second, send.arrival - send.known);
  }
  for (const auto& [way, time] : least)
    ways_.push_back({static_cast<Node>(way >> 32), static_cast<Node>(way), time});
  by_cause_.resize(recording.sends.size());
  std::iota(by_cause_.begin(), by_cause_.end(), std::uint32_t{0});
  std::stable_sort(by_cause_.begin(), by_cause_.end(),
                   [&](auto a, auto b) { return recording.sends[a].known < recording.sends[b].known; });
}

std::vector<Duration> ways_to(const RecordedWays& ways, const Placement& placement, int rank, int target) {
  struct Step {
    RecordedWays::Node from;
    Duration least;
  };
  const auto is_here = [&](RecordedWays::Node node) {
    const int place = placement[ways.lp_of(node).value()];
    return place == rank || place == kEveryRank;
  };
  std::vector<Duration> shortest(ways.nodes(), kForever);
  std::vector<std::vector<Step>> before(ways.nodes());
  using Reached = std::pair<Duration, RecordedWays::Node>;
  std::priority_queue<Reached, std::vector<Reached>, std::greater<>> next;
  const auto reach = [&](RecordedWays::Node node, Duration time) {
    if (time >= shortest[node]) return;
    shortest[node] = time;
    next.emplace(time, node);
  };
  for (const auto& way : ways.ways()) {
    if (!is_here(way.from)) continue;
    const bool is_copied = placement[ways.lp_of(way.from).value()] == kEveryRank;  // sends nothing elsewhere
    if (!is_copied && placement[ways.lp_of(way.to).value()] == target) reach(way.from, way.least);
    if (is_here(way.to)) before[way.to].push_back({way.from, way.least});
  }
  while (!next.empty()) {  // Dijkstra's algorithm, backwards
    const auto [time, node] = next.top();
    next.pop();
    if (time > shortest[node]) continue;
    for (const auto& step : before[node]) reach(step.from, sum(step.least, time));
  }
  return shortest;
}

}  // namespace ouro::engine
