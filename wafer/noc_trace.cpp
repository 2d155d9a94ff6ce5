#include "wafer/noc_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "engine/csv.hpp"
#include "engine/results_reader.hpp"
#include "engine/setting.hpp"

namespace ouro::wafer {
namespace {

using engine::InputError;

std::vector<TracedPacket> read_table(const std::string& file, const Geometry& geometry,
                                     const Faults& faults) {
  engine::CsvReader rows{engine::open_text(file), file};
  const auto column = [&](std::string_view name) {
    const auto found = rows.find_column(name);
    if (!found) {
      throw InputError{rows.where(), fmt::format("no column '{}'", name),
                       "a trace has the columns packet, t_create, src, dst, size_flits"};
    }
    return *found;
  };
  const auto number = column("packet"), created = column("t_create"), from = column("src"),
             to = column("dst"), flits = column("size_flits");
  std::vector<TracedPacket> trace;
  while (rows.next()) {
    const auto core = [&](std::size_t field) {
      const CoreId id{static_cast<CoreId::Value>(rows.whole_number(field, 0, geometry.cores() - 1))};
      if (!faults.core_is_dead(id)) return id;
      throw InputError{rows.where(),
                       fmt::format("{}: core {} is dead", rows.column_name(field), rows.field(field)),
                       "a packet goes from and to live cores"};
    };
    trace.push_back({rows.whole_number(number, 0, std::int64_t{1} << 40),
                     rows.whole_number(created, 0, kLongestStudy), core(from), core(to),
                     static_cast<int>(rows.whole_number(flits, 1, kMostPacketFlits))});
  }
  return trace;
}

void check_grid(const engine::ResultsReader& run, const Geometry& geometry) {
  const auto same = [&](const char* name, int here) { return run.attribute("/cores", name) == here; };
  if (same("columns", geometry.columns()) && same("rows", geometry.rows())) return;
  throw InputError{run.name(), "its packets are of another grid of cores",
                   fmt::format("a run on {} x {} cores", geometry.columns(), geometry.rows())};
}

/// The time of a run becomes whole cycles, of its own clock, since its first recorded packet.
std::vector<TracedPacket> read_run(const std::string& file, const Geometry& geometry, const Faults& faults) {
  const engine::ResultsReader run{file};
  if (run.find("/packets/created_ps") == nullptr) {
    throw InputError{file, "has no recorded packets",
                     "a run at fidelity packet with output.record_packets_until"};
  }
  check_grid(run, geometry);
  const auto created = run.read<std::int64_t>("/packets/created_ps");
  const auto from = run.read<std::int32_t>("/packets/from");
  const auto to = run.read<std::int32_t>("/packets/to");
  const auto flits = run.read<std::int32_t>("/packets/flits");
  const auto cycle = run.attribute("/cores", "cycle_ps");
  const auto first = created.empty() ? 0 : *std::ranges::min_element(created) / cycle;
  std::vector<TracedPacket> trace;
  trace.reserve(created.size());
  for (std::size_t i = 0; i < created.size(); ++i) {
    const CoreId source{static_cast<CoreId::Value>(from[i])}, destination{static_cast<CoreId::Value>(to[i])};
    for (const auto core : {source, destination}) {
      if (!faults.core_is_dead(core)) continue;
      throw InputError{file, fmt::format("packet {}: core {} is dead", i, core.value()),
                       "the same dead cores as in the run"};
    }
    trace.push_back(
        {static_cast<std::int64_t>(i), created[i] / cycle - first, source, destination, flits[i]});
  }
  return trace;
}

}  // namespace

std::vector<TracedPacket> read_noc_trace(const engine::Setting& setting, const Geometry& geometry,
                                         const Faults& faults) {
  const auto& file = setting.as_string();
  if (file.empty()) throw setting.refusal("no file is named", "a CSV file, or the result of a run");
  auto trace = file.ends_with(".h5") ? read_run(file, geometry, faults) : read_table(file, geometry, faults);
  if (trace.empty()) throw InputError{file, "has no packets", "a row for each packet"};
  std::ranges::sort(trace, {},
                    [](const TracedPacket& packet) { return std::tie(packet.created, packet.number); });
  return trace;
}

}  // namespace ouro::wafer
