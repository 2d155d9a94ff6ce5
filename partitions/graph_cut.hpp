#pragma once

#include "partitions/die_load.hpp"
#include "partitions/partition.hpp"

namespace ouro::partitions {

/// The graph of the dies, weighted by expected events and by the packets over each border, cut by METIS:
/// about equal work, and few packets between ranks. Each rank has a die.
///
/// Source: G. Karypis and V. Kumar, "A fast and high quality multilevel scheme for partitioning irregular
/// graphs", SIAM Journal on Scientific Computing 20(1), 1998.
/// @throws ContractError  if METIS fails
Partition by_graph(const DieLoad& load, int ranks);

}  // namespace ouro::partitions
