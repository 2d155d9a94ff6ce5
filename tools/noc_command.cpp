#include "tools/noc_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "engine/config.hpp"
#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "partitions/read_partition.hpp"
#include "tools/noc_study.hpp"
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
  NocWriter(engine::ResultsFile& file, MPI_Comm comm) : file_{file}, is_root_{engine::mpi_rank(comm) == 0} {}

  void write(const Prepared& prepared, const std::vector<NocFindings>& findings,
             const std::vector<std::int64_t>& link_flits) {
    file_.set_attribute("/", "code_version", fmt::format("{} {}", kVersion, kRevision));
    file_.set_attribute("/", "seed", static_cast<std::int64_t>(prepared.loads.front().seed));
    file_.write_string({"/configuration/resolved_toml", "1",
                        "the configuration; as an experiment file, with the rates of /noc/injection_rate, it "
                        "gives the same result"},
                       prepared.resolved_toml);
    const auto real = [&](const char* name, const char* unit, const char* meaning,
                          double NocFindings::*field) {
      column<double>(findings, {fmt::format("/noc/{}", name), unit, meaning}, field);
    };
    const auto whole = [&](const char* name, const char* unit, const char* meaning,
                           std::int64_t NocFindings::*field) {
      column<std::int64_t>(findings, {fmt::format("/noc/{}", name), unit, meaning}, field);
    };
    real("injection_rate", "flits/cycle/core", "offered by open-loop traffic; 0 for other loads",
         &NocFindings::injection_rate);
    real("accepted_rate", "flits/cycle/core", "of packets that arrived in the measured time, open loop",
         &NocFindings::accepted_rate);
    whole("packets", "1", "measured packets that arrived", &NocFindings::packets);
    std::vector<std::uint8_t> settled;
    settled.reserve(findings.size());
    for (const auto& row : findings) settled.push_back(row.settled ? 1 : 0);
    whole_rows<std::uint8_t>({"/noc/settled", "1", "whether every measured packet arrived within the limit"},
                             settled);
    real("mean_latency", "cycles", "from a packet's creation to its last flit's arrival",
         &NocFindings::mean_latency);
    real("confidence", "cycles", "half of the 95 % confidence interval of the mean latency, from 20 batches",
         &NocFindings::confidence);
    real("mean_network_latency", "cycles", "the same, from when the head left its core; 0 at packet fidelity",
         &NocFindings::mean_network_latency);
    real("mean_routers", "1", "routers on a packet's way", &NocFindings::mean_routers);
    whole("least_latency", "cycles", "of a packet", &NocFindings::least_latency);
    whole("p50_latency", "cycles", "half of the packets took no longer; exact below 256, else 0.4 %",
          &NocFindings::p50);
    whole("p95_latency", "cycles", "95 % of the packets took no longer", &NocFindings::p95);
    whole("p99_latency", "cycles", "99 % of the packets took no longer", &NocFindings::p99);
    whole("greatest_latency", "cycles", "of a packet", &NocFindings::greatest_latency);
    whole("completion", "cycles", "arrival of the last packet", &NocFindings::completion);
    whole("cycles", "cycles", "simulated", &NocFindings::cycles);
    whole("router_visits", "1", "flits that went through routers, once for each; flit fidelity",
          &NocFindings::router_visits);
    const auto cores = static_cast<std::size_t>(prepared.wafer.geometry.cores());
    whole_rows<std::int64_t>(
        {"/noc/link_flits", "flits",
         "sent by each core's router to east, west, north, south and its core, whole runs"},
        link_flits, {cores, kPorts});
    std::vector<std::string> digests;
    digests.reserve(findings.size());
    for (const auto& row : findings) digests.push_back(fmt::format("{:016x}", row.verdict.digest));
    file_.set_attribute("/", "digest", digests.back());
    file_.write_strings({"/noc/digest", "1", "of all events handled"}, digests);
    column<double>(findings, {"/engine/wall_time", "s", "of the simulation"}, &NocFindings::wall_seconds);
  }

  void write_traced(std::vector<wafer::TracedArrival> mine, MPI_Comm comm) {
    std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    const auto counts = engine::mpi_gather_all(comm, mine.size());
    std::size_t first = 0, total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (static_cast<int>(i) < engine::mpi_rank(comm)) first += counts[i];
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
  template <class T>
  void whole_rows(const Column& column, const std::vector<T>& values,
                  const engine::ResultsFile::Shape& inner = {}) {
    std::size_t row = 1;
    for (const auto size : inner) row *= size;
    file_.write<T>(column, {values.data(), is_root_ ? values.size() : 0}, 0, values.size() / row, inner);
  }
  template <class T>
  void column(const std::vector<NocFindings>& findings, const Column& column, T NocFindings::*field) {
    std::vector<T> values;
    values.reserve(findings.size());
    for (const auto& row : findings) values.push_back(row.*field);
    whole_rows<T>(column, values);
  }

  engine::ResultsFile& file_;
  bool is_root_;
};

