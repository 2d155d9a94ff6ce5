#include "partitions/graph_cut.hpp"

#include <fmt/format.h>
#include <metis.h>

#include <algorithm>
#include <cmath>

#include "engine/error.hpp"

namespace ouro::partitions {
namespace {

constexpr double kMostWeight = 1 << 20;  // of a die or a border: the sum of all must fit into idx_t

/// Compressed adjacency, as METIS reads it. Weights are at least 1.
struct WeightedGraph {
  std::vector<idx_t> first{0};  ///< by die: of its neighbours
  std::vector<idx_t> neighbours;
  std::vector<idx_t> border_weights;
  std::vector<idx_t> die_weights;
};

idx_t weight(double value, double largest) {
  return largest > 0 ? std::max<idx_t>(1, std::lround(kMostWeight * value / largest)) : 1;
}

WeightedGraph graph_of(const DieLoad& load) {
  const auto events = load.events_of_dies();
  const auto packets = load.packets();
  const double most_events = *std::max_element(events.begin(), events.end());
  double most_packets = 0;
  for (const auto& [border, times] : packets) most_packets = std::max(most_packets, times);

  WeightedGraph graph;
  for (int die = 0; die < load.dies; ++die) {
    for (const auto& [border, times] : packets) {
      if (border.first != die && border.second != die) continue;
      graph.neighbours.push_back(border.first == die ? border.second : border.first);
      graph.border_weights.push_back(weight(times, most_packets));
    }
    graph.first.push_back(static_cast<idx_t>(graph.neighbours.size()));
    graph.die_weights.push_back(weight(events[static_cast<std::size_t>(die)], most_events));
  }
  return graph;
}

/// A rank that METIS left without a die takes the least one of the rank with the most dies.
void give_each_rank_a_die(Partition& partition, const std::vector<idx_t>& weights, int ranks) {
  std::vector<int> dies(static_cast<std::size_t>(ranks), 0);
  for (const int rank : partition) ++dies[static_cast<std::size_t>(rank)];
  for (int idle = 0; idle < ranks; ++idle) {
    if (dies[static_cast<std::size_t>(idle)] > 0) continue;
    const auto giver = static_cast<int>(std::max_element(dies.begin(), dies.end()) - dies.begin());
    auto least = partition.size();
    for (std::size_t die = 0; die < partition.size(); ++die) {
      if (partition[die] == giver && (least == partition.size() || weights[die] < weights[least]))
        least = die;
    }
    partition[least] = idle;
    --dies[static_cast<std::size_t>(giver)];
    ++dies[static_cast<std::size_t>(idle)];
  }
}

}  // namespace

Partition by_graph(const DieLoad& load, int ranks) {
  if (ranks == 1) return Partition(static_cast<std::size_t>(load.dies), 0);  // METIS divides by ranks - 1
  auto graph = graph_of(load);
  idx_t dies = load.dies, constraints = 1, parts = ranks, cut = 0;
  std::vector<idx_t> options(METIS_NOPTIONS), part(static_cast<std::size_t>(dies));
  METIS_SetDefaultOptions(options.data());
  options[METIS_OPTION_SEED] = 1;  // every rank must find the same
  options[METIS_OPTION_NCUTS] = 4;
  const int status = METIS_PartGraphKway(&dies, &constraints, graph.first.data(), graph.neighbours.data(),
                                         graph.die_weights.data(), nullptr, graph.border_weights.data(),
                                         &parts, nullptr, nullptr, options.data(), &cut, part.data());
  if (status != METIS_OK) throw engine::ContractError{fmt::format("METIS fails with status {}", status)};
  Partition partition{part.begin(), part.end()};
  give_each_rank_a_die(partition, graph.die_weights, ranks);
  return partition;
}

}  // namespace ouro::partitions
