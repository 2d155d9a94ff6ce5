#include "llm/calibration_fit.hpp"

#include <algorithm>
#include <optional>

namespace ouro::llm {
namespace {

using engine::Duration;
using Records = std::vector<StationRecord>;

constexpr std::int64_t kLeastTokens = 200;  // [assumed] a mean of fewer says little

/// In the order in which stations launch them, which is that of their numbers.
std::vector<Records> by_station(const PipelinePlan& plan, Records records) {
  std::sort(records.begin(), records.end(),
            [](const StationRecord& a, const StationRecord& b) { return a.number < b.number; });
  std::vector<Records> sorted(plan.stations().size());
  for (const auto& record : records) sorted[record.station].push_back(record);
  return sorted;
}

void add_headways(const Records& launched, std::vector<Duration>& headways) {
  constexpr auto kTokens = ObservedWays::kTokensOfHeadway;
  for (std::size_t i = kTokens; i < launched.size(); ++i)
    headways.push_back((launched[i].launched - launched[i - kTokens].launched) /
                       static_cast<std::int64_t>(kTokens));
}

Duration lower_quartile(std::vector<Duration> values) {
  if (values.empty()) return {};
  const auto quarter = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), quarter, values.end());
  return *quarter;
}

/// @param next  the same tokens at the next station
void add_ways(const Records& launched, const Records& next, const LoadWindows& windows,
              std::array<ObservedWays::ByLoad*, kPhaseCount> sums) {
  LaunchHistory launches;
  auto arrival = next.begin();
  for (const auto& token : launched) {
    const auto load = launches.add(token.launched, windows);
    while (arrival != next.end() && arrival->number < token.number) ++arrival;
    if (arrival == next.end()) return;
    if (arrival->number != token.number || !load) continue;
    auto& sum = (*sums[token.decode])[*load];
    ++sum.tokens;
    sum.time += arrival->ready - token.launched;
  }
}

/// Itself if it is known, of two the lower one; nothing if none is.
std::optional<std::size_t> nearest_known(const std::array<bool, Calibration::kMostLoad + 1>& known,
                                         std::size_t load) {
  for (std::size_t apart = 0; apart < known.size(); ++apart) {
    if (load >= apart && known[load - apart]) return load - apart;
    if (load + apart < known.size() && known[load + apart]) return load + apart;
  }
  return std::nullopt;
}

}  // namespace

ObservedWays observe_ways(const PipelinePlan& plan, const LoadWindows& windows, Records records) {
  ObservedWays ways;
  std::vector<Duration> headways;
  const auto stations = by_station(plan, std::move(records));
  for (std::size_t number = 0; number + 1 < stations.size(); ++number) {
    const auto matrix = static_cast<std::size_t>(plan.stations()[number].matrix);
    add_ways(stations[number], stations[number + 1], windows, {&ways.sums[0][matrix], &ways.sums[1][matrix]});
    add_headways(stations[number], headways);
  }
  ways.headway = lower_quartile(std::move(headways));
  return ways;
}

CalibrationFit::CalibrationFit(const ObservedWays& packet, const ObservedWays& stage) : packet_{packet} {
  if (stage.headway == Duration{}) return;
  const auto permille = Calibration::kWhole * packet_.headway / stage.headway;
  calibration_.link_permille = std::clamp(permille, Calibration::kWhole, 2 * Calibration::kWhole);
}

void CalibrationFit::improve(const ObservedWays& stage) {
  constexpr int kWholeSteps =
      2;  // [assumed] then smaller ones, since the delays of loads depend on each other
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    for (std::size_t matrix = 0; matrix < kMatrixCount; ++matrix) {
      for (std::size_t load = 0; load <= Calibration::kMostLoad; ++load) {
        const auto& at_packet = packet_.sums[phase][matrix][load];
        const auto& at_stage = stage.sums[phase][matrix][load];
        if (at_packet.tokens < kLeastTokens || at_stage.tokens < kLeastTokens) continue;
        const auto lacking = at_packet.mean() - at_stage.mean();
        is_known_[phase][matrix][load] = true;
        calibration_.delays[phase][matrix][load] += rounds_ < kWholeSteps ? lacking : lacking * 3 / 5;
      }
    }
  }
  fill_unknown();
  ++rounds_;
}

/// A load that few tokens had counts as the nearest that enough had.
void CalibrationFit::fill_unknown() {
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    for (std::size_t matrix = 0; matrix < kMatrixCount; ++matrix) {
      const auto& known = is_known_[phase][matrix];
      auto& delays = calibration_.delays[phase][matrix];
      for (std::size_t load = 0; load < known.size(); ++load) {
        if (const auto nearest = nearest_known(known, load)) delays[load] = delays[*nearest];
      }
    }
  }
}

}  // namespace ouro::llm
