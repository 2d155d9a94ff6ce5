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
      llm::weight_cores(plan.tiled().block), plan.tiled().lm_head.tiles.size());
  if (plan.tiled().first_blocks > 0) {
    const bool encoder = experiment->model.encoder_layers > 0;
    fmt::print("# the first {} blocks {}: {} weight cores each\n", plan.tiled().first_blocks,
               encoder ? "are the encoder's" : "have no experts",
               llm::weight_cores(plan.tiled().first_block));
  }
  const auto kept = llm::kv_bytes_per_token(experiment->model);
  const auto stored = llm::kv_bytes_stored_per_token(experiment->model);
  fmt::print("# {} KV bytes a token", kept);
  if (stored != kept)
    fmt::print("; {} in crossbars, where a latent vector is both a key and a value", stored);
  if (experiment->serving.encodes)
    fmt::print(" of the decoder, and as many for each token of a prompt, for cross attention");
  fmt::print("\n");
  const auto fragments = plan.kv_ring().fragments();
  fmt::print("# {} KV cores{} a block hold {} tokens; {} tokens may be under way between two home cores\n",
             plan.kv_ring().places() - fragments,
             fragments == 0 ? "" : fmt::format(" and the free crossbars of {} weight cores", fragments),
             kv.pages_total() / kv.pages_for(1) * kv.page_tokens(), plan.window());
  for (const auto& note : experiment->model_notes) fmt::print("# model: {}\n", note);
  const auto faults = llm::report_faults(plan, experiment->mapping);
  if (faults.faults() > 0) fmt::print("# {}\n", llm::describe(faults));
  if (const auto& failures = experiment->wafer.failures; !failures.empty())
    fmt::print("# {}\n", llm::describe(failures));
  print_workload(experiment->summary);
}

}  // namespace ouro::tools
