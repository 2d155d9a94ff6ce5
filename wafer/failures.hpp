#pragma once

#include <vector>

#include "engine/time.hpp"
#include "wafer/faults.hpp"

namespace ouro::engine {
class Config;
}

namespace ouro::wafer {

/// Something that breaks while the wafer works.
struct Failure {
  engine::Time when{};
  Fault fault;
};

/// Reads section [wafer.faults.runtime]: failures named by a CSV with the columns time_ns, kind, x, y and
/// direction, or drawn.
///
/// @param made  what is dead since the wafer was made
/// @param host  whose router must stay alive
/// @return  in the order of their times; those of one time as they are listed or were drawn
/// @throws InputError  for what is off the wafer, dead already, or before the run, and for more failures than
///                     there are things to fail
std::vector<Failure> read_failures(const engine::Config& config, const Geometry& geometry, const Faults& made,
                                   Coordinate host);

}  // namespace ouro::wafer
