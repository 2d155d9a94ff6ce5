#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>

namespace ouro::tools {

struct SweepArguments {
  std::filesystem::path file;
  std::filesystem::path out;     ///< directory; empty: the sweep's name, in the working directory
  int jobs = 0;                  ///< most runs at a time; 0 for as many as there are cores for
  bool force = false;            ///< run also what is done
  bool join = false;             ///< only join what there is
  std::filesystem::path script;  ///< of a job array for SLURM; empty: run here
};

/// Runs what a sweep lacks, here or as a job array. Before MPI starts, since it starts processes of its own.
/// @return  128 + n if signal n ended it, else 0, also where runs failed: join_sweep() counts them
/// @throws InputError  before any run, for what is wrong in the sweep, its base, or the arguments
int sweep(const SweepArguments& arguments, spdlog::logger& logger);

/// Joins the results that there are. `comm` has one rank.
/// @return  the program's exit code: 0, or 1 if a run has no result
/// @throws InputError  if a file cannot be written
int join_sweep(const SweepArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
