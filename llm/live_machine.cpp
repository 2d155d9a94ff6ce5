#include "llm/live_machine.hpp"

#include <fmt/format.h>

namespace ouro::llm {

LiveMachine::LiveMachine(const Experiment& experiment)
    : wafer_{experiment.wafer},
      plan_{wafer_,
            experiment.model,
            experiment.plan->tiled(),
            experiment.plan->mapping(),
            experiment.routing,
            KvCrossbars::of_kv_cores,
            experiment.plan->pipelining()},
      next_{experiment.plan->mapping()} {}

Repair LiveMachine::fail(std::size_t number) {
  const auto& fault = wafer_.failures[number].fault;
  wafer_.faults.add(fault);
  Repair result{.mapping = plan_.mapping()};
  if (fault.kind != wafer::Fault::Kind::link)
    result = repair(wafer_.geometry, wafer_.faults, plan_.mapping(), fault.core);
  if (fault.kind != wafer::Fault::Kind::core) {
    wafer_.noc.routing = wafer::Routing{wafer_.geometry, wafer_.faults};
    const auto legs = wafer_.noc.routing.legs();
    if (legs < 1) result.halt = "the live routers are cut in two";
    if (legs > wafer::Routing::kMostLegs)
      result.halt =
          fmt::format("a packet would need a way of {} legs, more than {}", legs, wafer::Routing::kMostLegs);
  }
  next_ = result.mapping;
  return result;
}

void LiveMachine::activate() {
  plan_.remap(next_);
}

}  // namespace ouro::llm
