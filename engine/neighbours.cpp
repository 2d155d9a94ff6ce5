#include "engine/neighbours.hpp"

#include "engine/mpi.hpp"

namespace ouro::engine {

std::vector<Reach> reach_of(const SynchronizedRegion& region, std::size_t ranks) {
  std::vector<Reach> reach(ranks);
  for (const int peer : region.peers())
    reach[static_cast<std::size_t>(peer)] = {1, region.transit_to(peer).count()};
  return reach;
}

std::vector<Neighbour> match_neighbours(std::span<const Reach> to, std::span<const Reach> from) {
  std::vector<Neighbour> neighbours;
  for (std::size_t rank = 0; rank < to.size(); ++rank) {
    const bool hears = to[rank].sends != 0, sends = from[rank].sends != 0;
    if (!hears && !sends) continue;
    const auto echo = hears && sends ? Duration{from[rank].transit} : kForever;
    neighbours.push_back({static_cast<int>(rank), sends, hears, echo});
  }
  return neighbours;
}

std::vector<Neighbour> find_neighbours(MPI_Comm comm, const SynchronizedRegion& region) {
  const auto to = reach_of(region, static_cast<std::size_t>(mpi_size(comm)));
  std::vector<Reach> from(to.size());
  MPI_Alltoall(to.data(), 2, MPI_INT64_T, from.data(), 2, MPI_INT64_T, comm);
  return match_neighbours(to, from);
}

}  // namespace ouro::engine
