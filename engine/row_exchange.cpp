#include "engine/row_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "engine/error.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {
namespace {

/// Rows to and from each rank, as MPI_Alltoallv wants them.
struct Traffic {
  std::vector<int> counts;
  std::vector<int> starts;

  explicit Traffic(std::vector<int> rows_by_rank) : counts{std::move(rows_by_rank)}, starts(counts.size()) {
    std::exclusive_scan(counts.begin(), counts.end(), starts.begin(), 0);
  }
  std::size_t total() const {
    return static_cast<std::size_t>(starts.back()) + static_cast<std::size_t>(counts.back());
  }
};

class RowType {
 public:
  explicit RowType(std::size_t bytes) {
    MPI_Type_contiguous(static_cast<int>(bytes), MPI_BYTE, &type_);
    MPI_Type_commit(&type_);
  }
  RowType(const RowType&) = delete;
  RowType& operator=(const RowType&) = delete;
  ~RowType() { MPI_Type_free(&type_); }
  MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

/// Collective.
void agree(MPI_Comm comm, bool holds) {
  if (mpi_reduce_all(comm, holds ? 1 : 0, MPI_MIN) == 1) return;
  throw ContractError{"the ranks' rows of a dataset are not each row once, in increasing order"};
}

bool are_increasing_below(std::span<const std::size_t> indices, std::size_t total) {
  return std::is_sorted(indices.begin(), indices.end(), std::less_equal<>{}) &&
         (indices.empty() || indices.back() < total);
}

std::vector<std::byte> exchange(MPI_Comm comm, const void* sent, const Traffic& out, const Traffic& in,
                                std::size_t row_bytes) {
  const RowType type{row_bytes};
  std::vector<std::byte> received(in.total() * row_bytes);
  MPI_Alltoallv(sent, out.counts.data(), out.starts.data(), type.get(), received.data(), in.counts.data(),
                in.starts.data(), type.get(), comm);
  return received;
}

}  // namespace

RowBlock gather_row_block(MPI_Comm comm, std::span<const std::byte> rows, std::size_t row_bytes,
                          std::span<const std::size_t> indices, std::size_t total_rows) {
  agree(comm, rows.size() == indices.size() * row_bytes && are_increasing_below(indices, total_rows));

  const auto ranks = static_cast<std::size_t>(mpi_size(comm));
  const std::size_t block_rows = std::max<std::size_t>(1, (total_rows + ranks - 1) / ranks);
  const std::size_t first = std::min(total_rows, static_cast<std::size_t>(mpi_rank(comm)) * block_rows);
  std::vector<int> counts(ranks);
  for (const std::size_t index : indices) ++counts[index / block_rows];
  const Traffic out{counts};
  MPI_Alltoall(out.counts.data(), 1, MPI_INT, counts.data(), 1, MPI_INT, comm);
  const Traffic in{counts};

  const std::size_t expected = std::min(block_rows, total_rows - first);
  agree(comm, in.total() == expected);
  const auto places = exchange(comm, indices.data(), out, in, sizeof(std::size_t));
  const auto received = exchange(comm, rows.data(), out, in, row_bytes);

  RowBlock block{first, std::vector<std::byte>(expected * row_bytes)};
  std::vector<bool> is_filled(expected);
  for (std::size_t i = 0; i < expected; ++i) {
    std::size_t place = 0;
    std::memcpy(&place, &places[i * sizeof place], sizeof place);
    std::memcpy(&block.rows[(place - first) * row_bytes], &received[i * row_bytes], row_bytes);
    is_filled[place - first] = true;
  }
  agree(comm, std::find(is_filled.begin(), is_filled.end(), false) == is_filled.end());
  return block;
}

}  // namespace ouro::engine
