#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

#include "llm/system.hpp"
#include "tests/llm/toy.hpp"

// What an LP archives is all that its future depends on: a run that is cut at any of many moments, and goes
// on with new LPs, handles the same events to the same end.

namespace ouro::tests {
namespace {

using engine::Time;

std::uint64_t digest_of_run(const engine::Region& region) {
  std::uint64_t digest = 0;
  for (const auto& report : region.reports()) digest += engine::digest_term(report.id, report.digest);
  return digest;
}

std::map<engine::LpId, std::string> states_of(const engine::Region& region) {
  std::map<engine::LpId, std::string> states;
  region.save([&](engine::LpId id, std::string bytes) { states[id] = std::move(bytes); });
  return states;
}

/// 20 pages of 128 tokens, 10 for each of two heads: longer sequences preempt each other, and heads go on on
/// other cores.
std::unique_ptr<const llm::Experiment> crowded_wafer(const std::string& fidelity,
                                                     const std::string& pipelining) {
  return read_toy({.layers = 2},
                  {"wafer.die_columns=3", "wafer.die_rows=2", "wafer.core_columns=3", "wafer.core_rows=3",
                   "wafer.core.crossbars=2", "wafer.core.crossbar_rows=128", "workload.lengths=fixed",
                   "workload.prompt_tokens=100", "workload.output_tokens=200", "workload.requests=12",
                   "serving.admission_threshold=0", "wafer.noc.fidelity=" + fidelity,
                   fidelity == "flit" ? "wafer.noc.multicast=unicast" : "wafer.noc.multicast=tree",
                   "serving.pipelining=" + pipelining});
}

class States : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(States, GoOnFromAnyMomentToTheSameEnd) {
  const auto experiment = crowded_wafer(std::get<0>(GetParam()), std::get<1>(GetParam()));
  const std::vector<int> all_here(6, 0);
  llm::System whole{*experiment, 0, 1, all_here};
  whole.region().run_before(engine::kNever);
  ASSERT_GT(whole.controller().totals().preemptions, 0);
  const auto end = whole.controller().totals().last_done - Time{};
  const auto last_states = states_of(whole.region());

  constexpr int kCuts = 7;
  auto cut = std::make_unique<llm::System>(*experiment, 0, 1, all_here);
  for (int i = 1; i < kCuts; ++i) {
    cut->region().run_before(Time{i * end / kCuts});
    const auto states = states_of(cut->region());
    cut = std::make_unique<llm::System>(*experiment, 0, 1, all_here, engine::Lookahead::promises,
                                        [&](engine::LpId id) { return states.at(id); });
    EXPECT_EQ(states_of(cut->region()), states) << "what was read is not what was written";
  }
  cut->region().run_before(engine::kNever);
  cut->check_finished();
  EXPECT_EQ(digest_of_run(cut->region()), digest_of_run(whole.region()));
  EXPECT_EQ(states_of(cut->region()), last_states) << "energies, timelines, histograms or uses differ";
}

INSTANTIATE_TEST_SUITE_P(Fidelities, States,
                         ::testing::Combine(::testing::Values("packet", "stage"),
                                            ::testing::Values("token", "sequence")));
INSTANTIATE_TEST_SUITE_P(FlitByFlit, States, ::testing::Values(std::tuple{"flit", "token"}));

}  // namespace
}  // namespace ouro::tests
