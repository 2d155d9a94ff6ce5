#include <gtest/gtest.h>

#include "tests/llm/lone_run.hpp"

// Fidelity `stage` against `packet`, which other tests check by hand: a token that is alone in the pipeline
// takes the same time to the picosecond and costs the same counts, since its passages are made of the same
// packets and nothing else is on the links.

namespace ouro::tests {
namespace {

std::vector<std::string> at(const std::string& fidelity, std::vector<std::string> assignments) {
  assignments.push_back("wafer.noc.fidelity=" + fidelity);
  return assignments;
}

void expect_equal_lone_runs(const ToyModel& model, const std::vector<std::string>& machine, int outputs) {
  const auto packet = run_lone_tokens(model, at("packet", machine), outputs);
  const auto stage = run_lone_tokens(model, at("stage", machine), outputs);

  ASSERT_EQ(stage.tokens.size(), packet.tokens.size());
  for (std::size_t i = 0; i < packet.tokens.size(); ++i) {
    ASSERT_EQ(stage.tokens[i].issued, packet.tokens[i].issued) << "context " << i + 1;
    ASSERT_EQ(stage.tokens[i].retired, packet.tokens[i].retired) << "context " << i + 1;
  }
  expect_equal_counts(stage, packet);
}

TEST(StageFidelity, MovesALoneTokenAsPacketsDoWithEveryContextUpToThreePages) {
  expect_equal_lone_runs({}, line_of_cores(2, 3), 300);
}

TEST(StageFidelity, MovesALoneTokenAsPacketsDoOverManyDiesAndTilesAndHeads) {
  const ToyModel model{.layers = 3, .hidden = 512, .ffn = 1024, .heads = 8, .kv_heads = 4, .vocab = 1024};
  const std::vector<std::string> machine{"wafer.die_columns=3",    "wafer.die_rows=2",
                                         "wafer.core_columns=4",   "wafer.core_rows=4",
                                         "wafer.core.crossbars=4", "wafer.core.crossbar_rows=384"};
  expect_equal_lone_runs(model, machine, 150);
}

TEST(StageFidelity, MovesALoneTokenAsPacketsDoByUnicast) {
  auto machine = line_of_cores(3, 5);
  machine.insert(machine.end(), {"wafer.core.crossbars=2", "wafer.noc.multicast=unicast"});
  expect_equal_lone_runs({.hidden = 256, .ffn = 512, .heads = 4}, machine, 40);
}

TEST(StageFidelity, CountsTheSameWhereAHeadGoesOnOnAnotherCore) {
  // a core holds one page, so a head of 300 tokens lies on three
  const std::vector<std::string> machine{"wafer.die_columns=3",    "wafer.die_rows=2",
                                         "wafer.core_columns=3",   "wafer.core_rows=3",
                                         "wafer.core.crossbars=2", "wafer.core.crossbar_rows=128"};
  const auto packet = run_lone_tokens({.layers = 2}, at("packet", machine), 300);
  const auto stage = run_lone_tokens({.layers = 2}, at("stage", machine), 300);

  for (std::size_t phase = 0; phase < llm::kPhaseCount; ++phase)
    EXPECT_EQ(stage.counts[phase].of, packet.counts[phase].of) << llm::kPhaseNames[phase];
  // which core of a head is the last one is known only when a passage is measured: at a page's beginning
  const auto time = [](const LoneRun& run) {
    return engine::seconds(run.requests.at(0).done - engine::Time{});
  };
  EXPECT_NEAR(time(stage), time(packet), 0.01 * time(packet));
}

}  // namespace
}  // namespace ouro::tests
