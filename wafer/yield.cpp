#include "wafer/yield.hpp"

#include <cmath>

#include "engine/random.hpp"

namespace ouro::wafer {

double murphy_yield(double core_area_mm2, double defect_density_per_cm2) {
  const double defects = core_area_mm2 / 100 * defect_density_per_cm2;  // expected on a core
  if (defects <= 0) return 1;
  const double root = -std::expm1(-defects) / defects;
  return root * root;
}

/// In steps of 2^-32, so that the last digits of a C library's exponential decide nothing.
void add_dead_cores(Faults& faults, const Geometry& geometry, double yield, std::uint64_t seed) {
  const auto threshold = static_cast<std::uint64_t>(std::llround(std::ldexp(1 - yield, 32)));
  for (int core = 0; core < geometry.cores(); ++core) {
    const CoreId id{static_cast<CoreId::Value>(core)};
    const auto chance =
        engine::random_bits({seed, engine::random_purpose("manufacturing defect"), id.value()}) >> 32;
    if (chance < threshold) faults.add({.kind = Fault::Kind::core, .core = id});
  }
}

}  // namespace ouro::wafer
