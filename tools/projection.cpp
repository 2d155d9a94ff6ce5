#include "tools/projection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace ouro::tools {
namespace {

using engine::BusiestRanks;
using engine::SynchronizationCost;
using Loss = Projection::Loss;

double sum_over_ranks(const engine::VirtualRun& run, double SynchronizationCost::*part) {
  return std::accumulate(run.costs.begin(), run.costs.end(), 0.0,
                         [&](double sum, const SynchronizationCost& cost) { return sum + cost.*part; });
}

/// Seconds in which ranks wait for the busiest one of the whole run; and on top, of each window.
struct Imbalance {
  double of_run = 0;
  double within_windows = 0;
};

Imbalance imbalance_of(const engine::VirtualRun& run, double event_seconds) {
  const auto ranks = static_cast<double>(run.costs.size());
  double busiest = 0;
  for (const auto& cost : run.costs) busiest = std::max(busiest, cost.events_seconds);
  Imbalance imbalance{.of_run = ranks * busiest - sum_over_ranks(run, &SynchronizationCost::events_seconds)};
  if (!run.busiest) return imbalance;
  const double in_windows = event_seconds * static_cast<double>(run.busiest->events(0));
  imbalance.within_windows = std::max(0.0, ranks * (in_windows - busiest));
  return imbalance;
}

std::vector<Loss> losses_of(const engine::VirtualRun& run, double event_seconds, double alone_seconds) {
  const auto imbalance = imbalance_of(run, event_seconds);
  const double events = sum_over_ranks(run, &SynchronizationCost::events_seconds);
  const double waiting = sum_over_ranks(run, &SynchronizationCost::waiting_seconds);
  std::vector<Loss> losses{
      {"load imbalance", imbalance.of_run, "a partition that shares the events more evenly"},
      {"imbalance within windows", imbalance.within_windows,
       "work in more places at a time, or a partition that shares what is at a time more evenly"},
      {"waiting for other ranks", waiting - imbalance.of_run - imbalance.within_windows,
       "a shorter latency, or fewer synchronizations: less between ranks, promises that see farther"},
      {"packing messages", sum_over_ranks(run, &SynchronizationCost::packing_seconds),
       "fewer messages: fewer synchronizations, or fewer neighbours"},
      {"finding promises", sum_over_ranks(run, &SynchronizationCost::promising_seconds),
       "cheaper promises, or fewer synchronizations"},
      {"events that each rank repeats", events - alone_seconds, "less for controllers to do"}};
  const double all = run.wall_seconds * static_cast<double>(run.costs.size());
  for (auto& loss : losses) loss.share /= all;
  std::sort(losses.begin(), losses.end(), [](const Loss& a, const Loss& b) { return a.share > b.share; });
  return losses;
}

std::vector<double> bounds_of(const engine::VirtualRun& run, double events) {
  std::vector<double> bounds;
  if (!run.busiest) return bounds;
  for (std::size_t level = 0; level < BusiestRanks::kLevels; ++level)
    bounds.push_back(events / static_cast<double>(run.busiest->events(level)));
  return bounds;
}

std::string describe_largest(const Projection& projection) {
  if (projection.ranks == 1) return "none";
  std::string text;
  for (const auto& loss : {projection.losses[0], projection.losses[1]})
    text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", 100 * loss.share, loss.name);
  return text;
}

void print_remedies(const std::vector<Projection>& projections) {
  fmt::print("\nwhat would help most\n");
  for (const auto& projection : projections) {
    if (projection.ranks > 1) fmt::print("{:5}  {}\n", projection.ranks, projection.losses.front().remedy);
  }
}

/// Every other level.
void print_bounds(const std::vector<Projection>& projections) {
  fmt::print("\nspeed-up that no synchronization could better if ranks met only after every N windows\n{:>5}",
             "ranks");
  for (std::size_t level = 0; level < BusiestRanks::kLevels; level += 2)
    fmt::print("  {:>8}", fmt::format("N = {}", 1 << level));
  fmt::print("\n");
  for (const auto& projection : projections) {
    if (projection.at_most.empty()) continue;
    fmt::print("{:5}", projection.ranks);
    for (std::size_t level = 0; level < BusiestRanks::kLevels; level += 2)
      fmt::print("  {:8.2f}", projection.at_most[level]);
    fmt::print("\n");
  }
}

}  // namespace

Projection make_projection(const engine::VirtualRun& run, double event_seconds, double alone_seconds) {
  std::uint64_t stretches = 0;
  for (const auto& cost : run.costs) stretches += cost.windows;
  const double events = sum_over_ranks(run, &SynchronizationCost::events_seconds) / event_seconds;
  return {.ranks = run.costs.size(),
          .wall_seconds = run.wall_seconds,
          .speed_up = alone_seconds / run.wall_seconds,
          .events_of_stretch = events / static_cast<double>(stretches),
          .losses = losses_of(run, event_seconds, alone_seconds),
          .at_most = bounds_of(run, alone_seconds / event_seconds)};
}

void print_head_of_projections() {
  fmt::print("{:>5}  {:>9}  {:>8}  {:>10}  {:>17}  {}\n", "ranks", "wall s", "speed-up", "efficiency",
             "events a stretch", "largest losses");
}

void print_row(const Projection& projection) {
  fmt::print("{:5}  {:9.4g}  {:8.2f}  {:8.1f} %  {:17.4g}  {}\n", projection.ranks, projection.wall_seconds,
             projection.speed_up, 100 * projection.efficiency(), projection.events_of_stretch,
             describe_largest(projection));
  std::fflush(stdout);  // the next row takes a while
}

void print_conclusions(const std::vector<Projection>& projections) {
  const auto has_many = [](const Projection& projection) { return projection.ranks > 1; };
  if (std::any_of(projections.begin(), projections.end(), has_many)) print_remedies(projections);
  const auto has_windows = [](const Projection& projection) { return !projection.at_most.empty(); };
  if (std::any_of(projections.begin(), projections.end(), has_windows)) print_bounds(projections);
  const auto best =
      *std::max_element(projections.begin(), projections.end(),
                        [](const Projection& a, const Projection& b) { return a.speed_up < b.speed_up; });
  fmt::print("\nof these, {} {} the fastest: {:.4g} s, {:.2f} times as fast as one, at {:.1f} % efficiency\n",
             best.ranks, best.ranks == 1 ? "rank is" : "ranks are", best.wall_seconds, best.speed_up,
             100 * best.efficiency());
}

}  // namespace ouro::tools
