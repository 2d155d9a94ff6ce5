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
/// @param what    the copies of `lp` did, for the message, such as "sent"
/// @param digest  of that
/// @throws ContractError  that names the first rank whose digest is not rank 0's
void check_copies(MPI_Comm comm, LpId lp, const char* what, std::uint64_t digest);

/// The copies of each replicated LP handled and sent the same events in the same order.
/// Collective.
/// @throws ContractError  as check_copies()
void check_replicas(MPI_Comm comm, const Region& region);

/// As check_replicas(); collective.
RunVerdict verify_run(MPI_Comm comm, const Region& region);

}  // namespace ouro::engine
