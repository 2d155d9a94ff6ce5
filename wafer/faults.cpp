#include "wafer/faults.hpp"

namespace ouro::wafer {

Faults::Faults(const Geometry& geometry) : geometry_{geometry} {}

void Faults::add(const Fault& fault) {
  if (dead_.empty()) dead_.resize(static_cast<std::size_t>(geometry_.cores()));
  list_.push_back(fault);
  if (fault.kind != Fault::Kind::link) kill_core(fault.core);
  if (fault.kind == Fault::Kind::core) return;
  network_is_whole_ = false;
  if (fault.kind == Fault::Kind::link) {
    kill_link(fault.core, fault.direction);
    return;
  }
  dead_[fault.core.value()] |= kRouter;
  for (const auto direction : kDirections) {
    if (geometry_.contains(step(geometry_.coordinate(fault.core), direction)))
      kill_link(fault.core, direction);
  }
}

void Faults::leave_out(CoreId core, Direction direction) {
  if (dead_.empty()) dead_.resize(static_cast<std::size_t>(geometry_.cores()));
  network_is_whole_ = false;
  kill_link(core, direction);
}

void Faults::kill_core(CoreId core) {
  if (!has(core, kCore)) ++dead_cores_;
  dead_[core.value()] |= kCore;
}

void Faults::kill_link(CoreId core, Direction direction) {
  const auto beyond = geometry_.core_at(step(geometry_.coordinate(core), direction));
  dead_[core.value()] |= bit_of(direction);
  dead_[beyond.value()] |= bit_of(opposite(direction));
}

}  // namespace ouro::wafer
