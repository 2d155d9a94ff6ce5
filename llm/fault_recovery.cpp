#include "llm/fault_recovery.hpp"

#include <algorithm>
#include <utility>

#include "llm/live_machine.hpp"

namespace ouro::llm {

using engine::Scheduler;
using engine::Time;

const wafer::Failure& FaultRecovery::failure(std::size_t number) const {
  return machine_->wafer().failures[number];
}

void FaultRecovery::start(Scheduler& scheduler) const {
  if (machine_ == nullptr) return;
  for (const auto& failure : machine_->wafer().failures)
    scheduler.send_at(scheduler.self(), failure.when + notice_, Message{.kind = MessageKind::failure});
}

Repair FaultRecovery::begin(Time now, std::int64_t outputs) {
  const auto number = records_.size();
  records_.push_back({.number = static_cast<std::int64_t>(number),
                      .failed = failure(number).when,
                      .stopped = now,
                      .outputs_when_stopped = outputs});
  return machine_->fail(number);
}

bool FaultRecovery::changes_the_network() const {
  return failure(records_.size() - 1).fault.kind != wafer::Fault::Kind::core;
}

void FaultRecovery::count_lost(std::int64_t retired) {
  auto& record = current();
  record.retired_when_recovered = retired + record.tokens_discarded + record.tokens_lost;
  open_.push_back(records_.size() - 1);
}

void FaultRecovery::resume(Time now) {
  machine_->activate();
  current().resumed = now;
}

void FaultRecovery::halt(std::string why) {
  current().effect = FailureEffect::halted;
  halt_ = std::move(why);
}

void FaultRecovery::count(Time when, std::int64_t retired, std::int64_t outputs) {
  std::erase_if(open_, [&](std::uint64_t number) {
    auto& record = records_[number];
    if (retired < record.retired_when_recovered) return false;
    record.recovered = when;
    record.outputs_when_recovered = outputs;
    return true;
  });
}

/// The machine follows from the failures that were handled, in their order.
void FaultRecovery::replay() {
  for (std::size_t number = 0; number < records_.size(); ++number) {
    machine_->fail(number);
    if (records_[number].effect != FailureEffect::none && records_[number].resumed != engine::kNever)
      machine_->activate();
  }
}

}  // namespace ouro::llm
