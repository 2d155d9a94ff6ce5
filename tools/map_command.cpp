#include "tools/map_command.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "engine/error.hpp"
#include "engine/mpi.hpp"
#include "engine/results_file.hpp"
#include "llm/exact_placement.hpp"
#include "llm/experiment.hpp"
#include "llm/mapping_file.hpp"
#include "tools/mapping_picture.hpp"
#include "tools/together.hpp"
#include "tools/version.hpp"

namespace ouro::tools {
namespace {

using llm::Objective;

struct Prepared {
  std::string resolved_toml;
  std::unique_ptr<const llm::Experiment> experiment;
};

Prepared prepare(const MapArguments& arguments) {
  const auto config = load_configuration(arguments.configuration);
  if (arguments.exact_seconds < 0) throw engine::InputError{"--exact", "a time is at least 0", "such as 60"};
  Prepared prepared{config.resolved_toml(), llm::read_experiment(config)};
  if (!llm::flows_are_known(prepared.experiment->wafer.geometry, prepared.experiment->model)) {
    throw engine::InputError{arguments.configuration.file.string(),
                             "what a mapping costs is known for a decoder without experts on one wafer only",
                             "the snake maps the others"};
  }
  return prepared;
}

/// What a mapping costs a token.
class CostTable {
 public:
  CostTable(const llm::Experiment& experiment, const llm::TokenFlows& flows)
      : graph_{flows.graph()}, cost_{experiment.wafer.geometry, experiment.mapping.die_penalty} {
    fmt::print("{:<10} {:>11} {:>11} {:>11} {:>11}   (bytes x links x penalty, a token)\n", "mapping",
               "output", "reduce", "gather", "sum");
  }

  void print(std::string_view name, const llm::Placement& placement) const {
    const auto objective = evaluate(graph_, cost_, placement);
    fmt::print("{:<10}", name);
    for (const auto volume : objective.by_volume) fmt::print(" {:>11.5g}", llm::byte_links(graph_, volume));
    fmt::print(" {:>11.5g}\n", llm::byte_links(graph_, objective.total()));
  }
  const llm::MappingCost& cost() const { return cost_; }

 private:
  const llm::FlowGraph& graph_;
  llm::MappingCost cost_;
};

void prove(const llm::Experiment& experiment, const CostTable& table, const llm::TokenFlows& flows,
           const llm::Placement& found, double seconds) {
  const auto& graph = flows.graph();
  const auto sites = llm::live_cores(experiment.wafer.geometry, experiment.wafer.faults);
  const auto exact = llm::place_exactly(graph, table.cost(), sites, found, seconds);
  table.print(exact.proven ? "optimal" : "Cbc's best", exact.placement);
  const auto total = static_cast<double>(evaluate(graph, table.cost(), found).total());
  if (exact.proven) {
    fmt::print("the mapping is {:.2f} % above the proven optimum\n",
               100 * (total / static_cast<double>(exact.objective.total()) - 1));
  } else {
    fmt::print("not proven in {} s; no mapping costs less than {:.5g}\n", seconds,
               exact.bound / llm::MappingCost::kUnit / static_cast<double>(graph.parts_of_byte));
  }
}

void print_costs(const llm::Experiment& experiment, double exact_seconds) {
  const auto& plan = *experiment.plan;
  const auto host = experiment.wafer.geometry.core_at(experiment.wafer.noc.host);
  const auto flows = llm::flows_of(plan.mapping(), plan.model(), plan.tiled());
  const CostTable table{experiment, flows};
  const auto found = flows.placement(plan.mapping(), host);
  const auto snake =
      llm::map_in_snake_order(experiment.wafer.geometry, experiment.wafer.faults, plan.model(), plan.tiled());
  if (snake.blocks.front().kv.size() == static_cast<std::size_t>(flows.kv_cores()))
    table.print("snake", flows.placement(snake, host));
  table.print("this", found);
  if (exact_seconds > 0) prove(experiment, table, flows, found, exact_seconds);
}

void store(const MapArguments& arguments, const Prepared& prepared, engine::ResultsFile& file,
           MPI_Comm comm) {
  const auto& experiment = *prepared.experiment;
  file.set_attribute("/", "code_version", fmt::format("{} {}", kVersion, kRevision));
  file.write_string({"/configuration/resolved_toml", "1", "the configuration that gives this mapping"},
                    prepared.resolved_toml);
  write_mapping(file, comm, experiment.plan->mapping(), experiment.wafer.geometry, experiment.plan->tiled());
  file.commit();
  if (engine::mpi_rank(comm) == 0) fmt::print("wrote {}\n", arguments.out.string());
}

void write_svg(const std::filesystem::path& path, bool force, const llm::Experiment& experiment) {
  std::error_code ignored;
  if (!force && std::filesystem::exists(path, ignored))
    throw engine::InputError{path.string(), "is there already", "another name, or --force"};
  std::ofstream stream{path};
  stream << draw_svg(experiment.plan->mapping(), experiment.wafer.geometry, experiment.wafer.faults);
  if (!stream.flush()) throw engine::InputError{path.string(), "cannot be written"};
  fmt::print("wrote {}\n", path.string());
}

}  // namespace

int map(const MapArguments& arguments, MPI_Comm comm, spdlog::logger& logger) {
  constexpr int kInputAtFault = 2;
  Prepared prepared;
  if (!succeed_together(comm, logger, [&] { prepared = prepare(arguments); })) return kInputAtFault;
  const auto& experiment = *prepared.experiment;
  const bool is_root = engine::mpi_rank(comm) == 0;
  if (is_root) {
    print_costs(experiment, arguments.exact_seconds);
    if (arguments.picture) {
      std::cout << '\n'
                << draw_text(experiment.plan->mapping(), experiment.wafer.geometry, experiment.wafer.faults);
    }
  }
  if (!arguments.out.empty()) {
    std::unique_ptr<engine::ResultsFile> file;
    const auto overwrite = arguments.force ? engine::Overwrite::allow : engine::Overwrite::refuse;
    const auto open = [&] { file = std::make_unique<engine::ResultsFile>(arguments.out, comm, overwrite); };
    if (!succeed_together(comm, logger, open)) return kInputAtFault;
    store(arguments, prepared, *file, comm);
  }
  const auto draw = [&] {
    if (is_root && !arguments.svg.empty()) write_svg(arguments.svg, arguments.force, experiment);
  };
  return succeed_together(comm, logger, draw) ? 0 : kInputAtFault;
}

}  // namespace ouro::tools
