#pragma once

#include <string>
#include <vector>

#include "partitions/cost_model.hpp"
#include "partitions/partition.hpp"
#include "wafer/geometry.hpp"

namespace ouro::partitions {

/// A partition, the settings of section [partition] that give it, and what it is expected to cost.
struct Candidate {
  std::string method;
  int runs = 1;  ///< of `pipeline`
  Partition partition;
  Prediction prediction;
};

/// By each method: rows, rectangles, pipeline cuts with few runs, and METIS.
std::vector<Candidate> candidates(const wafer::Geometry& geometry, const DieLoad& load, int ranks);

/// `auto`: the candidate with the least cost, and from there dies given to the rank of a neighbour, one at a
/// time the one that saves most, until none saves anything.
Candidate choose(const wafer::Geometry& geometry, const DieLoad& load, int ranks);

}  // namespace ouro::partitions
