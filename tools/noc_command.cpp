#include "tools/noc_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "engine/config.hpp"
#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "partitions/read_partition.hpp"
#include "tools/noc_file.hpp"
#include "tools/noc_study.hpp"
#include "tools/noc_table.hpp"
#include "tools/run_settings.hpp"
#include "tools/run_statistics.hpp"
#include "tools/together.hpp"
#include "tools/version.hpp"

namespace ouro::tools {
namespace {

using engine::Column;

constexpr int kPorts = 5;  // four neighbours and the core

struct Prepared {
  std::string resolved_toml;
  wafer::WaferModel wafer;
  std::vector<wafer::NocTraffic> loads;
  partitions::Partition partition;
  RunSettings settings;
};

/// The load that the configuration describes, or that at each of the rates.
std::vector<wafer::NocTraffic> read_loads(const engine::Config& config, const wafer::WaferModel& wafer,
                                          const std::vector<double>& rates) {
  const auto traffic = wafer::read_noc_traffic(config, wafer.geometry, wafer.faults);
  if (rates.empty()) return {traffic};
  if (traffic.load != wafer::NocTraffic::Load::open_loop)
    throw config.at("traffic.load").refusal("has no injection rate", "\"open-loop\" with --rates");
  std::vector<wafer::NocTraffic> loads(rates.size(), traffic);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    if (!wafer::is_injection_rate(rates[i])) {
      throw engine::InputError{"--rates",
                               fmt::format("{} flits a cycle and core cannot be injected", rates[i]),
                               "above 0 and at most 1, the rate of the link"};
    }
    loads[i].injection_rate = rates[i];
  }
  return loads;
}

Prepared prepare(const NocArguments& arguments, MPI_Comm comm) {
  const auto config = load_configuration(arguments.configuration);
  Prepared prepared;
  prepared.resolved_toml = config.resolved_toml();
  prepared.wafer = wafer::read_wafer(config);
  if (!prepared.wafer.failures.empty()) {
    throw engine::InputError{"wafer.faults.runtime", "nothing fails while the network alone is simulated",
                             "wafer.faults.map_file names what is dead from the start"};
  }
  if (prepared.wafer.noc.fidelity == wafer::Fidelity::stage) {
    throw config.at("wafer.noc.fidelity")
        .refusal("the network is not simulated at this fidelity", "\"packet\" or \"flit\"");
  }
  prepared.partition = partitions::read_partition(config, prepared.wafer.geometry, engine::mpi_size(comm));
  prepared.settings = read_run_settings(config);
  prepared.loads = read_loads(config, prepared.wafer, arguments.rates);
  return prepared;
}

std::filesystem::path output_path(const NocArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  return arguments.configuration.file.stem().string() + ".noc.h5";
}

class NocWriter {
 public:
  NocWriter(engine::ResultsFile& file, MPI_Comm comm)
      : file_{file}, comm_{comm}, is_root_{engine::mpi_rank(comm) == 0} {}

  void write(const Prepared& prepared, const std::vector<NocFindings>& findings,
             const std::vector<std::int64_t>& link_flits) {
    file_.set_attribute("/", "code_version", fmt::format("{} {}", kVersion, kRevision));
    file_.set_attribute("/", "seed", static_cast<std::int64_t>(prepared.loads.front().seed));
    file_.write_string({"/configuration/resolved_toml", "1",
                        "the configuration; as an experiment file, with the rates of /noc/injection_rate, it "
                        "gives the same result"},
                       prepared.resolved_toml);
    write_findings(file_, comm_, findings);
    write_cores(prepared.wafer);
    const auto cores = static_cast<std::size_t>(prepared.wafer.geometry.cores());
    whole_rows<std::int64_t>(
        {"/noc/link_flits", "flits",
         "sent by each core's router to east, west, north, south and its core, whole runs"},
        link_flits, {cores, kPorts});
    file_.write_strings({"/noc/port_names", "1", "meaning of the last index of link_flits"},
                        {"east", "west", "north", "south", "to_core"});
  }

  void write_traced(std::vector<wafer::TracedArrival> mine) {
    std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    const auto counts = engine::mpi_gather_all(comm_, mine.size());
    std::size_t first = 0, total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (static_cast<int>(i) < engine::mpi_rank(comm_)) first += counts[i];
      total += counts[i];
    }
    const auto traced = [&](const char* name, const char* unit, const char* meaning,
                            std::int64_t wafer::TracedArrival::*field) {
      std::vector<std::int64_t> values;
      values.reserve(mine.size());
      for (const auto& packet : mine) values.push_back(packet.*field);
      file_.write<std::int64_t>({fmt::format("/packets/{}", name), unit, meaning}, values, first, total);
    };
    traced("number", "1", "of the packet in the trace; rows are in no order", &wafer::TracedArrival::number);
    traced("entered", "cycles", "when the head left its core; 0 at packet fidelity",
           &wafer::TracedArrival::entered);
    traced("arrived", "cycles", "when the last flit arrived", &wafer::TracedArrival::arrived);
  }

