#pragma once

#include "engine/config.hpp"
#include "llm/kv_ring.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/serving_controller.hpp"
#include "llm/workload.hpp"

namespace ouro::llm {

/// Where KV may lie. Static KV is in KV cores only.
KvCrossbars read_kv_crossbars(const engine::Config& config);

/// Section [serving], with what of [workload] depends on what is served.
/// @throws InputError  for what is wrong in them
ServingOptions read_serving_options(const engine::Config& config, const WorkloadOptions& workload,
                                    const WorkloadSummary& summary);

/// serving.pipelining
Pipelining read_pipelining(const engine::Config& config);

}  // namespace ouro::llm
