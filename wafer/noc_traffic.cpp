#include "wafer/noc_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/config.hpp"
#include "wafer/noc_trace.hpp"

namespace ouro::wafer {
namespace {

using engine::Config;

CoreId hotspot_destination(const Geometry& geometry, const engine::RandomKey& key, std::uint64_t draw) {
  const auto cores = static_cast<std::uint64_t>(geometry.cores());
  const std::uint64_t extra = cores / 16;  // weight of a hot core beyond that of the others
  const auto choice = engine::uniform_below(cores + 4 * extra, key, draw);
  if (choice < cores) return CoreId{static_cast<CoreId::Value>(choice)};
  const auto hot = static_cast<int>((choice - cores) / extra);
  const auto place = [](int side, bool far) { return far ? 3 * side / 4 : side / 4; };
  return geometry.core_at({place(geometry.columns(), hot / 2 == 1), place(geometry.rows(), hot % 2 == 1)});
}

TrafficPattern read_pattern(const Config& config, const Geometry& geometry) {
  const auto setting = config.at("traffic.pattern");
  const auto& name =
      setting.as_choice({"uniform", "transpose", "bit-complement", "neighbor", "tornado", "hotspot"});
  const auto found = std::find(kTrafficPatternNames.begin(), kTrafficPatternNames.end(), name);
  const auto pattern = static_cast<TrafficPattern>(found - kTrafficPatternNames.begin());
  if (pattern == TrafficPattern::transpose && geometry.columns() != geometry.rows()) {
    throw setting.refusal(
        fmt::format("a grid of {} x {} cores has no transpose", geometry.columns(), geometry.rows()),
        "as many columns as rows");
  }
  return pattern;
}

}  // namespace

CoreId destination(TrafficPattern pattern, const Geometry& geometry, CoreId from,
                   const engine::RandomKey& key, std::uint64_t draw) {
  const int columns = geometry.columns(), rows = geometry.rows();
  const auto [x, y] = geometry.coordinate(from);
  switch (pattern) {
    case TrafficPattern::uniform:
      return CoreId{static_cast<CoreId::Value>(
          engine::uniform_below(static_cast<std::uint64_t>(geometry.cores()), key, draw))};
    case TrafficPattern::transpose:
      return geometry.core_at({y, x});
    case TrafficPattern::bit_complement:
      return geometry.core_at({columns - 1 - x, rows - 1 - y});
    case TrafficPattern::neighbor:
      return geometry.core_at({(x + 1) % columns, (y + 1) % rows});
    case TrafficPattern::tornado:
      return geometry.core_at({(x + (columns + 1) / 2 - 1) % columns, (y + (rows + 1) / 2 - 1) % rows});
    case TrafficPattern::hotspot:
      break;
  }
  return hotspot_destination(geometry, key, draw);
}

BernoulliGaps::BernoulliGaps(double probability) {
  const double failure = std::ldexp(1 - probability, 64);
  const auto one = failure >= 0x1p64 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(failure);
  failures_[0] = one;
  for (std::size_t i = 1; i < failures_.size(); ++i) failures_[i] = engine::scale(failures_[i - 1], one);
}

Cycle BernoulliGaps::next(const engine::RandomKey& key, std::uint64_t& draw) const {
  for (Cycle before = 0;; before += kTable) {
    const auto chance = engine::random_bits(key, draw++);
    if (chance < failures_.back()) continue;  // not within the table: what follows is a new trial
    const auto success = std::find_if(failures_.begin(), failures_.end(),
                                      [=](std::uint64_t failure) { return chance >= failure; });
    return before + (success - failures_.begin()) + 1;
  }
}

NocTraffic read_noc_traffic(const Config& config, const Geometry& geometry, const Faults& faults) {
  NocTraffic traffic;
  traffic.faults = faults;
  const std::string load = config.at("traffic.load").as_choice({"open-loop", "batch", "trace"});
  traffic.seed = static_cast<std::uint64_t>(config.at("traffic.seed").as_int(0));
  if (load == "trace") {
    traffic.load = NocTraffic::Load::trace;
    traffic.trace = read_noc_trace(config.at("traffic.trace_file"), geometry, faults);
    return traffic;
  }
  traffic.pattern = read_pattern(config, geometry);
  traffic.packet_flits = static_cast<int>(config.at("traffic.packet_flits").as_int(1, kMostPacketFlits));
  if (load == "batch") {
    traffic.load = NocTraffic::Load::batch;
    traffic.packets_per_core = config.at("traffic.packets_per_core").as_int(1, 1'000'000);
    return traffic;
  }
  const auto rate = config.at("traffic.injection_rate");
  traffic.injection_rate = rate.as_number();
  if (!is_injection_rate(traffic.injection_rate)) {
    throw rate.refusal(fmt::format("{} flits a cycle and core cannot be injected", traffic.injection_rate),
                       "above 0 and at most 1, the rate of the link");
  }
  traffic.warmup = config.at("traffic.warmup").as_cycles();
  traffic.measure = config.at("traffic.measure").as_cycles();
  traffic.drain_limit = config.at("traffic.drain_limit").as_cycles();
  if (traffic.measure < 1)
    throw config.at("traffic.measure").refusal("no packet would be measured", "\"20000 cycles\"");
  return traffic;
}

}  // namespace ouro::wafer
