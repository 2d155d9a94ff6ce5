#pragma once

#include <mpi.h>

#include <cstdint>

#include "engine/region.hpp"

namespace ouro::engine {

/// What a run handled, all ranks together; the same for any number of ranks and any partition.
struct RunVerdict {
  std::uint64_t digest = 0;  ///< over the event digests of all LPs, a replicated LP counted once
  std::uint64_t events = 0;  ///< handled, a replicated LP's counted once
};

/// Collective.
/// @throws ContractError  that names the first rank whose copy of a replicated LP handled or sent other
/// events
///                        than rank 0's, or in another order
void check_replicas(MPI_Comm comm, const Region& region);

/// As check_replicas(); collective.
RunVerdict verify_run(MPI_Comm comm, const Region& region);

}  // namespace ouro::engine
