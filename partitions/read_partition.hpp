#pragma once

#include <mpi.h>

#include "engine/config.hpp"
#include "llm/experiment.hpp"
#include "partitions/candidates.hpp"
#include "partitions/die_load.hpp"
#include "partitions/partition.hpp"

namespace ouro::partitions {

/// What each die is expected to do: from the mapping, or where `partition.from` names one from that run.
/// @throws InputError  for a file that is no result of such a wafer
DieLoad read_load(const engine::Config& config, const llm::Experiment& experiment);

/// Reads section [partition].
///
/// @throws InputError  if there are more ranks than dies (says the largest useful number), or the list of
///                     regions does not give each rank a die
Partition read_partition(const engine::Config& config, const llm::Experiment& experiment, int ranks);

/// The same of a network without a model, where `auto` are rows.
/// @throws InputError  for methods that need a model, too
Partition read_partition(const engine::Config& config, const wafer::Geometry& geometry, int ranks);

/// Takes what rank 0 found, since processors of another kind may round the costs that decide otherwise.
/// Collective over `comm`.
void take_from_rank_0(Partition& partition, MPI_Comm comm);

}  // namespace ouro::partitions
