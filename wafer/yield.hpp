#pragma once

#include <cstdint>

#include "wafer/faults.hpp"

namespace ouro::wafer {

/// Share of cores without a defect, ((1 - e^-AD) / AD)^2.
///
/// @param core_area_mm2           A, at least 0
/// @param defect_density_per_cm2  D, at least 0
///
/// Source: B. T. Murphy, "Cost-size optima of monolithic integrated circuits", Proceedings of the IEEE
/// 52(12), 1964.
double murphy_yield(double core_area_mm2, double defect_density_per_cm2);

/// Adds dead cores: each with probability 1 - `yield`, whatever the others are.
void add_dead_cores(Faults& faults, const Geometry& geometry, double yield, std::uint64_t seed);

}  // namespace ouro::wafer
