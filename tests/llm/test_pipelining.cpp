#include <gtest/gtest.h>

#include <numeric>

#include "llm/lone_token.hpp"
#include "llm/system.hpp"
#include "tests/llm/toy.hpp"

// The theory of pipelines, on a machine whose stations all take the same time: one full crossbar, 2048 rows
// one at a time for 8 bits each, in 16384 cycles, beside which everything else is below 1 %.

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;

constexpr int kLayers = 2;
constexpr int kStations = 4 * kLayers + 1;

const ToyModel kEqualStations{.layers = kLayers,
                              .hidden = 2048,
                              .ffn = 2048,
                              .heads = 16,
                              .kv_heads = 16,
                              .head_dim = 8,
                              .vocab = 2048};

std::vector<std::string> wafer_of_equal_stations(const std::string& fidelity) {
  return {"wafer.die_columns=2",
          "wafer.die_rows=2",
          "wafer.core_columns=5",
          "wafer.core_rows=5",
          "wafer.core.crossbars=2",
          "wafer.core.crossbar_rows=2048",
          "wafer.core.rows_at_once=1",
          "wafer.core.htree_width=1000000 bit",
          "wafer.core.sfu_lanes=65536",
          "wafer.core.sfu_latency=1 cycle",
          "wafer.noc.link_width=16384 bit",
          "wafer.host.embedding_latency=1 ns",
          "wafer.host.sampling_latency=1 ns",
          "serving.control_latency=1 ns",
          "wafer.noc.fidelity=" + fidelity};
}

/// A run of equal requests that all arrive at time 0.
struct EqualRun {
  Duration makespan{};
  std::vector<Time> retired;  ///< when the tokens left, in order
  std::vector<llm::StationUse> stations;
};

EqualRun run(std::vector<std::string> machine, int requests, int prompt, int outputs,
             const std::string& pipelining = "token", const ToyModel& model = kEqualStations) {
  machine.insert(
      machine.end(),
      {"workload.lengths=fixed", "output.record_token_every=1", "serving.pipelining=" + pipelining,
       fmt::format("workload.requests={}", requests), fmt::format("workload.prompt_tokens={}", prompt),
       fmt::format("workload.output_tokens={}", outputs)});
  const auto experiment = read_toy(model, machine);
  const std::vector<int> all_here(static_cast<std::size_t>(experiment->wafer.geometry.dies()), 0);
  llm::System system{*experiment, 0, 1, all_here};
  system.region().run_before(engine::kNever);
  system.check_finished();
  EqualRun result;
  const auto& totals = system.controller().totals();
  result.makespan = totals.last_done - totals.first_arrival;
  for (const auto& token : system.controller().take_token_records()) result.retired.push_back(token.retired);
  std::sort(result.retired.begin(), result.retired.end());
  for (std::size_t station = 0; station < experiment->plan->stations().size(); ++station) {
    for (const auto* die : system.dies()) {
      if (const auto* use = die->station_use(static_cast<int>(station))) result.stations.push_back(*use);
    }
  }
  return result;
}

/// Of a lone token: from one station's being ready to the next one's.
std::vector<Duration> lone_stage_times() {
  const auto experiment = read_toy(kEqualStations, wafer_of_equal_stations("stage"));
  auto kv = experiment->make_kv_controller();
  kv.open(0);
  kv.grow(0, 1);
  llm::LoneToken lone{*experiment->plan};
  std::vector<Duration> times;
  for (int station = 0; station < kStations; ++station) {
    const auto& plan = experiment->plan->stations()[static_cast<std::size_t>(station)];
    times.push_back(lone.pass(station, {.flags = llm::Token::kSampled}, kv).to_next +
                    experiment->plan->home_work(plan).time);
  }
  return times;
}

double mean_stage_time() {
  const auto times = lone_stage_times();
  return static_cast<double>(std::accumulate(times.begin(), times.end(), Duration{}).count()) / kStations;
}

/// Tokens a picosecond of so many decoding sequences, without the beginning and the end.
double decoding_rate(const std::vector<std::string>& machine, int sequences, const std::string& pipelining) {
  constexpr int kTokens = 12;
  const auto retired = run(machine, sequences, 1, kTokens, pipelining).retired;
  const auto from = retired.begin() + 3 * sequences;
  const auto to = retired.begin() + 9 * sequences;
  return static_cast<double>(to - from) / static_cast<double>((*to - *from).count());
}

class Pipelining : public ::testing::TestWithParam<std::string> {
 protected:
  std::vector<std::string> machine() const { return wafer_of_equal_stations(GetParam()); }
};

TEST(EqualStations, AllTakeTheTimeOfAPass) {
  for (const auto time : lone_stage_times()) {
    EXPECT_GT(time, 2048 * 8 * std::chrono::nanoseconds{1});
    EXPECT_LT(time, 1.015 * 2048 * 8 * std::chrono::nanoseconds{1});
  }
}

