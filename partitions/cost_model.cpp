#include "partitions/cost_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ouro::partitions {
namespace {

// Tokens that move together, and so many stations of work around them: those of two blocks.
constexpr double kTokensOfGroup = 4;
constexpr std::size_t kStationsAround = 8;
// Windows that a token alone takes: for the controllers, and for the root of a station's crossing packets.
constexpr double kControlWindows = 35, kCrossingWindows = 5.5;
constexpr double kTokensThatHalve = 10;  // the windows of each
// What a window costs, in events: anyway, and for each doubling of the ranks.
constexpr double kEventsOfWindow = 8, kEventsOfStep = 1.5;

int ranks_of(const Partition& partition) {
  return *std::max_element(partition.begin(), partition.end()) + 1;
}

std::vector<double> by_rank(const std::vector<double>& of_dies, const Partition& partition, int ranks) {
  std::vector<double> sums(static_cast<std::size_t>(ranks), 0.0);
  for (std::size_t die = 0; die < of_dies.size(); ++die)
    sums[static_cast<std::size_t>(partition[die])] += of_dies[die];
  return sums;
}

/// Packets over borders between ranks.
double crossings_of(const DieLoad::Stretch& stretch, const Partition& partition) {
  double sum = 0;
  for (const auto& [border, packets] : stretch.packets) {
    const auto [a, b] = border;
    if (partition[static_cast<std::size_t>(a)] != partition[static_cast<std::size_t>(b)]) sum += packets;
  }
  return sum;
}

}  // namespace

CostModel::CostModel(const DieLoad& load)
    : load_{load}, of_dies_{load.events_of_dies()}, of_token_{load.events_of_token()} {
  const auto stations = load.stretches.size();
  for (std::size_t first = 0; first < stations; ++first) {
    auto& around = around_.emplace_back(of_dies_.size(), 0.0);
    const auto last = std::min(first + kStationsAround, stations);
    for (std::size_t s = first; s < last; ++s) {
      for (std::size_t die = 0; die < around.size(); ++die) around[die] += load.stretches[s].events[die];
    }
  }
}

Prediction CostModel::predict(const Partition& partition) const {
  const int ranks = ranks_of(partition);
  Prediction prediction;
  prediction.cost = of_token_;
  prediction.promise_distance = promise_distance(partition);
  if (ranks == 1) return prediction;

  const auto work = by_rank(of_dies_, partition, ranks);
  prediction.balance = *std::max_element(work.begin(), work.end()) * ranks / of_token_;
  prediction.balance_in_time = balance_in_time(partition, ranks);
  prediction.crossings = crossings(partition);
  prediction.cost =
      of_token_ / ranks * (1 + std::hypot(prediction.balance - 1, prediction.balance_in_time - 1)) +
      windows(partition) * (kEventsOfWindow + kEventsOfStep * std::log2(ranks));
  prediction.speed_up = of_token_ / prediction.cost;
  return prediction;
}

double CostModel::balance_in_time(const Partition& partition, int ranks) const {
  double squares = 0, weights = 0;
  for (const auto& around : around_) {
    const auto work = by_rank(around, partition, ranks);
    const double all = std::accumulate(work.begin(), work.end(), 0.0);
    if (all == 0) continue;
    for (const double one : work) squares += all * std::pow(one / all - 1.0 / ranks, 2);
    weights += all * ranks;
  }
  const double variance = weights == 0 ? 0 : squares / weights;
  const double groups = std::max(1.0, load_.tokens_under_way / kTokensOfGroup);
  const double busiest = 1.0 / ranks + std::sqrt(variance * std::log(ranks) / groups);
  return std::min(busiest, 1.0) * ranks;
}

double CostModel::crossings(const Partition& partition) const {
  double sum = 0;
  for (const auto& stretch : load_.stretches) sum += crossings_of(stretch, partition);
  return sum;
}

/// A token.
double CostModel::windows(const Partition& partition) const {
  double alone = kControlWindows;
  for (const auto& stretch : load_.stretches)
    alone += kCrossingWindows * std::sqrt(crossings_of(stretch, partition));
  return alone / (1 + load_.tokens_under_way / kTokensThatHalve);
}

double CostModel::promise_distance(const Partition& partition) const {
  double ahead = 0, sum = 0;
  for (auto stretch = load_.stretches.rbegin(); stretch != load_.stretches.rend(); ++stretch) {
    ahead = crossings_of(*stretch, partition) > 0 ? 0 : ahead + 1;
    sum += ahead;
  }
  return sum / static_cast<double>(load_.stretches.size());
}

}  // namespace ouro::partitions
