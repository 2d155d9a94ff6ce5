#pragma once

#include "partitions/die_load.hpp"
#include "partitions/partition.hpp"

namespace ouro::partitions {

/// Dies in the order in which a token meets them, cut into `runs` runs a rank of equal expected work, dealt
/// out to the ranks one after another. With one run, a rank has one piece of the pipeline: few crossings.
/// With more, the ranks share tokens that move together more evenly, and packets cross more borders.
///
/// Where there are too few dies for so many runs, there are as many as there are dies.
Partition by_pipeline(const DieLoad& load, int ranks, int runs);

}  // namespace ouro::partitions
