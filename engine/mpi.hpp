#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

namespace ouro::engine {

/// Starts MPI and ends it. Exactly one lives, in main.
class MpiSession {
 public:
  MpiSession(int& argc, char**& argv) { MPI_Init(&argc, &argv); }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession() { MPI_Finalize(); }
};

inline int mpi_rank(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

inline int mpi_size(MPI_Comm comm) {
  int size = 1;
  MPI_Comm_size(comm, &size);
  return size;
}

/// Collective.
inline std::int64_t mpi_reduce_all(MPI_Comm comm, std::int64_t value, MPI_Op op) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, op, comm);
  return value;
}

/// Collective: the values of every rank, by rank.
inline std::vector<std::uint64_t> mpi_gather_all(MPI_Comm comm, std::uint64_t value) {
  std::vector<std::uint64_t> values(static_cast<std::size_t>(mpi_size(comm)));
  MPI_Allgather(&value, 1, MPI_UINT64_T, values.data(), 1, MPI_UINT64_T, comm);
  return values;
}

}  // namespace ouro::engine
