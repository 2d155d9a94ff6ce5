#include "partitions/candidates.hpp"

#include <algorithm>
#include <optional>

#include "partitions/graph_cut.hpp"
#include "partitions/pipeline_cut.hpp"

namespace ouro::partitions {
namespace {

bool is_cheaper(const Candidate& a, const Candidate& b) {
  return a.prediction.cost < b.prediction.cost;
}

/// Of all ways to give one die to the rank of a neighbour, the cheapest, if that is cheaper than none. A rank
/// keeps its last die.
std::optional<Candidate> best_move(const Candidate& from, const wafer::Geometry& geometry,
                                   const CostModel& model) {
  std::optional<Candidate> best;
  auto moved = from;
  for (std::size_t die = 0; die < from.partition.size(); ++die) {
    const int rank = from.partition[die];
    if (std::count(from.partition.begin(), from.partition.end(), rank) == 1) continue;
    for (const auto direction : wafer::kDirections) {
      const auto neighbour =
          geometry.neighbour(wafer::DieId{static_cast<wafer::DieId::Value>(die)}, direction);
      if (!neighbour || from.partition[neighbour->value()] == rank) continue;
      moved.partition[die] = from.partition[neighbour->value()];
      moved.prediction = model.predict(moved.partition);
      if (is_cheaper(moved, best ? *best : from)) best = moved;
    }
    moved.partition[die] = rank;
  }
  return best;
}

}  // namespace

std::vector<Candidate> candidates(const wafer::Geometry& geometry, const DieLoad& load, int ranks) {
  constexpr int kMostRuns = 4;
  const CostModel model{load};
  std::vector<Candidate> all;
  const auto add = [&](const std::string& method, int runs, Partition partition) {
    const auto prediction = model.predict(partition);
    all.push_back({method, runs, std::move(partition), prediction});
  };
  add("rows", 1, by_rows(geometry, ranks));
  add("rectangles", 1, by_rectangles(geometry, ranks));
  for (int runs = 1; runs <= kMostRuns; ++runs) add("pipeline", runs, by_pipeline(load, ranks, runs));
  add("metis", 1, by_graph(load, ranks));
  return all;
}

Candidate choose(const wafer::Geometry& geometry, const DieLoad& load, int ranks) {
  auto all = candidates(geometry, load, ranks);
  auto best = *std::min_element(all.begin(), all.end(), is_cheaper);
  best.method = "auto";
  best.runs = 1;
  const CostModel model{load};
  while (const auto better = best_move(best, geometry, model)) best = *better;
  return best;
}

}  // namespace ouro::partitions
