#include <gtest/gtest.h>

#include "engine/error.hpp"
#include "llm/calibration.hpp"
#include "llm/calibration_fit.hpp"
#include "tests/llm/lone_run.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using llm::Calibration;
using llm::CalibrationFit;
using llm::Matrix;
using llm::ObservedWays;
using llm::Phase;
using llm::StationRecord;
using std::chrono::nanoseconds;

constexpr auto kDecode = static_cast<std::size_t>(Phase::decode);
constexpr auto kPrefill = static_cast<std::size_t>(Phase::prefill);
constexpr auto kQkv = static_cast<std::size_t>(Matrix::qkv);

std::unique_ptr<llm::Experiment> toy_at_stage(std::vector<std::string> more = {}) {
  auto machine = three_dies_in_a_line("stage");
  machine.insert(machine.end(), {"workload.lengths=fixed", "workload.requests=1", "workload.prompt_tokens=1",
                                 "workload.output_tokens=20", "output.record_token_every=1"});
  machine.insert(machine.end(), more.begin(), more.end());
  return read_toy({}, machine);
}

llm::LoadWindows windows_of(const llm::Experiment& experiment) {
  return llm::StageTiming{*experiment.plan, experiment.make_kv_controller(),
                          experiment.summary.longest_context, std::nullopt}
      .load_windows();
}

/// The same delay everywhere, whatever the load.
Calibration with_delay(Duration delay) {
  Calibration calibration;
  for (auto& of_phase : calibration.delays)
    for (auto& of_matrix : of_phase) of_matrix.fill(delay);
  return calibration;
}

TEST(Calibration, LeavesALoneSequenceAlone) {
  const auto experiment = toy_at_stage();
  const auto without = run_to_the_end(*experiment);
  experiment->calibration = with_delay(nanoseconds{37});
  experiment->calibration->link_permille = 1500;  // nobody else is on the links
  const auto with = run_to_the_end(*experiment);
  ASSERT_EQ(with.tokens.size(), without.tokens.size());
  for (std::size_t i = 0; i < with.tokens.size(); ++i)
    EXPECT_EQ(with.tokens[i].retired, without.tokens[i].retired);
}

TEST(Calibration, DelaysTokensOnEveryWayFromAStationToTheNext) {
  constexpr Duration kDelay = nanoseconds{50};
  constexpr std::size_t kBegin = 40;  // then all of the sequences decode
  const auto lone = run_to_the_end(*toy_at_stage());
  const auto experiment = toy_at_stage({"workload.requests=8"});
  experiment->calibration = with_delay(kDelay);
  const auto run = run_to_the_end(*experiment);

  const auto way = lone.tokens.front().retired - lone.tokens.front().issued;  // none has a shorter context
  const auto ways = static_cast<std::int64_t>(experiment->plan->stations().size()) - 1;
  ASSERT_EQ(run.tokens.size(), 8 * lone.tokens.size());
  for (std::size_t i = kBegin; i < run.tokens.size() - kBegin; ++i)
    EXPECT_GE(run.tokens[i].retired - run.tokens[i].issued, way + ways * kDelay) << "token " << i;
}

TEST(Calibration, MakesNoTokenFasterThanItsFirstOutput) {
  const auto experiment = toy_at_stage({"workload.prompt_tokens=30"});
  const auto without = run_to_the_end(*experiment);
  experiment->calibration = with_delay(-std::chrono::seconds{1});
  const auto with = run_to_the_end(*experiment);  // a broken promise would end it
  EXPECT_LT(with.tokens.back().retired, without.tokens.back().retired);
  expect_equal_counts(with, without);
}

