#pragma once

#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "llm/system.hpp"
#include "tests/llm/toy.hpp"
#include "wafer/energy.hpp"

namespace ouro::tests {

/// From the root of the H-tree of 32 crossbars to one of them: edges of 1/4, 1/4, 1/8, 1/8 and 1/16 of the
/// core's side, in sixteenths.
inline constexpr std::int64_t kHTreePath = 4 + 4 + 2 + 2 + 1;

/// What is known of a run.
struct LoneRun {
  std::vector<llm::TokenRecord> tokens;                        ///< in the order of leaving
  std::array<wafer::EnergyCounts, llm::kPhaseCount> counts{};  ///< over all dies and stages
  std::array<engine::Energy, llm::kPhaseCount> energy{};
  llm::Traffic traffic;
  std::vector<llm::RequestRecord> requests;
};

inline LoneRun run_to_the_end(const llm::Experiment& experiment) {
  const std::vector<int> all_here(static_cast<std::size_t>(experiment.wafer.geometry.dies()), 0);
  llm::System system{experiment, 0, 1, all_here};
  system.region().run_before(engine::kNever);
  system.check_finished();

  LoneRun run{.tokens = system.controller().take_token_records(),
              .traffic = system.host()->traffic(),
              .requests = system.controller().take_finished()};
  for (const auto* die : system.dies()) {
    run.traffic += die->traffic();
    const auto ledger = die->ledger();
    for (std::size_t stage = 0; stage < llm::kStageCount; ++stage) {
      for (std::size_t phase = 0; phase < llm::kPhaseCount; ++phase) {
        const auto& counts = ledger.counts(static_cast<llm::Stage>(stage), static_cast<llm::Phase>(phase));
        run.counts[phase] += counts;
        run.energy[phase] = run.energy[phase] + experiment.wafer.energy.of(counts);
      }
    }
  }
  return run;
}

/// Three dies of three cores, one beside the other.
inline std::vector<std::string> three_dies_in_a_line(const char* fidelity) {
  auto machine = line_of_cores(3, 3);
  machine.push_back(std::string{"wafer.noc.fidelity="} + fidelity);
  return machine;
}

/// Of a lone packet, from output buffer to input buffer: router and wire of every router, two wires of the
/// core's own, the flits behind the head, die borders.
constexpr std::int64_t packet_cycles(std::int64_t hops, std::int64_t flits, std::int64_t die_borders = 0) {
  return 2 * (hops + 1) + 2 + (flits - 1) + 4 * die_borders;
}

/// A packet of one token, as a hand calculation lists it.
struct Packet {
  const char* what;
  std::int64_t flits;
  std::int64_t hops;             ///< the link to the host is one
  std::int64_t die_borders = 0;  ///< and a border
  std::int64_t ends = 2;         ///< cores among source and destination: each writes and reads a buffer
};

/// What the packets of so many tokens cost, over links of 256 bits.
inline void add_packets(wafer::EnergyCounts& counts, std::span<const Packet> packets,
                        std::int64_t tokens = 1) {
  for (const auto& packet : packets) {
    const std::int64_t bits = tokens * 256 * packet.flits;
    counts[wafer::Component::hop] += bits * packet.hops;
    counts[wafer::Component::die_crossing] += bits * packet.die_borders;
    counts[wafer::Component::buffer] += bits * packet.ends * 2;
  }
}

/// Whatever the times: as many counts that cost energy, packets and flits.
inline void expect_equal_counts(const LoneRun& run, const LoneRun& expected) {
  for (std::size_t phase = 0; phase < llm::kPhaseCount; ++phase)
    EXPECT_EQ(run.counts[phase].of, expected.counts[phase].of) << llm::kPhaseNames[phase];
  EXPECT_EQ(run.traffic.packets_sent, expected.traffic.packets_sent);
  EXPECT_EQ(run.traffic.flits_sent, expected.traffic.flits_sent);
  EXPECT_EQ(run.traffic.packets_received, expected.traffic.packets_received);
  EXPECT_EQ(run.traffic.flits_received, expected.traffic.flits_received);
}

/// One request with a prompt of one token and `outputs` output tokens: each token enters when the one before
/// is sampled, so it is alone in the pipeline.
inline LoneRun run_lone_tokens(const ToyModel& model, std::vector<std::string> assignments, int outputs) {
  for (const char* more : {"workload.lengths=fixed", "workload.requests=1", "workload.prompt_tokens=1",
                           "output.record_token_every=1"}) {
    assignments.emplace_back(more);
  }
  assignments.push_back(fmt::format("workload.output_tokens={}", outputs));
  return run_to_the_end(*read_toy(model, assignments));
}

}  // namespace ouro::tests
