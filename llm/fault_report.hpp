#pragma once

#include <string>
#include <vector>

#include "llm/mapping_method.hpp"
#include "llm/pipeline_plan.hpp"

namespace ouro::llm {

/// What is dead on a wafer, and what of it makes no difference to a model.
struct FaultReport {
  int cores = 0;
  int routers = 0;
  int links = 0;
  /// Faults without effect: a core that the mapping would not use if all were alive (one that is optimised or
  /// from a file might have used any), a link or router over which no packet would go along x, then along y,
  /// or both.
  int without_effect = 0;

  int faults() const { return cores + routers + links; }
};

/// @param options  by which the plan was mapped
FaultReport report_faults(const PipelinePlan& plan, const MappingOptions& options);

/// In a line; says so where faults have no effect.
std::string describe(const FaultReport& report);

/// What fails at run time, and when; at least one thing does.
std::string describe(const std::vector<wafer::Failure>& failures);

}  // namespace ouro::llm
