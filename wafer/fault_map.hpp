#pragma once

#include <filesystem>

#include "wafer/faults.hpp"

namespace ouro::wafer {

/// Reads a CSV with the columns kind, x, y, direction: a dead core, router or link a row.
///
/// `direction` (east, west, north, south) is for links only: of the core at x, y, and dead both ways.
///
/// @param host  whose router must be alive
/// @throws InputError  names file and line: out of range, a link off the wafer, what another row says too
Faults read_fault_map(const std::filesystem::path& file, const Geometry& geometry, Coordinate host);

}  // namespace ouro::wafer
