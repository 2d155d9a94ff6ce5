#include "wafer/wafer_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/config.hpp"
#include "wafer/fault_map.hpp"
#include "wafer/flit_die.hpp"
#include "wafer/yield.hpp"

namespace ouro::wafer {
namespace {

using engine::Config;
using engine::Duration;
using engine::Energy;

constexpr std::int64_t kMostEnergy = 1'000'000'000;  // fJ: a microjoule for one count
constexpr Duration kLongestLatency = std::chrono::hours{1};
constexpr std::int64_t kLongestFlitLatency = 1000;  // cycles
constexpr std::int64_t kLargestSide = 1000;         // dies, or cores of a die, in a row
constexpr std::int64_t kMostWafers = 64;

int read_int(const Config& config, std::string_view key, std::int64_t min, std::int64_t max) {
  return static_cast<int>(config.at(key).as_int(min, max));
}

Duration read_cycles(const Config& config, std::string_view key, Duration cycle) {
  return config.at(key).as_cycles() * cycle;
}

Geometry read_geometry(const Config& config) {
  const auto side = [&](std::string_view key) { return read_int(config, key, 1, kLargestSide); };
  const int wafers = read_int(config, "wafer.count", 1, kMostWafers);
  const Geometry geometry{side("wafer.die_columns"), wafers * side("wafer.die_rows"),
                          side("wafer.core_columns"), side("wafer.core_rows"), wafers};
  constexpr int kMostCoresOfDie = 5000;  // links of a die are numbered in 16 bits
  if (geometry.cores_of_die() > kMostCoresOfDie) {
    throw config.at("wafer.core_rows")
        .refusal(fmt::format("a die would have {} cores", geometry.cores_of_die()),
                 fmt::format("a die has at most {}", kMostCoresOfDie));
  }
  const std::int64_t cores = std::int64_t{geometry.dies()} * geometry.cores_of_die();
  if (cores > Geometry::kMostCores) {
    throw config.at("wafer.core_rows")
        .refusal(fmt::format("there would be {} cores", cores),
                 fmt::format("at most {}, of all wafers, are simulated", Geometry::kMostCores));
  }
  return geometry;
}

RouterModel read_router(const Config& config) {
  const auto read = [&](std::string_view key, int least, int most, std::string_view what) {
    const auto setting = config.at(key);
    const auto value = setting.as_int();
    if (value < least || value > most) {
      throw setting.refusal(fmt::format("{} is not a number of {}", value, what),
                            fmt::format("a router has {} to {}", least, most));
    }
    return static_cast<int>(value);
  };
  const auto read_stage = [&](std::string_view key) {
    const auto cycles = config.at(key).as_cycles();
    if (cycles > kLongestFlitLatency) {
      throw config.at(key).refusal("is too long for a stage of a router",
                                   fmt::format("at most {} cycles", kLongestFlitLatency));
    }
    return static_cast<int>(cycles);
  };
  RouterModel router;
  router.virtual_channels =
      read("wafer.noc.virtual_channels", 1, RouterModel::kMostVirtualChannels, "virtual channels of a port");
  router.buffer_flits = read("wafer.noc.buffer_flits", 1, RouterModel::kMostBufferFlits,
                             "flits that a virtual channel's buffer holds");
  router.routing_cycles = read_stage("wafer.noc.routing_latency");
  router.speculative = config.at("wafer.noc.speculative_switch").as_bool();
  router.crossbar_cycles = read_stage("wafer.noc.crossbar_latency");
  return router;
}

std::vector<int> read_joint_columns(const Config& config, const Geometry& geometry) {
  if (geometry.wafers == 1) return {};
  const auto setting = config.at("wafer.joint.columns");
  const auto listed = setting.as_int_list();
  if (listed.empty())
    return evenly_spaced(read_int(config, "wafer.joint.links", 1, geometry.columns()), geometry.columns());
  std::vector<int> columns;
  for (const auto column : listed) {
    if (column < 0 || column >= geometry.columns()) {
      throw setting.refusal(fmt::format("no core is in column {}", column),
                            fmt::format("columns are 0 to {}", geometry.columns() - 1));
    }
    if (!columns.empty() && column <= columns.back()) {
      throw setting.refusal(fmt::format("column {} comes after {}", column, columns.back()),
                            "each once, from west to east");
    }
    columns.push_back(static_cast<int>(column));
  }
  return columns;
}

Joint read_joint(const Config& config, const Geometry& geometry, std::int64_t link_bits) {
  constexpr std::int64_t kSecond = 1'000'000'000'000;  // ps
  const auto setting = config.at("wafer.joint.bandwidth");
  const auto bits_per_second = 8 * setting.as_bytes_per_second();
  // rounded up: in a given time a link carries no more than it can
  const auto flit_time = (link_bits * kSecond + bits_per_second - 1) / bits_per_second;
  return {read_joint_columns(config, geometry), Duration{flit_time},
          config.at("wafer.joint.latency").as_duration(kLongestLatency)};
}

NocModel read_noc(const Config& config, const Geometry& geometry, Duration cycle) {
  NocModel noc;
  const auto fidelity = config.at("wafer.noc.fidelity").as_choice({"packet", "flit", "stage"});
  const bool flit = fidelity == "flit";
  if (flit && geometry.wafers > 1) {
    throw config.at("wafer.count")
        .refusal(fmt::format("{} wafers cannot be simulated flit by flit", geometry.wafers),
                 "1, or another wafer.noc.fidelity");
  }
  noc.fidelity = flit ? Fidelity::flit : fidelity == "stage" ? Fidelity::stage : Fidelity::packet;
  noc.router = read_router(config);
  noc.cycle = cycle;
  if (flit && cycle < FlitDie::kShortestCycle) {
    throw config.at("wafer.clock")
        .refusal(fmt::format("a cycle of {} ps is too short for the fidelity flit", cycle.count()),
                 fmt::format("at least \"{} ps\"", FlitDie::kShortestCycle.count()));
  }
  noc.wire_latency = read_cycles(config, "wafer.noc.wire_latency", cycle);
  noc.die_crossing_latency = read_cycles(config, "wafer.noc.die_crossing_latency", cycle);
  if (noc.die_lookahead() <= Duration::zero()) {
    throw config.at("wafer.noc.wire_latency")
        .refusal("a packet would cross a die border in no time",
                 "router, wire and die crossing need a cycle together");
  }
  for (const auto* key : {"wafer.noc.wire_latency", "wafer.noc.die_crossing_latency"}) {
    if (flit && config.at(key).as_cycles() > kLongestFlitLatency) {
      throw config.at(key).refusal("is too long for the fidelity flit",
                                   fmt::format("at most {} cycles", kLongestFlitLatency));
    }
  }
  const auto width = config.at("wafer.noc.link_width");
  noc.link_bits = width.as_bits();
  if (noc.link_bits < 8 || noc.link_bits > 65536) {
    throw width.refusal(fmt::format("{} bit is not the width of a link", noc.link_bits),
                        "a link has 8 to 65536 bit");
  }
  const bool tree = config.at("wafer.noc.multicast").as_choice({"tree", "unicast"}) == "tree";
  noc.multicast = tree ? MulticastMode::tree : MulticastMode::unicast;
  noc.joint = read_joint(config, geometry, noc.link_bits);
  noc.host = {read_int(config, "wafer.host.core_column", 0, 0),
              read_int(config, "wafer.host.core_row", 0, geometry.rows() - 1)};
  return noc;
}

std::int64_t read_buffer(const Config& config, std::string_view key) {
  const auto bytes = config.at(key).as_bytes();
  if (bytes < 1) throw config.at(key).refusal("a core needs a buffer", "a size such as \"32 KiB\"");
  return bytes;
}

CrossbarPlacement read_placement(const Config& config, int crossbars) {
  const auto setting = config.at("wafer.core.crossbar_placement");
  const auto name = setting.as_choice({"optimised", "in_order", "by_input"});
  if (name == "in_order") return CrossbarPlacement::in_order;
  if (name == "by_input") return CrossbarPlacement::by_input;
  if (crossbars > kMostPlacedCrossbars) {
    throw setting.refusal(fmt::format("of {} crossbars takes too long to find", crossbars),
                          fmt::format("at most {} crossbars, or \"in_order\"", kMostPlacedCrossbars));
  }
  return CrossbarPlacement::optimised;
}

CoreModel read_core(const Config& config, Duration cycle) {
  CoreModel core;
  core.cycle = cycle;
  core.crossbars = read_int(config, "wafer.core.crossbars", 2, 4096);
  core.crossbar_rows = read_int(config, "wafer.core.crossbar_rows", 1, 65536);
  core.crossbar_columns = read_int(config, "wafer.core.crossbar_columns", 1, 65536);
  core.rows_at_once = read_int(config, "wafer.core.rows_at_once", 1, core.crossbar_rows);
  core.input_bits = read_int(config, "wafer.core.input_bits", 1, 64);
  core.htree_levels = read_int(config, "wafer.core.htree_levels", 0, 16);
  core.htree_level_latency = read_cycles(config, "wafer.core.htree_level_latency", cycle);
  core.htree_bits = config.at("wafer.core.htree_width").as_bits();
  if (core.htree_bits < 1)
    throw config.at("wafer.core.htree_width").refusal("an H-tree needs a bit", "\"1024 bit\"");
  core.crossbar_placement = read_placement(config, core.crossbars);
  core.sfu_lanes = read_int(config, "wafer.core.sfu_lanes", 1, 65536);
  core.sfu_latency_cycles = static_cast<int>(config.at("wafer.core.sfu_latency").as_cycles());
  core.input_buffer_bytes = read_buffer(config, "wafer.core.input_buffer");
  core.output_buffer_bytes = read_buffer(config, "wafer.core.output_buffer");
  core.kv_block_rows = read_int(config, "wafer.core.kv_block_rows", 1, core.crossbar_rows);
  core.kv_block_columns = read_int(config, "wafer.core.kv_block_columns", 1, core.crossbar_columns);
  if (core.kv_block_rows != core.kv_block_columns) {
    throw config.at("wafer.core.kv_block_rows")
        .refusal("a block that holds K in columns and V in rows must be square", "rows and columns alike");
  }
  return core;
}

double read_yield(const Config& config) {
  constexpr double kMostDefects = 1e6;  // a square centimetre
  constexpr double kLargestCore = 1e5;  // mm2
  return murphy_yield(config.at("wafer.faults.core_area_mm2").as_number(0, kLargestCore),
                      config.at("wafer.faults.defect_density_per_cm2").as_number(0, kMostDefects));
}

Faults read_faults(const Config& config, const Geometry& geometry, Coordinate host) {
  const auto map = config.at("wafer.faults.map_file");
  const double yield = read_yield(config);
  const auto seed = static_cast<std::uint64_t>(config.at("wafer.faults.seed").as_int(0));
  if (!map.as_string().empty()) {
    if (yield < 1) {
      throw map.refusal("a fault map leaves nothing to chance, and there is a defect density",
                        "wafer.faults.defect_density_per_cm2 = 0.0, or no map");
    }
    return read_fault_map(map.as_string(), geometry, host);
  }
  Faults faults{geometry};
  add_dead_cores(faults, geometry, yield, seed);
  return faults;
}

Routing make_routing(const Config& config, const Geometry& geometry, const Faults& faults,
                     const NocModel& noc) {
  Routing routing{geometry, faults};
  const auto& [from, to, legs] = routing.farthest();
  const bool flit = noc.fidelity == Fidelity::flit;
  const int most = flit ? std::min(Routing::kMostLegs, noc.router.virtual_channels) : Routing::kMostLegs;
  if (legs >= 1 && legs <= most) return routing;
  const auto map = config.at("wafer.faults.map_file");
  const auto name = [&](CoreId core) {
    const auto at = geometry.coordinate(core);
    return fmt::format("({}, {})", at.x, at.y);
  };
  if (legs == 0) {
    throw map.refusal(
        fmt::format("no way is left from the router at {} to the one at {}", name(from), name(to)),
        "live routers must be connected");
  }
  throw map.refusal(fmt::format("a packet from {} to {} needs a way of {} legs, each along x, then along y",
                                name(from), name(to), legs),
                    most < Routing::kMostLegs ? fmt::format("at most {}, one for each virtual channel", most)
                                              : fmt::format("at most {}", most));
}

}  // namespace

EnergyModel read_energy(const Config& config) {
  EnergyModel model;
  const auto set = [&](Component component, std::int64_t femtojoules) {
    model.each[static_cast<std::size_t>(component)] = Energy::femtojoules(femtojoules);
  };
  const auto read = [&](std::string_view key, std::string_view per) {
    const auto setting = config.at(key);
    const auto energy = setting.as_femtojoules(per);
    if (energy > kMostEnergy)
      throw setting.refusal("is more than a microjoule", "at most \"1000 nJ\" for one count");
    return energy;
  };
  set(Component::mac, read("energy.mac", "/MAC"));
  set(Component::htree, read("energy.htree", "/bit"));
  set(Component::hop, read("energy.hop_wire", "/bit") + read("energy.hop_router", "/bit"));
  set(Component::die_crossing, read("energy.die_crossing", "/bit"));
  set(Component::wafer_crossing, read("energy.wafer_crossing", "/bit"));
  set(Component::buffer, read("energy.buffer_access", "/bit"));
  set(Component::kv_write, read("energy.sram_write", "/bit"));
  set(Component::sfu_special, read("energy.sfu_special", "/op"));
  set(Component::sfu_simple, read("energy.sfu_simple", "/op"));
  return model;
}

WaferModel read_wafer(const Config& config) {
  WaferModel wafer;
  wafer.geometry = read_geometry(config);
  const auto cycle = config.at("wafer.clock").as_clock_period();
  wafer.noc = read_noc(config, wafer.geometry, cycle);
  wafer.faults = read_faults(config, wafer.geometry, wafer.noc.host);
  wafer.failures = read_failures(config, wafer.geometry, wafer.faults, wafer.noc.host);
  leave_out_links(wafer.geometry, wafer.noc.joint, wafer.faults);
  wafer.noc.routing = make_routing(config, wafer.geometry, wafer.faults, wafer.noc);
  wafer.core = read_core(config, cycle);
  wafer.energy = read_energy(config);
  wafer.host = {config.at("wafer.host.embedding_latency").as_duration(kLongestLatency),
                config.at("wafer.host.sampling_latency").as_duration(kLongestLatency)};
  wafer.static_power = read_static_power(config, wafer.geometry.wafers);
  return wafer;
}

}  // namespace ouro::wafer
