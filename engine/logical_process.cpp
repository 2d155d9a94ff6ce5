#include "engine/logical_process.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::engine {

void LogicalProcess::foresee_held(std::span<Duration> least) const {
  std::fill(least.begin(), least.end(), kForever);
}

void LogicalProcess::save(StateWriter& /*archive*/) const {
  throw ContractError{name() + " cannot be archived"};
}

void LogicalProcess::load(StateReader& /*archive*/) {
  throw ContractError{name() + " cannot be archived"};
}

}  // namespace ouro::engine
