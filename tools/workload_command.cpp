#include "tools/workload_command.hpp"

#include <fmt/core.h>

#include "llm/prefix_reuse.hpp"
#include "llm/workload_config.hpp"

namespace ouro::tools {
namespace {

void print_lengths(const char* what, const llm::TokenSummary& tokens) {
  fmt::print("# {}: {} tokens, {} to {} a request, mean {:.1f}\n", what, tokens.total, tokens.smallest,
             tokens.largest, tokens.mean);
}

void print_reuse(const llm::PrefixReuse& reuse) {
  fmt::print("# prefixes: {} blocks, {} different; an unlimited cache holds {} leading blocks, {} tokens\n",
             reuse.blocks, reuse.different_blocks, reuse.blocks_seen, reuse.tokens_seen);
}

}  // namespace

void print_workload(const llm::WorkloadSummary& summary) {
  fmt::print("# {}; {} requests in {:.6g} s, longest {} tokens", llm::describe(summary.rows),
             summary.requests, engine::seconds(summary.last_arrival - summary.first_arrival),
             summary.longest_context);
  if (summary.classes > 1) fmt::print(", {} classes of priority", summary.classes);
  fmt::print("\n");
  print_lengths("prompts", summary.prompt);
  print_lengths("outputs", summary.output);
}

void workload(const ConfigurationArguments& arguments) {
  const auto options = llm::read_workload_options(load_configuration(arguments));
  const auto summary = llm::summarise(*llm::make_source(options));
  print_workload(summary);
  if (summary.prefix_blocks == 0) return;
  print_reuse(llm::find_prefix_reuse(*llm::make_source(options), options.rows.block_tokens));
}

}  // namespace ouro::tools
