#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/sweep_directory.hpp"
#include "tools/sweep_plan.hpp"

namespace ouro::tools {

/// A sweep as a job array of SLURM: which script does a run, and of which sweep.
struct SweepArray {
  std::filesystem::path script;  ///< such as jobs/sweep.sbatch, which says what it is called with
  std::filesystem::path sweep;
  int jobs = 0;  ///< most runs at a time; 0 for as many as SLURM starts
};

/// @throws InputError  if an array of this directory is still queued or running
void refuse_active_array(const SweepDirectory& directory);

/// Submits these runs as a job array, and a job that joins the results when all have ended.
/// @return  such as "array 17 with 12 runs, and job 18, which joins them"
/// @throws InputError  if there is no sbatch, or it refuses, with what it says
std::string submit_array(const SweepPlan& plan, const SweepDirectory& directory, const SweepArray& array,
                         const std::vector<const SweepRun*>& runs);

}  // namespace ouro::tools
