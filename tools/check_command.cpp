#include "tools/check_command.hpp"

#include <fmt/core.h>

#include <iostream>

#include "llm/experiment.hpp"
#include "llm/fault_report.hpp"
#include "partitions/read_partition.hpp"
#include "tools/run_settings.hpp"
#include "tools/workload_command.hpp"

namespace ouro::tools {

void check(const ConfigurationArguments& arguments) {
  const auto config = load_configuration(arguments);
  const auto experiment = llm::read_experiment(config);
  partitions::read_partition(config, *experiment, 1);
  read_run_settings(config);
  config.print(std::cout);
  const auto& plan = *experiment->plan;
  const auto kv = experiment->make_kv_controller();
  fmt::print(
      "\n# {}: {} parameters, {} blocks of {} stages each, {} weight cores a block, {} LM head cores\n",
      experiment->model.name, llm::parameter_count(experiment->model), plan.blocks(), llm::kStagesPerBlock,
      [&] {
        std::size_t cores = 0;
        for (const auto& group : plan.tiled().block) cores += group.tiles.size();
        return cores;
      }(),
      plan.tiled().lm_head.tiles.size());
  fmt::print("# {} KV cores a block hold {} tokens; {} tokens may be under way between two home cores\n",
             plan.ring(0).size(), kv.pages_total() / kv.pages_for(1) * kv.page_tokens(), plan.window());
  for (const auto& note : experiment->model_notes) fmt::print("# model: {}\n", note);
  const auto faults = llm::report_faults(plan, experiment->mapping);
  if (faults.faults() > 0) fmt::print("# {}\n", llm::describe(faults));
  if (const auto& failures = experiment->wafer.failures; !failures.empty())
    fmt::print("# {}\n", llm::describe(failures));
  print_workload(experiment->summary);
}

}  // namespace ouro::tools
