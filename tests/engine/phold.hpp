#pragma once

#include <cstdint>

#include "engine/logical_process.hpp"
#include "engine/random.hpp"
#include "engine/region.hpp"

namespace ouro::tests {

/// PHOLD as ROSS defines it: an event at an LP sends one event after L + Exp(mean), with probability `remote`
/// to an LP drawn from all, else to itself.
struct PholdConfig {
  std::uint32_t objects = 64;
  int start_events = 1;
  double remote = 0.1;
  engine::Duration lookahead{100'000};
  engine::Duration mean{1'000'000};
  std::uint64_t seed = 1;
  engine::Time end{engine::Duration{100'000'000}};
};

/// Counts the draws that its history made, so that a lost or doubled event changes all that follow.
struct PholdMessage {
  std::uint64_t hops;
};

/// What an LP does on an event; the same for the engine and for the oracle.
class PholdObject {
 public:
  PholdObject(const PholdConfig& config, engine::LpId id) : config_{config}, id_{id} {}

  struct Send {
    engine::LpId to;
    engine::Duration delay;
  };

  Send next() {
    const std::uint64_t draw = (std::uint64_t{id_.value()} << 40) | draws_++;
    const auto key = [&](std::uint64_t purpose) { return engine::RandomKey{config_.seed, purpose, draw}; };
    const auto delay =
        config_.lookahead + engine::exponential(config_.mean, key(engine::random_purpose("delay")));
    if (engine::uniform01(key(engine::random_purpose("remote"))) >= config_.remote) return {id_, delay};
    const auto to = engine::uniform_below(config_.objects, key(engine::random_purpose("target")));
    return {engine::LpId{static_cast<std::uint32_t>(to)}, delay};
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [config, id, draws] = *this;
    engine::archive_fields(archive, draws);
  }

 private:
  const PholdConfig& config_;
  engine::LpId id_;
  std::uint64_t draws_ = 0;
};

/// PHOLD on the engine.
class PholdLp final : public engine::LogicalProcess {
 public:
  PholdLp(const PholdConfig& config, engine::LpId id) : config_{config}, object_{config, id}, id_{id} {}

  std::string name() const override { return "phold " + std::to_string(id_.value()); }
  engine::Channels channels() const override { return {{}, config_.lookahead}; }

  void start(engine::Scheduler& scheduler) override {
    for (int i = 0; i < config_.start_events; ++i) forward(0, scheduler);
  }
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override {
    forward(event.as<PholdMessage>().hops + 1, scheduler);
  }
  void save(engine::StateWriter& archive) const override { archive << object_; }
  void load(engine::StateReader& archive) override { archive >> object_; }

 private:
  void forward(std::uint64_t hops, engine::Scheduler& scheduler) {
    const auto [to, delay] = object_.next();
    scheduler.send(to, delay, PholdMessage{hops});
  }

  const PholdConfig& config_;
  PholdObject object_;
  engine::LpId id_;
};

}  // namespace ouro::tests
