#include "tools/together.hpp"

#include <optional>
#include <string>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::tools {

bool succeed_together(MPI_Comm comm, spdlog::logger& logger, const std::function<void()>& step) {
  const int rank = engine::mpi_rank(comm);
  const int nobody = engine::mpi_size(comm);
  std::optional<std::string> failure;
  try {
    step();
  } catch (const engine::InputError& error) {
    failure = error.what();
  }
  const auto first = engine::mpi_reduce_all(comm, failure ? rank : nobody, MPI_MIN);
  if (first == rank) logger.error("{}", *failure);
  return first == nobody;
}

}  // namespace ouro::tools
