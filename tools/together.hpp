#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <functional>

namespace ouro::tools {

/// Does `step` on every rank. If it fails anywhere because of the user's input, the first rank where it does
/// says so. Collective.
/// @return  whether it succeeded on all ranks
bool succeed_together(MPI_Comm comm, spdlog::logger& logger, const std::function<void()>& step);

}  // namespace ouro::tools