TEST(Calibration, TokensFollowEachOtherAsTheSlowestLinkAllows) {
  constexpr std::int64_t kTimes = 10;  // so slow that nothing else limits them
  constexpr int kTokens = 100, kFirst = 20;
  const auto experiment =
      toy_at_stage({fmt::format("workload.prompt_tokens={}", kTokens), "workload.output_tokens=1"});
  experiment->calibration = Calibration{};
  experiment->calibration->link_permille = kTimes * Calibration::kWhole;
  const auto run = run_to_the_end(*experiment);

  // a window and one more of what the slowest link takes for a token that is gathered and sent to the home
  // tile
  const auto of_a_token = windows_of(*experiment).close / (experiment->plan->window() + 1);
  ASSERT_EQ(run.tokens.size(), kTokens);
  const auto apart = (run.tokens[kTokens - 2].retired - run.tokens[kFirst].retired) / (kTokens - 2 - kFirst);
  EXPECT_EQ(apart, kTimes * of_a_token);
}

TEST(Calibration, IsWrittenAndReadAgain) {
  Calibration calibration;
  calibration.link_permille = 1114;
  for (std::size_t load = 0; load <= Calibration::kMostLoad; ++load)
    calibration.delays[kDecode][kQkv][load] = Duration{static_cast<std::int64_t>(load) - 3};
  const TemporaryFile file{"calibration.toml", ""};
  llm::write_calibration(file.path(), calibration, 0xabcd, "made by hand");
  const engine::Setting setting{"here", engine::Value{file.path()}};
  EXPECT_EQ(llm::read_calibration(setting, 0xabcd), calibration);
  EXPECT_THROW(llm::read_calibration(setting, 0xabce), engine::InputError);
}

TEST(Calibration, IsForOneMachine) {
  const auto machine = [](std::vector<std::string> more) { return toy_at_stage(std::move(more))->machine; };
  const auto usual = machine({});
  for (const char* same : {"wafer.noc.fidelity=packet", "wafer.static_power=1 kW", "energy.mac=0.1 pJ/MAC",
                           "workload.seed=7", "serving.max_running=3", "engine.synchronizer=null-message"})
    EXPECT_EQ(machine({same}), usual) << same;
  for (const char* other :
       {"wafer.core_columns=4", "wafer.noc.link_width=128 bit", "wafer.core.sfu_lanes=32",
        "mapping.method=random", "serving.pipelining=sequence", "wafer.core.input_buffer=64 KiB"})
    EXPECT_NE(machine({other}), usual) << other;
}

/// Of a prompt, from station 0 to 1 of a plan.
void add_token(std::vector<StationRecord>& records, std::uint32_t number, std::int64_t launched_ns,
               std::int64_t way_ns, std::uint16_t decode = 0) {
  const Time launched{nanoseconds{launched_ns}};
  const Time there = launched + nanoseconds{way_ns};
  records.push_back({number, 0, decode, 0, launched, launched, launched, launched});
  records.push_back({number, 1, decode, 0, there, there, there, there});
}

constexpr llm::LoadWindows kWindows{.close = nanoseconds{100}, .way = nanoseconds{600}};

TEST(LaunchHistory, CountsWhatIsCloseAndKnowsALoneSequence) {
  llm::LaunchHistory launches;
  const auto load_at = [&](std::int64_t ns) { return launches.add(Time{nanoseconds{ns}}, kWindows); };
  EXPECT_EQ(load_at(1000), std::nullopt);
  EXPECT_EQ(load_at(1900), std::nullopt) << "the next token of the same sequence";
  EXPECT_EQ(load_at(2200), std::nullopt) << "only one other within three halves of a way";
  EXPECT_EQ(load_at(2300), 1) << "two others: there are more sequences, and the last was not long ago";
  EXPECT_EQ(load_at(2399), 2);
  EXPECT_EQ(load_at(2400), 2) << "that of 2300 is just too long ago";
  EXPECT_EQ(load_at(2850), 0) << "it leads those who follow it, which launched three quarters of a way ago";
  for (int i = 0; i < 100; ++i) load_at(2900);
  EXPECT_EQ(load_at(2900), Calibration::kMostLoad);
}

