#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "engine/logical_process.hpp"
#include "engine/region.hpp"
#include "llm/foresight.hpp"
#include "llm/gather.hpp"
#include "llm/message.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/traffic.hpp"

namespace ouro::llm {

/// The host interface at the edge of the wafer: looks a token's embedding up and sends it to the first block,
/// collects the candidates of the LM head cores and samples the next token.
class HostProcess final : public engine::LogicalProcess {
 public:
  /// @param control_latency  of what it tells the controllers
  /// @param foresight        of this rank's region
  HostProcess(const PipelinePlan& plan, const Foresight& foresight, engine::Duration control_latency);

  std::string name() const override { return "host interface"; }
  engine::Channels channels() const override;
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override;

  bool has_foresight() const override { return foresight_.knows_the_model(); }
  void foresee(const engine::Event& event, std::span<engine::Duration> least) const override {
    foresight_.foresee(event.as<Message>(), least);
  }
  void foresee_arrivals(std::span<engine::Duration> least) const override {
    foresight_.foresee_arrivals(least);
  }
  void foresee_held(std::span<engine::Duration> least) const override;

  void save(engine::StateWriter& archive) const override;
  void load(engine::StateReader& archive) override;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [plan, foresight, control_latency, entries, lm_head_senders, packets_of_message, link_free,
           candidates, traffic, first_number] = *this;
    engine::archive_fields(archive, entries, link_free, candidates, traffic, first_number);
  }

  const Traffic& traffic() const { return traffic_; }

 private:
  /// What waits to enter a chain, and the credits of its first station.
  struct Entry {
    std::deque<Token> waiting{};
    int credits = 0;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [tokens, free] = *this;
      engine::archive_fields(archive, tokens, free);
    }
  };

  Entry& entry(Chain chain) { return entries_[static_cast<std::size_t>(chain)]; }
  void look_up_next(Entry& entry, engine::Scheduler& scheduler);
  void inject(const Message& message, engine::Scheduler& scheduler);
  void receive(const Message& message, engine::Scheduler& scheduler);
  void sample(const Message& message, engine::Scheduler& scheduler);
  void send(Message message, wafer::CoreId to, int flits, engine::Scheduler& scheduler);
  bool is_stale(const Message& message);
  void flush(std::uint32_t first_number, engine::Scheduler& scheduler);
  void send_weights(const Message& message, engine::Scheduler& scheduler);
  void tell_controllers(Message message, MessageKind kind, engine::Scheduler& scheduler);

  const PipelinePlan& plan_;
  const Foresight& foresight_;
  engine::Duration control_latency_;
  std::array<Entry, kChainCount> entries_;
  int lm_head_senders_;
  int packets_of_message_;  ///< with candidates: all of a token, at `stage` fidelity
  engine::Time link_free_{};
  Gather candidates_;
  Traffic traffic_;
  std::uint32_t first_number_ = 0;  ///< of the tokens that were not given up
};

}  // namespace ouro::llm
