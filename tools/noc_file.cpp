#include "tools/noc_file.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>
#include <string_view>

#include "engine/mpi.hpp"

namespace ouro::tools {
namespace {

/// A dataset of group /noc, with a value for each study.
template <class T>
struct Entry {
  const char* name;
  const char* unit;
  const char* meaning;
  T NocFindings::*field;
};

constexpr Entry<double> kReal[] = {
    {"injection_rate", "flits/cycle/core", "offered by open-loop traffic; 0 for other loads",
     &NocFindings::injection_rate},
    {"created_rate", "flits/cycle/core",
     "of packets created in the measured time, a live core, open loop; without those for dead cores",
     &NocFindings::created_rate},
    {"accepted_rate", "flits/cycle/core",
     "of packets that arrived in the measured time, a live core, open loop", &NocFindings::accepted_rate},
    {"mean_latency", "cycles", "from a packet's creation to its last flit's arrival",
     &NocFindings::mean_latency},
    {"confidence", "cycles", "half of the 95 % confidence interval of the mean latency, from 20 batches",
     &NocFindings::confidence},
    {"mean_network_latency", "cycles", "the same, from when the head left its core; 0 at packet fidelity",
     &NocFindings::mean_network_latency},
    {"mean_routers", "1", "routers on a packet's way", &NocFindings::mean_routers}};

constexpr Entry<std::int64_t> kWhole[] = {
    {"packets", "1", "measured packets that arrived", &NocFindings::packets},
    {"least_latency", "cycles", "of a packet", &NocFindings::least_latency},
    {"p50_latency", "cycles", "half of the packets took no longer; exact below 256, else 0.4 %",
     &NocFindings::p50},
    {"p95_latency", "cycles", "95 % of the packets took no longer", &NocFindings::p95},
    {"p99_latency", "cycles", "99 % of the packets took no longer", &NocFindings::p99},
    {"greatest_latency", "cycles", "of a packet", &NocFindings::greatest_latency},
    {"completion", "cycles", "arrival of the last packet", &NocFindings::completion},
    {"cycles", "cycles", "simulated", &NocFindings::cycles},
    {"router_visits", "1", "flits that went through routers, once for each; flit fidelity",
     &NocFindings::router_visits}};

constexpr auto kSettled = "/noc/settled";
constexpr auto kDigest = "/noc/digest";
constexpr auto kWallTime = "/engine/wall_time";

std::string path_of(const char* name) {
  return fmt::format("/noc/{}", name);
}

class Columns {
 public:
  Columns(engine::ResultsFile& file, bool is_root, const std::vector<NocFindings>& findings)
      : file_{file}, is_root_{is_root}, findings_{findings} {}

  /// @param get  of a study
  template <class T, class Get>
  void write(const engine::Column& column, const Get& get) {
    std::vector<T> values;
    values.reserve(findings_.size());
    for (const auto& study : findings_) values.push_back(static_cast<T>(get(study)));
    file_.write<T>(column, std::span<const T>{values.data(), is_root_ ? values.size() : 0}, 0, values.size());
  }

 private:
  engine::ResultsFile& file_;
  bool is_root_;
  const std::vector<NocFindings>& findings_;
};

/// The unit as the end of a key.
std::string_view ending_of(std::string_view unit) {
  if (unit == "cycles") return "_cycles";
  return unit == "1" ? "" : "_flits_per_cycle_and_core";
}

}  // namespace

void write_findings(engine::ResultsFile& file, MPI_Comm comm, const std::vector<NocFindings>& findings) {
  Columns columns{file, engine::mpi_rank(comm) == 0, findings};
  for (const auto& entry : kReal) {
    columns.write<double>({path_of(entry.name), entry.unit, entry.meaning},
                          [&](const NocFindings& study) { return study.*entry.field; });
  }
  for (const auto& entry : kWhole) {
    columns.write<std::int64_t>({path_of(entry.name), entry.unit, entry.meaning},
                                [&](const NocFindings& study) { return study.*entry.field; });
  }
  columns.write<std::uint8_t>({kSettled, "1", "whether every measured packet arrived within the limit"},
                              [](const NocFindings& study) { return study.settled; });
  std::vector<std::string> digests;
  digests.reserve(findings.size());
  for (const auto& study : findings) digests.push_back(fmt::format("{:016x}", study.verdict.digest));
  file.set_attribute("/", "digest", digests.back());
  file.write_strings({kDigest, "1", "of all events handled"}, digests);
  columns.write<double>({kWallTime, "s", "of the simulation"},
                        [](const NocFindings& study) { return study.wall_seconds; });
}

bool is_network(const engine::ResultsReader& file) {
  return file.find(path_of(kReal[0].name)) != nullptr;
}

std::vector<NocFindings> read_findings(const engine::ResultsReader& file) {
  const auto digests = file.read_texts(kDigest);
  std::vector<NocFindings> findings(digests.size());
  const auto read = [&]<class T>(const std::string& path, const auto& set, T) {
    const auto values = file.read<T>(path);
    for (std::size_t i = 0; i < findings.size(); ++i) set(findings[i], values.at(i));
  };
  for (const auto& entry : kReal)
    read(
        path_of(entry.name), [&](NocFindings& study, double value) { study.*entry.field = value; }, double{});
  for (const auto& entry : kWhole) {
    read(
        path_of(entry.name), [&](NocFindings& study, std::int64_t value) { study.*entry.field = value; },
        std::int64_t{});
  }
  read(
      kSettled, [](NocFindings& study, std::uint8_t value) { study.settled = value != 0; }, std::uint8_t{});
  read(
      kWallTime, [](NocFindings& study, double value) { study.wall_seconds = value; }, double{});
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const auto& text = digests[i];
    std::from_chars(text.data(), text.data() + text.size(), findings[i].verdict.digest, 16);
  }
  return findings;
}

Figures read_network_figures(const engine::ResultsReader& file) {
  const auto findings = read_findings(file);
  Figures figures;
  figures.add("studies", static_cast<std::int64_t>(findings.size()));
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const auto key = [i](const auto& entry) {
      return fmt::format("study_{}_{}{}", i, entry.name, ending_of(entry.unit));
    };
    for (const auto& entry : kReal) figures.add(key(entry), findings[i].*entry.field);
    for (const auto& entry : kWhole) figures.add(key(entry), findings[i].*entry.field);
    figures.add(fmt::format("study_{}_settled", i), std::int64_t{findings[i].settled});
    figures.add(fmt::format("study_{}_wall_s", i), findings[i].wall_seconds, Figure::Of::simulator);
    figures.add(fmt::format("study_{}_digest", i), fmt::format("{:016x}", findings[i].verdict.digest),
                Figure::Of::simulator);
  }
  return figures;
}

}  // namespace ouro::tools