TEST(ObservedWays, AreMeansByWhatTheStationLaunchedBefore) {
  const auto experiment = toy_at_stage();
  std::vector<StationRecord> records;
  add_token(records, 2, 300, 130);     // two before it within a lap, none close
  add_token(records, 0, 0, 7000);      // alone: not counted
  add_token(records, 1, 150, 7000);    // as of one sequence: not counted
  add_token(records, 3, 350, 150, 1);  // one close before it; of the other phase
  add_token(records, 4, 600, 120);
  const auto ways = llm::observe_ways(*experiment->plan, kWindows, records);

  const auto& prefill = ways.sums[kPrefill][kQkv];
  EXPECT_EQ(prefill[1].tokens, 2);
  EXPECT_EQ(prefill[1].mean(), nanoseconds{125});
  EXPECT_EQ(prefill[0].tokens + prefill[2].tokens, 0);
  EXPECT_EQ(ways.sums[kDecode][kQkv][2].tokens, 1);
  EXPECT_EQ(ways.sums[kDecode][kQkv][2].mean(), nanoseconds{150});
  EXPECT_EQ(ways.headway, Duration{}) << "too few launches in a row";
}

TEST(ObservedWays, AQuarterOfTheLaunchesFollowMoreClosely) {
  const auto experiment = toy_at_stage();
  std::vector<StationRecord> records;
  constexpr int kClose = 200;
  for (int i = 0; i < kClose; ++i) add_token(records, static_cast<std::uint32_t>(i), 10 * i, 5);
  for (int i = 0; i < kClose; ++i)
    add_token(records, static_cast<std::uint32_t>(kClose + i), 10 * kClose + 1000 * i, 5);
  EXPECT_EQ(llm::observe_ways(*experiment->plan, kWindows, records).headway, nanoseconds{10});
}

/// So many tokens of a prompt with this mean from QKV on, at one load.
ObservedWays observed(std::size_t load, std::int64_t tokens, Duration mean) {
  ObservedWays ways;
  ways.sums[kPrefill][kQkv][load] = {tokens, tokens * mean};
  return ways;
}

TEST(CalibrationFit, AddsWhatTheMeansDifferBy) {
  constexpr std::int64_t kMany = 1000;
  const auto lacking = [&](const CalibrationFit& fit, std::size_t load) {
    return fit.calibration().delay(Matrix::qkv, Phase::prefill, load);
  };
  CalibrationFit fit{observed(4, kMany, nanoseconds{100}), {}};
  fit.improve(observed(4, kMany, nanoseconds{60}));
  for (const std::size_t load : {0, 4, 16}) EXPECT_EQ(lacking(fit, load), nanoseconds{40}) << load;
  fit.improve(observed(4, kMany, nanoseconds{110}));
  EXPECT_EQ(lacking(fit, 4), nanoseconds{30});
  EXPECT_EQ(fit.calibration().delay(Matrix::qkv, Phase::decode, 4), Duration{}) << "none was seen";

  CalibrationFit of_few{observed(4, 3, nanoseconds{100}), {}};
  of_few.improve(observed(4, kMany, nanoseconds{60}));
  EXPECT_EQ(lacking(of_few, 4), Duration{}) << "three tokens say little";
}

TEST(CalibrationFit, TakesLinksLongerByAsMuchAsTokensAreFurtherApart) {
  const auto apart = [](std::int64_t ns) {
    ObservedWays ways;
    ways.headway = nanoseconds{ns};
    return ways;
  };
  const auto permille = [&](std::int64_t packet, std::int64_t stage) {
    return CalibrationFit{apart(packet), apart(stage)}.calibration().link_permille;
  };
  EXPECT_EQ(permille(960, 800), 1200);
  EXPECT_EQ(permille(700, 800), 1000) << "links are not faster than their width";
  EXPECT_EQ(permille(960, 0), 1000) << "too few tokens to say";
}

}  // namespace
}  // namespace ouro::tests
