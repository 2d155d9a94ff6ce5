#pragma once

#include <cstdint>
#include <vector>

#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"

// Lines through all cores of a wafer, along which a model can be laid out.

namespace ouro::llm {

/// Neighbours in the line are neighbours on the wafer (but where the line turns to the next row of dies, if a
/// row has an even number of core columns): dies in a snake by rows, the cores of a die in a snake by
/// columns.
std::vector<wafer::CoreId> snake_order(const wafer::Geometry& geometry);

/// Row by row of the whole wafer, each from west to east.
std::vector<wafer::CoreId> row_order(const wafer::Geometry& geometry);

/// Squares of about `cores_of_square` cores, row by row of squares, each filled row by row, whatever the
/// borders of dies.
///
/// After C. He et al., "WaferLLM: Large Language Model Inference at Wafer Scale", OSDI 2025, where each layer
/// has a square region of cores and its matrices are cut along both axes of it.
std::vector<wafer::CoreId> square_order(const wafer::Geometry& geometry, int cores_of_square);

/// A permutation that is a function of the seed.
std::vector<wafer::CoreId> random_order(const wafer::Geometry& geometry, std::uint64_t seed);

/// In the order of their numbers.
std::vector<wafer::CoreId> live_cores(const wafer::Geometry& geometry, const wafer::Faults& faults);

}  // namespace ouro::llm
