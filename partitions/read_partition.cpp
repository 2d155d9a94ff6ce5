#include "partitions/read_partition.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"
#include "partitions/graph_cut.hpp"
#include "partitions/pipeline_cut.hpp"

namespace ouro::partitions {
namespace {

constexpr int kMostRuns = 1000;

Partition read_list(const engine::Setting& setting, const wafer::Geometry& geometry, int ranks) {
  const auto regions = setting.as_int_list();
  if (regions.size() != static_cast<std::size_t>(geometry.dies())) {
    throw setting.refusal(fmt::format("has {} regions for {} dies", regions.size(), geometry.dies()),
                          "one for each die, row by row");
  }
  std::vector<bool> used(static_cast<std::size_t>(ranks), false);
  Partition partition;
  for (const auto region : regions) {
    if (region < 0 || region >= ranks) {
      throw setting.refusal(fmt::format("{} is not a rank of this run", region),
                            fmt::format("ranks are 0 to {}", ranks - 1));
    }
    used[static_cast<std::size_t>(region)] = true;
    partition.push_back(static_cast<int>(region));
  }
  const auto idle = std::find(used.begin(), used.end(), false);
  if (idle != used.end()) {
    throw setting.refusal(fmt::format("gives rank {} no die", idle - used.begin()), "every rank needs one");
  }
  return partition;
}

void check_ranks(const wafer::Geometry& geometry, int ranks) {
  if (ranks <= geometry.dies()) return;
  throw engine::InputError{
      "", fmt::format("{} ranks are more than the {} dies that can be shared out", ranks, geometry.dies()),
      fmt::format("the largest useful number is {}", geometry.dies())};
}

std::string read_method(const engine::Config& config) {
  return config.at("partition.method").as_choice({"auto", "rows", "rectangles", "pipeline", "metis", "list"});
}

/// Whether it needs no model.
bool is_of_grid(const std::string& method) {
  return method == "rows" || method == "rectangles" || method == "list";
}

Partition partition_grid(const engine::Config& config, const std::string& method,
                         const wafer::Geometry& geometry, int ranks) {
  if (method == "rectangles") return by_rectangles(geometry, ranks);
  if (method == "list") return read_list(config.at("partition.regions"), geometry, ranks);
  return by_rows(geometry, ranks);
}

}  // namespace

DieLoad read_load(const engine::Config& config, const llm::Experiment& experiment) {
  auto expected = expected_load(experiment);
  const auto from = config.at("partition.from").as_string();
  if (from.empty()) return expected;
  return measured_load(std::move(expected), engine::ResultsReader{from});
}

Partition read_partition(const engine::Config& config, const llm::Experiment& experiment, int ranks) {
  const auto& geometry = experiment.wafer.geometry;
  check_ranks(geometry, ranks);
  const auto method = read_method(config);
  const auto runs = static_cast<int>(config.at("partition.runs").as_int(1, kMostRuns));
  const auto load = read_load(config, experiment);
  if (ranks == 1 && method != "list") return Partition(static_cast<std::size_t>(geometry.dies()), 0);
  if (method == "auto") return choose(geometry, load, ranks).partition;
  if (method == "pipeline") return by_pipeline(load, ranks, runs);
  if (method == "metis") return by_graph(load, ranks);
  return partition_grid(config, method, geometry, ranks);
}

Partition read_partition(const engine::Config& config, const wafer::Geometry& geometry, int ranks) {
  check_ranks(geometry, ranks);
  const auto method = read_method(config);
  if (method == "auto" || is_of_grid(method)) return partition_grid(config, method, geometry, ranks);
  throw config.at("partition.method")
      .refusal(fmt::format("'{}' needs the work of a model", method), "rows, rectangles or list");
}

void take_from_rank_0(Partition& partition, MPI_Comm comm) {
  MPI_Bcast(partition.data(), static_cast<int>(partition.size()), MPI_INT, 0, comm);
}

}  // namespace ouro::partitions