void print_head(bool open_loop) {
  if (open_loop) {
    std::cout
        << "  offered accepted   latency   +-95 %  network  p50  p95  p99   packets  (flits/cycle/core; "
           "cycles)\n";
  }
}

const char* remark_on(const NocFindings& row) {
  constexpr double kLost = 0.03;  // more than chance in a measurement of usual length
  if (!row.settled) return "  not settled: measured packets are still under way";
  if (row.accepted_rate < (1 - kLost) * row.injection_rate) return "  beyond saturation: queues grow";
  return "";
}

void print(const NocFindings& row, bool open_loop) {
  if (open_loop) {
    std::cout << fmt::format("{:9.5f} {:8.5f} {:>9} {:>8} {:>8.2f} {:>4} {:>4} {:>4} {:>9}{}\n",
                             row.injection_rate, row.accepted_rate, fmt::format("{:.3f}", row.mean_latency),
                             fmt::format("{:.3f}", row.confidence), row.mean_network_latency, row.p50,
                             row.p95, row.p99, row.packets, remark_on(row));
  } else {
    std::cout << fmt::format(
        "completion   {} cycles\nlatency      mean {:.3f} cycles, p50 {}, p99 {}, {} to {}\n"
        "packets      {}\n",
        row.completion, row.mean_latency, row.p50, row.p99, row.least_latency, row.greatest_latency,
        row.packets);
  }
}

void print_speed(const std::vector<NocFindings>& findings, int ranks) {
  double wall = 0, cycles = 0, visits = 0;
  std::uint64_t digest = 0;
  for (const auto& row : findings) {
    wall += row.wall_seconds;
    cycles += static_cast<double>(row.cycles);
    visits += static_cast<double>(row.router_visits);
    digest = row.verdict.digest;
  }
  std::cout << fmt::format(
      "simulator    {:.2f} s wall on {} rank{}, {:.3g} cycles/s, {:.3g} M flit-router visits/s, {:.0f} MB on "
      "rank 0\n"
      "digest       {:016x}\n",
      wall, ranks, ranks == 1 ? "" : "s", cycles / wall, 1e-6 * visits / wall, peak_memory_mb(), digest);
}

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
  if (is_root) print_head(open_loop);
  for (std::size_t i = 0; i < prepared.loads.size(); ++i) {
    NocStudy study{geometry, prepared.wafer.noc, prepared.loads[i], prepared.partition, comm,
                   options,  settings.lookahead};
    studied.findings.push_back(study.run());
    if (is_root) print(studied.findings.back(), open_loop);
    collect(studied, i, study, geometry);
  }
  MPI_Allreduce(MPI_IN_PLACE, studied.link_flits.data(), static_cast<int>(studied.link_flits.size()),
                MPI_INT64_T, MPI_SUM, comm);
  return studied;
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
    writer.write_traced(std::move(studied.traced), comm);
  file->commit();
  if (engine::mpi_rank(comm) == 0) print_speed(studied.findings, engine::mpi_size(comm));
  logger.info("wrote {}", path.string());
  return 0;
}

}  // namespace ouro::tools
