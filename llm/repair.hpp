#pragma once

#include <string>
#include <vector>

#include "llm/mapping.hpp"
#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"

namespace ouro::llm {

/// The weights of one core go to another.
struct WeightMove {
  wafer::CoreId from;
  wafer::CoreId to;
};

/// What follows from the failure of a core.
struct Repair {
  Mapping mapping{};                ///< afterwards
  std::vector<WeightMove> moves{};  ///< along a chain, all at once; the first from the core that failed
  std::vector<int> lost_kv{};       ///< numbers in the rings of cores whose K and V are lost
  std::vector<int> closed{};        ///< of these, those that no core takes over: in no block from now on
  std::string halt{};               ///< why the model cannot go on; empty if it can
};

/// Finds new work for the cores when one has failed.
///
/// Where a KV core is lost, the nearest spare core takes its place, with nothing in it. Where none is left,
/// all blocks give up the core with that number in their rings, since one page table serves all blocks; the
/// others' cores are spare from then on.
///
/// Where weights are lost, they go along a chain of neighbouring cores, each of which hands its own on, to
/// the nearest core that can give way, a spare one or a KV core: the fewest live links from the failed core,
/// then spare ones first, then the first by number. Routers of dead cores are passed over. Nothing else is
/// on the way, so the moves are as many as the weight cores that the chain leads through.
///
/// @param faults  with that of `failed`
///
/// Source: docs/design.md, section 7; the chain is the paper's, which core gives way is an assumption.
Repair repair(const wafer::Geometry& geometry, const wafer::Faults& faults, const Mapping& mapping,
              wafer::CoreId failed);

}  // namespace ouro::llm
