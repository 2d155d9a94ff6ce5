#pragma once

#include <memory>

#include "engine/mpi.hpp"
#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "tests/engine/phold.hpp"

namespace ouro::tests {

/// LPs in equal runs of ids over the ranks.
inline engine::Placement in_blocks(std::uint32_t objects, int ranks) {
  engine::Placement placement(objects);
  for (std::uint32_t i = 0; i < objects; ++i) {
    placement[i] = static_cast<int>(std::uint64_t{i} * static_cast<std::uint64_t>(ranks) / objects);
  }
  return placement;
}

/// Collective over `comm`.
inline engine::RunVerdict run_phold(MPI_Comm comm, const PholdConfig& config,
                                    const engine::Placement& placement,
                                    engine::SynchronizerKind kind = engine::SynchronizerKind::null_message) {
  engine::Region region{engine::mpi_rank(comm), engine::mpi_size(comm), placement,
                        [&](engine::LpId id) { return std::make_unique<PholdLp>(config, id); }};
  engine::make_synchronizer(comm, region, {.kind = kind})->run_until(config.end);
  return engine::verify_run(comm, region);
}

}  // namespace ouro::tests
