#include "tools/validate_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "partitions/read_partition.hpp"
#include "tools/prepared_run.hpp"
#include "tools/run_quantities.hpp"
#include "tools/run_statistics.hpp"
#include "tools/together.hpp"

namespace ouro::tools {
namespace {

/// @throws InputError  if they are not two different ones that a model can run at
void check_fidelities(const std::vector<std::string>& fidelities) {
  const auto refuse = [](const std::string& what) {
    throw engine::InputError{"--fidelities", what, "two of packet, stage, flit are needed"};
  };
  for (const auto& fidelity : fidelities) {
    if (fidelity != "packet" && fidelity != "stage" && fidelity != "flit")
      refuse(fmt::format("a model does not run at '{}'", fidelity));
  }
  if (fidelities.size() != 2) refuse(fmt::format("there are {}", fidelities.size()));
  if (fidelities[0] == fidelities[1]) refuse(fmt::format("both are '{}'", fidelities[0]));
}

std::vector<Quantity> measure(const PreparedRun& prepared, MPI_Comm comm) {
  const auto system = prepared.run(comm);
  return quantities_of(*prepared.experiment, system->controller(),
                       gather_statistics(comm, *prepared.experiment, *system));
}

std::optional<double> relative_difference(const Quantity& a, const Quantity& b) {
  if (!a.value || !b.value) return std::nullopt;
  if (*a.value == *b.value) return 0;
  if (*a.value == 0) return std::nullopt;
  return *b.value / *a.value - 1;
}

std::string describe_difference(const Quantity& a, const Quantity& b) {
  const auto difference = relative_difference(a, b);
  if (a.value == b.value) return "equal";
  return difference ? fmt::format("{:+.3f} %", 100 * *difference) : "differ";
}

std::string show(const std::optional<double>& value) {
  constexpr double kLongest = 1e9;
  if (!value) return "none";
  const bool whole = *value == std::floor(*value) && *value < kLongest;
  return whole ? fmt::format("{:.0f}", *value) : fmt::format("{:.6g}", *value);
}

using Runs = std::vector<std::vector<Quantity>>;

void print_table(const std::vector<std::string>& fidelities, const Runs& runs) {
  constexpr auto kRow = "{:<28} {:<15} {:>13} {:>13} {:>12}\n";
  std::cout << fmt::format(kRow, "quantity", "unit", fidelities[0], fidelities[1], "difference");
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    const auto &a = runs[0][i], &b = runs[1][i];
    std::cout << fmt::format(kRow, a.name, a.unit, show(a.value), show(b.value), describe_difference(a, b));
  }
}

void print_json(const std::vector<std::string>& fidelities, const Runs& runs) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  };
  auto rows = nlohmann::json::array();
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    const auto &a = runs[0][i], &b = runs[1][i];
    rows.push_back({{"name", a.name},
                    {"unit", a.unit},
                    {fidelities[0], number(a.value)},
                    {fidelities[1], number(b.value)},
                    {"relative_difference", number(relative_difference(a, b))}});
  }
  const nlohmann::json whole{{"fidelities", fidelities}, {"quantities", rows}};
  std::cout << whole.dump(2) << '\n';
}

}  // namespace

int validate(const ValidateArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  std::vector<PreparedRun> prepared;
  const auto prepare_all = [&] {
    check_fidelities(arguments.fidelities);
    for (const auto& fidelity : arguments.fidelities)
      prepared.push_back(prepare_run(arguments.configuration, {"wafer.noc.fidelity=" + fidelity}, comm));
  };
  if (!succeed_together(comm, logger, prepare_all)) return kInputAtFault;

  Runs runs;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    partitions::take_from_rank_0(prepared[i].partition, comm);
    logger.info("{} at fidelity {}", prepared[i].experiment->model.name, arguments.fidelities[i]);
    runs.push_back(measure(prepared[i], comm));
  }
  if (engine::mpi_rank(comm) != 0) return 0;
  (arguments.json ? print_json : print_table)(arguments.fidelities, runs);
  return 0;
}

}  // namespace ouro::tools
