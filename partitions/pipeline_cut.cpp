#include "partitions/pipeline_cut.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ouro::partitions {
namespace {

/// Where the middle of a die's work lies along the pipeline; dies without work come last.
std::vector<double> places_of_dies(const DieLoad& load) {
  const auto events = load.events_of_dies();
  std::vector<double> places(events.size(), 0.0);
  for (std::size_t s = 0; s < load.stretches.size(); ++s) {
    for (std::size_t die = 0; die < places.size(); ++die)
      places[die] += load.stretches[s].events[die] * static_cast<double>(s);
  }
  for (std::size_t die = 0; die < places.size(); ++die)
    places[die] = events[die] > 0 ? places[die] / events[die] : std::numeric_limits<double>::infinity();
  return places;
}

std::vector<std::size_t> order_along_pipeline(const DieLoad& load) {
  const auto places = places_of_dies(load);
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  return order;
}

/// The run of each place in the order: a die goes to the run in which the middle of its work falls, but each
/// run gets a die.
std::vector<std::size_t> cut(const std::vector<double>& work, std::size_t runs) {
  const double all = std::accumulate(work.begin(), work.end(), 0.0);
  std::vector<std::size_t> run_of(work.size());
  double before = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    const double middle = before + work[i] / 2;
    const auto wanted = all > 0 ? static_cast<std::size_t>(static_cast<double>(runs) * middle / all) : last;
    const auto least =
        i + runs >= work.size() ? i + runs - work.size() : 0;  // those after it need a die each
    const auto most = i == 0 ? 0 : last + 1;                   // no run is left out
    last = std::clamp(std::clamp(wanted, last, most), std::min(least, most), runs - 1);
    run_of[i] = last;
    before += work[i];
  }
  return run_of;
}

}  // namespace

Partition by_pipeline(const DieLoad& load, int ranks, int runs) {
  const auto order = order_along_pipeline(load);
  const auto events = load.events_of_dies();
  std::vector<double> work(order.size());
  std::transform(order.begin(), order.end(), work.begin(), [&](std::size_t die) { return events[die]; });
  const auto pieces =
      std::min(order.size(), static_cast<std::size_t>(ranks) * static_cast<std::size_t>(runs));
  const auto run_of = cut(work, pieces);
  Partition partition(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    partition[order[i]] = static_cast<int>(run_of[i] % static_cast<std::size_t>(ranks));
  return partition;
}

}  // namespace ouro::partitions
