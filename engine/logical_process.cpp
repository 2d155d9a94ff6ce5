#include "engine/logical_process.hpp"

#include "engine/error.hpp"

namespace ouro::engine {

void LogicalProcess::save(StateWriter& /*archive*/) const {
  throw ContractError{name() + " cannot be archived"};
}

void LogicalProcess::load(StateReader& /*archive*/) {
  throw ContractError{name() + " cannot be archived"};
}

}  // namespace ouro::engine
