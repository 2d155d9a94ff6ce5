#pragma once

#include <mpi.h>

#include "tools/sweep_directory.hpp"
#include "tools/sweep_plan.hpp"

namespace ouro::tools {

/// Joins the results of a sweep into table.h5 and table.csv of its directory: a row for each run, in the
/// order of the plan, with what it varies and the figures of its result. A run without a result has `done` 0
/// and no figures: NaN in HDF5, nothing in CSV. `comm` has one rank.
/// @return  how many runs have a result
/// @throws InputError  if a file cannot be written
std::size_t write_sweep_table(const SweepPlan& plan, const SweepDirectory& directory, MPI_Comm comm);

}  // namespace ouro::tools
