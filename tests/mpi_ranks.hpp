#pragma once

#include <mpi.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/mpi.hpp"

namespace ouro::tests {

/// Owns a communicator. Its end is collective: the ranks must leave its scope together.
class OwnedCommunicator {
 public:
  explicit OwnedCommunicator(MPI_Comm comm) : comm_{comm} {}
  OwnedCommunicator(OwnedCommunicator&& other) noexcept : comm_{std::exchange(other.comm_, MPI_COMM_NULL)} {}
  OwnedCommunicator& operator=(OwnedCommunicator&&) = delete;
  ~OwnedCommunicator() {
    if (comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
  }

  operator MPI_Comm() const { return comm_; }

 private:
  MPI_Comm comm_;
};

/// A communicator of the first `count` ranks of the launch; nothing on the other ranks, which sit the case
/// out.
///
/// Collective over MPI_COMM_WORLD.
///
/// @throws std::invalid_argument  on every rank, if the launch has fewer ranks
inline std::optional<OwnedCommunicator> first_ranks(int count) {
  const int launched = engine::mpi_size(MPI_COMM_WORLD);
  if (count < 1 || count > launched) {
    throw std::invalid_argument{"a test asks for " + std::to_string(count) + " of " +
                                std::to_string(launched) + " ranks"};
  }
  const int rank = engine::mpi_rank(MPI_COMM_WORLD);
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank < count ? 0 : MPI_UNDEFINED, rank, &comm);
  if (comm == MPI_COMM_NULL) return std::nullopt;
  return OwnedCommunicator{comm};
}

}  // namespace ouro::tests
