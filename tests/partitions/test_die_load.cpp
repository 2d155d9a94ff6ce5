#include <gtest/gtest.h>

#include <vector>

#include "llm/system.hpp"
#include "partitions/die_load.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::partitions {
namespace {

std::unique_ptr<const llm::Experiment> one_request(const tests::ToyModel& model, int outputs,
                                                   std::vector<std::string> assignments) {
  for (const char* more : {"workload.lengths=fixed", "workload.requests=1", "workload.prompt_tokens=1"})
    assignments.emplace_back(more);
  assignments.push_back(fmt::format("workload.output_tokens={}", outputs));
  return tests::read_toy(model, assignments);
}

/// Events of each die in a run on one rank.
std::vector<double> events_of_dies(const llm::Experiment& experiment) {
  const auto dies = static_cast<std::size_t>(experiment.wafer.geometry.dies());
  llm::System system{experiment, 0, 1, std::vector<int>(dies, 0)};
  system.region().run_before(engine::kNever);
  std::vector<double> events(dies, 0.0);
  for (const auto& report : system.region().reports()) {
    if (report.id.value() >= llm::kFirstDieLp)
      events[report.id.value() - llm::kFirstDieLp] = static_cast<double>(report.events);
  }
  return events;
}

constexpr int kTokens = 3;

/// Every token that passes is sampled. The host interface's events count for its die, and the end of a
/// request is one more event in each die.
void expect_exactly(const llm::Experiment& experiment) {
  constexpr double kOfHost = 2 + 1;  // issue, inject, sample
  const auto load = expected_load(experiment);
  auto expected = load.events_of_dies();
  const double candidates = experiment.plan->tiled().lm_head.senders();
  const auto host = experiment.wafer.geometry.die_of(experiment.wafer.noc.host).value();
  constexpr double kCreditForHost = 1;
  expected[host] -= kOfHost + candidates + kCreditForHost;
  const auto simulated = events_of_dies(experiment);
  for (std::size_t die = 0; die < expected.size(); ++die)
    EXPECT_NEAR(simulated[die], kTokens * expected[die] + 1, 1e-6) << "die " << die;
}

TEST(ExpectedLoad, IsWhatEachDieHandlesWhereAHeadHasOnePlace) {
  // QKV, KV, O, gate and up, down, LM head: a core and a die each
  expect_exactly(*one_request({}, kTokens, tests::line_of_cores(6, 1)));
}

TEST(ExpectedLoad, IsWhatADieHandlesWithSeveralBlocksAndTilesAMatrix) {
  tests::ToyModel model;
  model.layers = 2;
  model.ffn = 2048;  // 3 tiles of gate and up, 2 of down, whose sums travel
  auto wafer = tests::line_of_cores(10, 2);
  wafer.insert(wafer.end(), {"wafer.core.crossbars=2", "wafer.core.crossbar_rows=512"});
  const auto experiment = one_request(model, kTokens, wafer);
  ASSERT_GT(experiment->plan->tiled().of(llm::Matrix::gate_up).tiles.size(), 1U);
  ASSERT_EQ(experiment->plan->ring(0).size(), 1U) << "a head has one place";
  expect_exactly(*experiment);
}

TEST(ExpectedLoad, HasAsManyTokensUnderWayAsThereAreRequests) {
  EXPECT_EQ(expected_load(*one_request({}, 1, tests::line_of_cores(6, 1))).tokens_under_way, 1);
}

TEST(ExpectedLoad, OfStagesIsATokenAtEachHomeCoreAndACreditWhereItCameFromAnotherDie) {
  auto assignments = tests::line_of_cores(6, 1);
  assignments.emplace_back("wafer.noc.fidelity=stage");
  const auto load = expected_load(*one_request({}, 1, assignments));
  // QKV on die 0, as the host; O on die 2, beyond the KV core, so a token and a credit cross two borders
  EXPECT_EQ(load.stretches[0].packets.size(), 0U);
  EXPECT_EQ((load.stretches[1].packets.at({0, 1})), 2);
  EXPECT_EQ((load.stretches[1].packets.at({1, 2})), 2);
  EXPECT_EQ(load.stretches[1].events[2], 1 + 1);
}

}  // namespace
}  // namespace ouro::partitions
