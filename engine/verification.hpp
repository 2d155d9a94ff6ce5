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
/// @throws ContractError  if the copies of a replicated LP did not handle the same events in the same order
RunVerdict verify_run(MPI_Comm comm, const Region& region);

}  // namespace ouro::engine
