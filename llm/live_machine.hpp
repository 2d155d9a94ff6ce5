#pragma once

#include "llm/experiment.hpp"
#include "llm/repair.hpp"

namespace ouro::llm {

/// A wafer that breaks while it works, and the plan of the model on it. Each rank has one, which its copy of
/// the controllers changes; its dies and its host interface read it.
class LiveMachine {
 public:
  /// Keeps a reference to the model.
  explicit LiveMachine(const Experiment& experiment);
  LiveMachine(const LiveMachine&) = delete;
  LiveMachine& operator=(const LiveMachine&) = delete;

  const wafer::WaferModel& wafer() const { return wafer_; }
  const PipelinePlan& plan() const { return plan_; }

  /// Failure `number` of the wafer's: packets go other ways from now on, and dead is dead. The plan stays
  /// until activate().
  Repair fail(std::size_t number);

  /// The work of the cores is as the last repair says.
  void activate();

 private:
  wafer::WaferModel wafer_;
  PipelinePlan plan_;
  Mapping next_;
};

}  // namespace ouro::llm
