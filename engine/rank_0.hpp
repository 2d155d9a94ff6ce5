#pragma once

#include <mpi.h>

#include <functional>

namespace ouro::engine {

/// Runs `action` on rank 0; what it throws there as InputError, all ranks throw. Collective.
void on_rank_0(MPI_Comm comm, const std::function<void()>& action);

}  // namespace ouro::engine
