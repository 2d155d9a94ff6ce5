#pragma once

#include "engine/config.hpp"
#include "llm/workload.hpp"

namespace ouro::llm {

/// Section [workload], and of [serving] what decides which requests are taken.
/// @throws InputError  for what is wrong in them; the trace is not opened
WorkloadOptions read_workload_options(const engine::Config& config);

}  // namespace ouro::llm
