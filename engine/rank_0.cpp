#include "engine/rank_0.hpp"

#include <string>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {

void on_rank_0(MPI_Comm comm, const std::function<void()>& action) {
  std::string failure;
  if (mpi_rank(comm) == 0) {
    try {
      action();
    } catch (const InputError& error) {
      failure = error.what();
    }
  }
  auto length = static_cast<int>(failure.size());
  MPI_Bcast(&length, 1, MPI_INT, 0, comm);
  failure.resize(static_cast<std::size_t>(length));
  MPI_Bcast(failure.data(), length, MPI_CHAR, 0, comm);
  if (length > 0) throw InputError{"", failure};
}

}  // namespace ouro::engine
