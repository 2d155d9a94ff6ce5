#include "engine/results_list.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <numeric>
#include <utility>

#include "engine/hdf5_write.hpp"
#include "engine/mpi.hpp"

namespace ouro::engine {
namespace {

/// Adds the bytes of all ranks to `all` on rank 0. Collective.
/// @return  how many, on all ranks
std::size_t gather_on_rank_0(MPI_Comm comm, std::span<const std::byte> local, std::vector<std::byte>& all) {
  const auto sizes = mpi_gather_all(comm, local.size());
  const auto total = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  if (total == 0) return 0;
  const auto before = all.size();
  if (mpi_rank(comm) == 0) all.resize(before + total);
  const std::vector<int> counts(sizes.begin(), sizes.end());
  std::vector<int> starts(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), starts.begin(), 0);
  MPI_Gatherv(local.data(), static_cast<int>(local.size()), MPI_BYTE, all.data() + before, counts.data(),
              starts.data(), MPI_BYTE, 0, comm);
  return total;
}

}  // namespace

ResultsList::ResultsList(MPI_Comm comm, std::string path, ElementType type, Hdf5Handle dataset)
    : comm_{comm}, path_{std::move(path)}, type_{type}, dataset_{std::move(dataset)} {}

void ResultsList::append(const Hdf5Calls& calls, std::span<const std::byte> local_elements) {
  pending_ += gather_on_rank_0(comm_, local_elements, waiting_) / element_bytes_;
  const std::size_t block = kBlockBytes / element_bytes_;
  write(calls, pending_ / block * block);
}

void ResultsList::write(const Hdf5Calls& calls, std::size_t count) {
  if (count == 0) return;
  const hsize_t size = written_ + count;
  calls.check(H5Dset_extent(dataset_.get(), &size), fmt::format("extend '{}'", path_));
  const std::size_t mine = mpi_rank(comm_) == 0 ? count : 0;
  write_slab(calls, dataset_.get(), path_, hdf5_type(type_), waiting_.data(),
             {.start = {written_}, .count = {mine}});
  written_ += count;
  pending_ -= count;
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(mine * element_bytes_));
}

}  // namespace ouro::engine