TEST_P(Pipelining, DecodesAtTheRateOfTheSequencesUntilEveryStationHasOne) {
  for (const int sequences : {1, 5, kStations, 12, 2 * kStations}) {
    const double expected = std::min(sequences, kStations) / (kStations * mean_stage_time());
    EXPECT_NEAR(decoding_rate(machine(), sequences, "token") / expected, 1, 0.01)
        << sequences << " sequences";
  }
}

TEST_P(Pipelining, TakesAPromptOfLTokensInLPlusSMinusOneStageTimes) {
  for (const int tokens : {1, 8, 40}) {
    const auto makespan = run(machine(), 1, tokens, 1).makespan;
    const double expected = (tokens + kStations - 1) * mean_stage_time();
    EXPECT_NEAR(static_cast<double>(makespan.count()) / expected, 1, 0.01) << tokens << " tokens";
  }
}

TEST_P(Pipelining, TakesAPromptBySequencesInLStageTimesAStation) {
  for (const int tokens : {1, 8, 40}) {
    const auto makespan = run(machine(), 1, tokens, 1, "sequence").makespan;
    const double expected = ((kStations - 1) * tokens + 1) * mean_stage_time();  // one reaches the LM head
    EXPECT_NEAR(static_cast<double>(makespan.count()) / expected, 1, 0.01) << tokens << " tokens";
  }
}

TEST_P(Pipelining, TakesPromptsBySequencesOneAStation) {
  constexpr int kTokens = 20;
  constexpr int kPrompts = 12;
  const auto makespan = run(machine(), kPrompts, kTokens, 1, "sequence").makespan;
  const double expected = ((kStations - 1 + kPrompts - 1) * kTokens + 1) * mean_stage_time();
  // beside a home core's passes that wait, its SFU normalises what comes
  EXPECT_NEAR(static_cast<double>(makespan.count()) / expected, 1, 0.01);
}

TEST_P(Pipelining, DecodesBySequencesAtTheSameRate) {  // each batch is one token
  for (const int sequences : {1, 5, 2 * kStations}) {
    const double expected = std::min(sequences, kStations) / (kStations * mean_stage_time());
    EXPECT_NEAR(decoding_rate(machine(), sequences, "sequence") / expected, 1, 0.01)
        << sequences << " sequences";
  }
}

TEST_P(Pipelining, HoldsAsManyTokensAStationAsMoveAtOnce) {
  constexpr int kTokens = 20;
  const auto tokens = run(machine(), 6, kTokens, 1);
  const auto sequences = run(machine(), 6, kTokens, 1, "sequence");
  for (std::size_t station = 1; station + 1 < kStations; ++station) {
    EXPECT_LE(tokens.stations[station].held.most, 2);
    EXPECT_GE(sequences.stations[station].held.most, kTokens);
    EXPECT_LE(sequences.stations[station].held.most, 2 * kTokens);  // one leaves while the next one comes
  }
}

TEST_P(Pipelining, CountsEachMomentOfAStationOnce) {
  for (const std::string pipelining : {"token", "sequence"}) {
    // stations of unequal time, prompts and outputs, preemptions, heads that go on on other cores
    const ToyModel model{.layers = 2};
    const auto result = run({"wafer.die_columns=3", "wafer.die_rows=2", "wafer.core_columns=3",
                             "wafer.core_rows=3", "wafer.core.crossbars=2", "wafer.core.crossbar_rows=128",
                             "serving.admission_threshold=0", "wafer.noc.fidelity=" + GetParam()},
                            12, 100, 200, pipelining, model);
    ASSERT_EQ(result.stations.size(), 9U);
    for (const auto& station : result.stations) {
      const auto times = station.times.between(Time{}, Time{} + result.makespan);
      EXPECT_EQ(std::accumulate(times.begin(), times.end(), Duration{}), result.makespan);
      for (const auto time : times) EXPECT_GE(time, Duration{});
      const auto state = [&](llm::StationState which) { return times[static_cast<std::size_t>(which)]; };
      EXPECT_LE(state(llm::StationState::output_buffer), station.without_output_buffer);
      EXPECT_LE(state(llm::StationState::input_buffer), station.without_input_buffer);
      EXPECT_GT(state(llm::StationState::passes), Duration{});
      EXPECT_EQ(state(llm::StationState::sequence) > Duration{}, pipelining == "sequence");
    }
  }
}

TEST_P(Pipelining, OfOneTokenIsAPassAStationAndElseABubble) {
  const auto result = run(machine(), 1, 1, 1);
  for (const auto& station : result.stations) {
    const auto times = station.times.between(Time{}, Time{} + result.makespan);
    EXPECT_EQ(times[static_cast<std::size_t>(llm::StationState::passes)], std::chrono::nanoseconds{2048 * 8});
    EXPECT_EQ(station.stalled(), Duration{});
    EXPECT_GT(times[static_cast<std::size_t>(llm::StationState::no_token)], 0.85 * result.makespan);
  }
}

// One credit a station: a token leaves when the one before it has left the next station.
constexpr int kTokensInTurn = 20;

std::vector<std::string> with_one_credit(std::vector<std::string> machine) {
  machine.emplace_back("wafer.core.output_buffer=2 KiB");
  return machine;
}

