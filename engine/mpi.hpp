#pragma once

#include <mpi.h>

#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
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

/// Collective: on rank 0 the rows of every rank, by rank; nothing on the others.
/// @param local  of all ranks together at most 2^31 - 1
template <class Row>
std::vector<Row> mpi_gather_rows(MPI_Comm comm, std::span<const Row> local) {
  static_assert(std::is_trivially_copyable_v<Row>);
  const auto all = mpi_gather_all(comm, local.size());
  std::vector<int> counts(all.begin(), all.end()), first(all.size());
  std::exclusive_scan(counts.begin(), counts.end(), first.begin(), 0);
  std::vector<Row> rows(mpi_rank(comm) == 0 ? std::accumulate(all.begin(), all.end(), std::uint64_t{0}) : 0);
  MPI_Datatype row = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(sizeof(Row), MPI_BYTE, &row);
  MPI_Type_commit(&row);
  MPI_Gatherv(local.data(), static_cast<int>(local.size()), row, rows.data(), counts.data(), first.data(),
              row, 0, comm);
  MPI_Type_free(&row);
  return rows;
}

}  // namespace ouro::engine
