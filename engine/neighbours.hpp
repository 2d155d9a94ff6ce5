#pragma once

#include <mpi.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/synchronized_region.hpp"

namespace ouro::engine {

/// Another rank that this one exchanges events with.
struct Neighbour {
  int rank = 0;
  bool sends_here = false;
  bool hears_from_here = false;
  /// Nothing that follows from an event of this rank comes back sooner than this after it; kForever if
  /// nothing does, or it does not hear from here.
  Duration echo = kForever;
};

/// Whether a rank sends to another one, and how soon after an event that it receives.
struct Reach {
  std::int64_t sends = 0;                   ///< 1: it may send there
  std::int64_t transit = kForever.count();  ///< in picoseconds
};

/// Of this region to each rank.
std::vector<Reach> reach_of(const SynchronizedRegion& region, std::size_t ranks);

/// The neighbours of one rank, by rank.
///
/// @param to    each rank, from this one
/// @param from  each rank, to this one
std::vector<Neighbour> match_neighbours(std::span<const Reach> to, std::span<const Reach> from);

/// By rank. Collective over `comm`.
std::vector<Neighbour> find_neighbours(MPI_Comm comm, const SynchronizedRegion& region);

}  // namespace ouro::engine
