#pragma once

#include <string>
#include <vector>

#include "tools/sweep_plan.hpp"

namespace ouro::tools {

/// For each key the end of it that no other of them has: wafer.faults.seed and workload.seed are faults.seed
/// and workload.seed, while serving.admission_threshold is admission_threshold.
std::vector<std::string> short_keys(const std::vector<std::string>& keys);

/// Names each run by what it varies, such as admission_threshold=0.1,fidelity=stage: fit for a file, the same
/// in a larger sweep of the same keys, and unique.
void name_runs(SweepPlan& plan);

}  // namespace ouro::tools
