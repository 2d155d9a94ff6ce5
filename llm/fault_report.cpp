#include "llm/fault_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

namespace ouro::llm {
namespace {

using wafer::Coordinate;
using wafer::CoreId;
using wafer::Fault;

/// Cores of which each can send to each of others.
struct Flow {
  std::vector<Coordinate> from;
  std::vector<Coordinate> to;
};

class Flows {
 public:
  explicit Flows(const PipelinePlan& plan) : geometry_{plan.wafer().geometry} {
    const CoreId host = geometry_.core_at(plan.wafer().noc.host);
    const auto& stations = plan.stations();
    add({&host, 1}, {&stations.back().home, 1});
    for (std::size_t i = 0; i < stations.size(); ++i) {
      const auto& station = stations[i];
      const std::span home{&station.home, 1};
      add(home, *station.cores);
      if (station.begins_chain) add({&host, 1}, home);
      add(home, {station.begins_chain ? &host : &stations[i - 1].home, 1});  // credits
      if (station.passes_on > 0) add(home, {&stations[i + 1].home, 1});
      if (station.residual_to > 0)
        add(home, {&stations[i + static_cast<std::size_t>(station.residual_to)].home, 1});
      add_partial_sums(station);
      if (station.is_lm_head) {
        add(*station.cores, {&host, 1});
        continue;
      }
      const std::span next{&stations[station.ends_chain ? i : i + 1].home, 1};  // or its announcements
      if (station.announces()) add(*station.cores, next);
      if (station.calls_queries) add(home, plan.ring(station.block));
      if (!station.attends) {
        add(*station.cores, next);
        continue;
      }
      const auto& ring = plan.ring(station.block);
      add(*station.cores, ring);  // the home core, which has a latent vector for them, is one of these
      if (station.matrix == Matrix::cross_kv) continue;
      add(ring, ring);
      add(ring, next);
    }
  }

  /// Whether some packet goes in its row from one side of this place to the other, or through it.
  bool pass_along_x(Coordinate west, Coordinate east) const {
    return any([&](const Flow& flow) {
      return (has(flow.from, [&](auto a) { return a.y == west.y && a.x <= west.x; }) &&
              has(flow.to, [&](auto b) { return b.x >= east.x; })) ||
             (has(flow.from, [&](auto a) { return a.y == east.y && a.x >= east.x; }) &&
              has(flow.to, [&](auto b) { return b.x <= west.x; }));
    });
  }
  /// The same in a column, where packets turned into that of their destination.
  bool pass_along_y(Coordinate north, Coordinate south) const {
    return any([&](const Flow& flow) {
      return (has(flow.from, [&](auto a) { return a.y <= north.y; }) &&
              has(flow.to, [&](auto b) { return b.x == south.x && b.y >= south.y; })) ||
             (has(flow.from, [&](auto a) { return a.y >= south.y; }) &&
              has(flow.to, [&](auto b) { return b.x == north.x && b.y <= north.y; }));
    });
  }

 private:
  void add(std::span<const CoreId> from, std::span<const CoreId> to) {
    auto& flow = flows_.emplace_back();
    for (const auto core : from) flow.from.push_back(geometry_.coordinate(core));
    for (const auto core : to) flow.to.push_back(geometry_.coordinate(core));
  }
  void add_partial_sums(const StationPlan& station) {
    for (std::size_t tile = 0; tile < station.group->tiles.size(); ++tile) {
      if (station.group->tiles[tile].partial_columns == 0) continue;
      add({&(*station.cores)[tile], 1}, {&(*station.cores)[tile + 1], 1});
    }
  }
  template <class Condition>
  bool any(const Condition& condition) const {
    return std::any_of(flows_.begin(), flows_.end(), condition);
  }
  template <class Condition>
  static bool has(const std::vector<Coordinate>& cores, const Condition& condition) {
    return std::any_of(cores.begin(), cores.end(), condition);
  }

  const wafer::Geometry& geometry_;
  std::vector<Flow> flows_;
};

/// By core: whether the mapping would use it if all were alive.
std::vector<bool> cores_used_if_alive(const PipelinePlan& plan, const MappingOptions& options) {
  const bool along_a_line =
      options.method != MappingMethod::optimised && options.method != MappingMethod::file;
  std::vector<bool> used(static_cast<std::size_t>(plan.wafer().geometry.cores()), !along_a_line);
  if (!along_a_line) return used;
  const auto mark = [&](const std::vector<CoreId>& cores) {
    for (const auto core : cores) used[core.value()] = true;
  };
  auto whole = plan.wafer();
  whole.faults = {};
  const auto mapping = make_mapping(options, whole, plan.model(), plan.tiled());
  for (const auto& block : mapping.blocks) {
    for (const auto& tiles : block.tiles) mark(tiles);
    mark(block.kv);
  }
  mark(mapping.lm_head);
  return used;
}

bool has_effect(const Fault& fault, const Flows& flows, const std::vector<bool>& used,
                const wafer::Geometry& geometry) {
  const auto at = geometry.coordinate(fault.core);
  switch (fault.kind) {
    case Fault::Kind::core:
      return used[fault.core.value()];
    case Fault::Kind::router:
      return used[fault.core.value()] || flows.pass_along_x(at, at) || flows.pass_along_y(at, at);
    case Fault::Kind::link:
      break;
  }
  const auto beyond = step(at, fault.direction);
  const auto [one, other] = std::minmax(at, beyond);
  return one.y == other.y ? flows.pass_along_x(one, other) : flows.pass_along_y(one, other);
}

}  // namespace

FaultReport report_faults(const PipelinePlan& plan, const MappingOptions& options) {
  FaultReport report;
  const auto& wafer = plan.wafer();
  if (wafer.faults.list().empty()) return report;
  const Flows flows{plan};
  const auto used = cores_used_if_alive(plan, options);
  for (const auto& fault : wafer.faults.list()) {
    ++(fault.kind == Fault::Kind::core     ? report.cores
       : fault.kind == Fault::Kind::router ? report.routers
                                           : report.links);
    if (!has_effect(fault, flows, used, wafer.geometry)) ++report.without_effect;
  }
  return report;
}

namespace {

std::string count(std::ptrdiff_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace

std::string describe(const FaultReport& report) {
  return fmt::format("dead: {}, {}, {}; {} of these {} no effect on the model", count(report.cores, "core"),
                     count(report.routers, "router"), count(report.links, "link"), report.without_effect,
                     report.without_effect == 1 ? "has" : "have");
}

std::string describe(const std::vector<wafer::Failure>& failures) {
  const auto number_of = [&](Fault::Kind kind) {
    return std::count_if(failures.begin(), failures.end(),
                         [kind](const wafer::Failure& failure) { return failure.fault.kind == kind; });
  };
  const auto ms = [](engine::Time when) { return 1e3 * engine::seconds(when.time_since_epoch()); };
  return fmt::format(
      "fail at run time: {}, {}, {}, from {:.6g} to {:.6g} ms", count(number_of(Fault::Kind::core), "core"),
      count(number_of(Fault::Kind::router), "router"), count(number_of(Fault::Kind::link), "link"),
      ms(failures.front().when), ms(failures.back().when));
}

}  // namespace ouro::llm