 private:
  void write_cores(const wafer::WaferModel& wafer) {
    const auto& geometry = wafer.geometry;
    file_.set_attribute("/cores", "columns", std::int64_t{geometry.columns()});
    file_.set_attribute("/cores", "rows", std::int64_t{geometry.rows()});
    file_.set_attribute("/cores", "core_columns_of_die", std::int64_t{geometry.core_columns});
    file_.set_attribute("/cores", "core_rows_of_die", std::int64_t{geometry.core_rows});
    std::vector<std::uint8_t> alive;
    alive.reserve(static_cast<std::size_t>(geometry.cores()));
    for (wafer::CoreId::Value core = 0; core < static_cast<wafer::CoreId::Value>(geometry.cores()); ++core)
      alive.push_back(wafer.faults.core_is_dead(wafer::CoreId{core}) ? 0 : 1);
    whole_rows<std::uint8_t>(
        {"/cores/alive", "1", "0 for a core that is dead since the wafer was made, else 1"}, alive);
  }
  template <class T>
  void whole_rows(const Column& column, const std::vector<T>& values,
                  const engine::ResultsFile::Shape& inner = {}) {
    std::size_t row = 1;
    for (const auto size : inner) row *= size;
    file_.write<T>(column, {values.data(), is_root_ ? values.size() : 0}, 0, values.size() / row, inner);
  }

  engine::ResultsFile& file_;
  MPI_Comm comm_;
  bool is_root_;
};

/// All studies, one after another, and what they leave for the result.
struct Studied {
  std::vector<NocFindings> findings;
  std::vector<std::int64_t> link_flits;      ///< by study, core and port; of this rank's dies, 0 elsewhere
  std::vector<wafer::TracedArrival> traced;  ///< at this rank's dies
};

void collect(Studied& studied, std::size_t index, const NocStudy& study, const wafer::Geometry& geometry) {
  const auto first = index * static_cast<std::size_t>(geometry.cores());
  for (const auto* die : study.dies()) {
    for (int core = 0; core < geometry.cores_of_die(); ++core) {
      const auto row = first + geometry.core_of_die(die->die(), core).value();
      for (int port = 0; port < kPorts; ++port) {
        studied.link_flits[row * kPorts + static_cast<std::size_t>(port)] =
            die->flits_sent(core, port == kPorts - 1 ? wafer::kEjection : port);
      }
    }
    studied.traced.insert(studied.traced.end(), die->traced().begin(), die->traced().end());
  }
}

Studied run_studies(const Prepared& prepared, MPI_Comm comm) {
  const auto& geometry = prepared.wafer.geometry;
  const auto& settings = prepared.settings;
  const bool is_root = engine::mpi_rank(comm) == 0;
  const bool open_loop = prepared.loads.front().load == wafer::NocTraffic::Load::open_loop;
  const engine::SynchronizerOptions options{
      .kind = settings.synchronizer, .stall_limit_seconds = settings.stall_limit_seconds, .heartbeat = {}};
  Studied studied;
  studied.link_flits.resize(prepared.loads.size() * static_cast<std::size_t>(geometry.cores()) * kPorts);
  std::optional<NocTable> table;
  if (is_root) table.emplace(std::cout, open_loop);
  for (std::size_t i = 0; i < prepared.loads.size(); ++i) {
    NocStudy study{geometry, prepared.wafer.noc, prepared.loads[i], prepared.partition, comm,
                   options,  settings.lookahead};
    studied.findings.push_back(study.run());
    if (table) table->print(studied.findings.back());
    collect(studied, i, study, geometry);
  }
  MPI_Allreduce(MPI_IN_PLACE, studied.link_flits.data(), static_cast<int>(studied.link_flits.size()),
                MPI_INT64_T, MPI_SUM, comm);
  return studied;
}

void print_speed(const std::vector<NocFindings>& findings, int ranks) {
  NocTable{std::cout, false}.print_speed(findings, fmt::format(" on {} rank{}, {:.0f} MB on rank 0", ranks,
                                                               ranks == 1 ? "" : "s", peak_memory_mb()));
}

}  // namespace

int noc(const NocArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  Prepared prepared;
  if (!succeed_together(comm, logger, [&] { prepared = prepare(arguments, comm); })) return kInputAtFault;
  const auto path = output_path(arguments);
  const auto overwrite = arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse;
  std::unique_ptr<engine::ResultsFile> file;
  const auto open = [&] { file = std::make_unique<engine::ResultsFile>(path, comm, overwrite); };
  if (!succeed_together(comm, logger, open)) return kInputAtFault;

  if (const auto& faults = prepared.wafer.faults; !faults.list().empty()) {
    logger.info("{} of {} cores are dead; ways have up to {} legs", faults.dead_cores(),
                prepared.wafer.geometry.cores(), prepared.wafer.noc.routing.legs());
  }
  auto studied = run_studies(prepared, comm);
  NocWriter writer{*file, comm};
  writer.write(prepared, studied.findings, studied.link_flits);
  if (prepared.loads.front().load == wafer::NocTraffic::Load::trace)
    writer.write_traced(std::move(studied.traced));
  file->commit();
  if (engine::mpi_rank(comm) == 0) print_speed(studied.findings, engine::mpi_size(comm));
  logger.info("wrote {}", path.string());
  return 0;
}

}  // namespace ouro::tools