/// Of each token that has one before it.
Duration of_a_token(Duration sum) {
  return sum / (kTokensInTurn - 1);
}

Duration in_state(const EqualRun& result, std::size_t station, llm::StationState state) {
  const auto times = result.stations[station].times.between(Time{}, Time{} + result.makespan);
  return of_a_token(times[static_cast<std::size_t>(state)]);
}

/// Of a lone token on such a machine.
class Lone {
 public:
  explicit Lone(const llm::PipelinePlan& plan, llm::KvController kv) : plan_{plan}, kv_{std::move(kv)} {
    kv_.open(0);
  }

  /// From when a station lets the token go until it is whole at the next one.
  Duration way(std::size_t station, int position = 0) { return pass(station, position).to_next; }
  /// What the home core does with it.
  Duration home(std::size_t station) const { return plan_.home_work(plan_.stations()[station]).time; }
  /// From when a station lets it go until the one before has its credit.
  Duration credit(std::size_t station) { return pass(station, 0).credit; }

 private:
  llm::Passage pass(std::size_t station, int position) {
    kv_.grow(0, position + 1);
    return lone_.pass(static_cast<int>(station), {.position = static_cast<std::uint32_t>(position)}, kv_);
  }

  const llm::PipelinePlan& plan_;
  llm::KvController kv_;
  llm::LoneToken lone_{plan_};
};

TEST_P(Pipelining, WaitsForTheOutputBufferWhileOutputsAreOnTheirWay) {
  const auto experiment = read_toy(kEqualStations, with_one_credit(machine()));
  const auto& plan = *experiment->plan;
  ASSERT_EQ(plan.window(), 1);
  const auto result = run(with_one_credit(machine()), 1, kTokensInTurn, 1);

  // attention makes QKV the slowest station, and its next token has been there long before
  Lone lone{plan, experiment->make_kv_controller()};
  Duration way{};
  for (int position = 0; position < kTokensInTurn - 1; ++position) way += lone.way(0, position);
  const Duration at_output = lone.home(1) + lone.credit(1);
  EXPECT_EQ(of_a_token(result.stations[0].without_input_buffer), at_output);
  EXPECT_EQ(in_state(result, 0, llm::StationState::input_buffer), at_output);
  EXPECT_EQ(in_state(result, 0, llm::StationState::output_buffer),
            of_a_token(way) - plan.stations()[0].pass_time);
}

TEST_P(Pipelining, WaitsForTheInputBufferInFrontOfASlowPass) {
  // rows one after another: 1536 in QKV, 512 in O, 2048 in gate and up
  const ToyModel model{.hidden = 256, .ffn = 512, .heads = 2, .kv_heads = 2, .head_dim = 128, .vocab = 256};
  auto settings = machine();
  settings.emplace_back("wafer.core.output_buffer=1 KiB");
  const auto experiment = read_toy(model, settings);
  ASSERT_EQ(experiment->plan->window(), 1);
  const auto shorter = run(settings, 1, kTokensInTurn, 1, "token", model);
  const auto longer = run(settings, 1, 2 * kTokensInTurn, 1, "token", model);

  Lone lone{*experiment->plan, experiment->make_kv_controller()};
  const Duration turn = lone.way(2) + lone.home(3) + lone.credit(3);  // of gate and up, the slowest
  // of each token more, when every station is full
  const auto expect_near = [&](const auto& of_run, Duration expected) {
    const Duration actual = (of_run(longer) - of_run(shorter)) / kTokensInTurn;
    EXPECT_NEAR(static_cast<double>((actual - expected).count()) / static_cast<double>(turn.count()), 0,
                0.01);
  };
  const auto output_buffer = [](std::size_t station) {
    return [station](const EqualRun& run) { return run.stations[station].without_output_buffer; };
  };
  const auto input_buffer = [](std::size_t station) {
    return [station](const EqualRun& run) { return run.stations[station].without_input_buffer; };
  };
  const auto state = [](std::size_t station, llm::StationState which) {
    return [=](const EqualRun& run) { return (kTokensInTurn - 1) * in_state(run, station, which); };
  };
  // O's token comes when QKV is done with it, and the one ahead is whole at gate and up by then
  const Duration next_there = lone.credit(1) + lone.way(0, 3 * kTokensInTurn / 2) + lone.home(1);
  ASSERT_GT(next_there, lone.way(1));
  expect_near(output_buffer(1), Duration{});
  expect_near(input_buffer(1), turn - next_there);
  expect_near(state(1, llm::StationState::input_buffer), turn - next_there);
  // that of gate and up waits while the one ahead is in the tiles, which lose nothing by it: they have passes
  expect_near(output_buffer(2), lone.way(2) - (lone.credit(2) + lone.way(1) + lone.home(2)));
  expect_near(input_buffer(2), Duration{});
  expect_near(state(2, llm::StationState::output_buffer), Duration{});
}

INSTANTIATE_TEST_SUITE_P(Fidelities, Pipelining, ::testing::Values("packet", "stage"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ouro::tests
