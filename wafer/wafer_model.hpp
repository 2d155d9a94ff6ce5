#pragma once

#include "engine/time.hpp"
#include "wafer/core_model.hpp"
#include "wafer/energy.hpp"
#include "wafer/failures.hpp"
#include "wafer/faults.hpp"
#include "wafer/geometry.hpp"
#include "wafer/noc_model.hpp"
#include "wafer/static_power.hpp"

namespace ouro::wafer {

/// The host interface: embedding look-up and sampling, at the edge of the wafer.
struct HostModel {
  engine::Duration embedding_latency{};
  engine::Duration sampling_latency{};
};

/// All that a wafer is, or several joined ones; const, shared by all dies.
struct WaferModel {
  Geometry geometry;
  Faults faults;
  std::vector<Failure> failures;  ///< while it works, in the order of their times
  NocModel noc;
  CoreModel core;
  EnergyModel energy;
  HostModel host;
  /// Its energies are real numbers, apart from the dynamic ones, which are sums of integers.
  StaticPower static_power;
};

/// Reads sections [wafer] and [energy].
/// @throws InputError  for sizes that make no wafer, a broken fault map, and faults that leave two live
/// routers
///                     without a way of few enough legs
WaferModel read_wafer(const engine::Config& config);

}  // namespace ouro::wafer
