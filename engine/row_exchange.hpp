#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <vector>

namespace ouro::engine {

/// A contiguous part of the rows of a dataset.
struct RowBlock {
  std::size_t first = 0;
  std::vector<std::byte> rows;
};

/// Moves rows that are scattered over the ranks so that each rank has one contiguous block of them, which is
/// what parallel file systems are fast at. Collective.
///
/// @param rows       this rank's rows, one after the other
/// @param row_bytes  size of a row, the same on all ranks, at least 1
/// @param indices    the place of each row, increasing; over all ranks, each of 0 ... total_rows - 1 once
/// @throws ContractError  on all ranks, if `indices` are otherwise
RowBlock gather_row_block(MPI_Comm comm, std::span<const std::byte> rows, std::size_t row_bytes,
                          std::span<const std::size_t> indices, std::size_t total_rows);

}  // namespace ouro::engine
