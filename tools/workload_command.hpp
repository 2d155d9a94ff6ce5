#pragma once

#include "llm/workload.hpp"
#include "tools/configuration.hpp"

namespace ouro::tools {

/// Reads a workload through, without model or wafer, and prints what is in it, and what prefix caching could
/// save at most.
/// @throws engine::InputError  at the first row that is refused
void workload(const ConfigurationArguments& arguments);

void print_workload(const llm::WorkloadSummary& summary);

}  // namespace ouro::tools
