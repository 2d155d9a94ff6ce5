#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/error.hpp"
#include "llm/repair.hpp"
#include "llm/system.hpp"
#include "tests/llm/toy.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::Time;
using llm::FailureEffect;
using llm::kNoCore;
using llm::Mapping;
using llm::Matrix;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wafer::CoreId;
using wafer::Direction;
using wafer::Fault;

// ---- repairs by hand
// -----------------------------------------------------------------------------------------
//
//    0 QKV   1 O   2 LM head   3 KV 1
//    4 up    5 down   6 KV 0   7 spare

constexpr wafer::Geometry kGrid{1, 1, 4, 2, 1};

Mapping small_mapping() {
  Mapping mapping;
  auto& block = mapping.blocks.emplace_back();
  const auto put = [&](Matrix matrix, CoreId core) {
    block.tiles[static_cast<std::size_t>(matrix)] = {core};
  };
  put(Matrix::qkv, CoreId{0});
  put(Matrix::output, CoreId{1});
  put(Matrix::gate_up, CoreId{4});
  put(Matrix::down, CoreId{5});
  block.kv = {CoreId{6}, CoreId{3}};
  mapping.lm_head = {CoreId{2}};
  return mapping;
}

CoreId core_of(const Mapping& mapping, Matrix matrix) {
  return mapping.blocks.front().tiles[static_cast<std::size_t>(matrix)].front();
}

wafer::Faults dead(const std::vector<Fault>& list) {
  wafer::Faults faults{kGrid};
  for (const auto& fault : list) faults.add(fault);
  return faults;
}

Fault core(CoreId::Value number) {
  return {Fault::Kind::core, CoreId{number}, {}};
}

std::vector<std::pair<CoreId::Value, CoreId::Value>> pairs(const std::vector<llm::WeightMove>& moves) {
  std::vector<std::pair<CoreId::Value, CoreId::Value>> result;
  result.reserve(moves.size());
  for (const auto& move : moves) result.emplace_back(move.from.value(), move.to.value());
  return result;
}

TEST(Repair, ShiftsWeightsAlongNeighboursToTheNearestCoreThatGivesWay) {
  const auto repair = llm::repair(kGrid, dead({core(4)}), small_mapping(), CoreId{4});
  EXPECT_THAT(pairs(repair.moves), ElementsAre(std::pair{4, 5}, std::pair{5, 6}));
  EXPECT_EQ(core_of(repair.mapping, Matrix::gate_up), CoreId{5});
  EXPECT_EQ(core_of(repair.mapping, Matrix::down), CoreId{6});
  EXPECT_THAT(repair.lost_kv, ElementsAre(0));
  EXPECT_THAT(repair.mapping.blocks.front().kv, ElementsAre(CoreId{7}, CoreId{3})) << "the spare one, empty";
  EXPECT_THAT(repair.closed, IsEmpty());
  EXPECT_EQ(repair.halt, "");
}

TEST(Repair, TakesASpareCoreBeforeOneWithKvThatIsAsNear) {
  auto mapping = small_mapping();
  mapping.blocks.front().kv = {CoreId{3}};  // as near to core 2 as 6, which is spare now
  const auto repair = llm::repair(kGrid, dead({core(2)}), mapping, CoreId{2});
  EXPECT_THAT(pairs(repair.moves), ElementsAre(std::pair{2, 6}));
  EXPECT_EQ(repair.mapping.lm_head.front(), CoreId{6});
  EXPECT_THAT(repair.lost_kv, IsEmpty());
}

TEST(Repair, TakesTheNearestThoughItHasKvAndASpareOneIsFarther) {
  const auto repair = llm::repair(kGrid, dead({core(2)}), small_mapping(), CoreId{2});
  EXPECT_THAT(pairs(repair.moves), ElementsAre(std::pair{2, 3}));  // 3 and 6 are one link off, 7 is two
  EXPECT_THAT(repair.mapping.blocks.front().kv, ElementsAre(CoreId{6}, CoreId{7}));
}

TEST(Repair, PassesOverTheRoutersOfDeadCores) {
  auto mapping = small_mapping();
  mapping.blocks.front().tiles[static_cast<std::size_t>(Matrix::down)] = {CoreId{7}};
  const auto repair = llm::repair(kGrid, dead({core(5), core(4)}), mapping, CoreId{4});
  EXPECT_THAT(pairs(repair.moves), ElementsAre(std::pair{4, 6}));
}

TEST(Repair, GivesUpAKvCoreOfEveryBlockWhereNoSpareOneIsLeft) {
  auto mapping = small_mapping();
  mapping.blocks.front().kv = {CoreId{6}, CoreId{3}, CoreId{7}};
  const auto first = llm::repair(kGrid, dead({core(3)}), mapping, CoreId{3});
  EXPECT_THAT(first.moves, IsEmpty());
  EXPECT_THAT(first.lost_kv, ElementsAre(1));
  EXPECT_THAT(first.closed, ElementsAre(1));
  EXPECT_THAT(first.mapping.blocks.front().kv, ElementsAre(CoreId{6}, kNoCore, CoreId{7}));
  EXPECT_EQ(first.halt, "");
  const auto second = llm::repair(kGrid, dead({core(3), core(7)}), first.mapping, CoreId{7});
  const auto third = llm::repair(kGrid, dead({core(3), core(7), core(6)}), second.mapping, CoreId{6});
  EXPECT_EQ(second.halt, "");
  EXPECT_EQ(third.halt, "no KV core is left in each block");
}

TEST(Repair, SaysWhenNoCoreThatGivesWayIsInReach) {
  const std::vector<Fault> cut{{Fault::Kind::link, CoreId{2}, Direction::east},
                               {Fault::Kind::link, CoreId{2}, Direction::south},
                               {Fault::Kind::link, CoreId{5}, Direction::east}};
  auto faults = cut;
  faults.push_back(core(4));
  EXPECT_EQ(llm::repair(kGrid, dead(faults), small_mapping(), CoreId{4}).halt,
            "the core at (0, 1) failed with its weights, and no live core that could give way is in reach");
}

TEST(Repair, OfASpareCoreIsNone) {
  const auto repair = llm::repair(kGrid, dead({core(7)}), small_mapping(), CoreId{7});
  EXPECT_THAT(repair.moves, IsEmpty());
  EXPECT_THAT(repair.lost_kv, IsEmpty());
  EXPECT_EQ(repair.halt, "");
}

// ---- runs
// ----------------------------------------------------------------------------------------------------

/// A file of failures.
TemporaryFile failures(const std::string& rows) {
  return {"failures.csv", "time_ns,kind,x,y,direction\n" + rows};
}

class FailingRun {
 public:
  FailingRun(const ToyModel& model, std::vector<std::string> assignments)
      : experiment_{read_toy(model, std::move(assignments))},
        system_{*experiment_, 0, 1, std::vector<int>(static_cast<std::size_t>(dies()), 0)} {
    system_.region().run_before(engine::kNever);
    system_.check_finished();
  }
  int dies() const { return experiment_->wafer.geometry.dies(); }
  const llm::Experiment& experiment() const { return *experiment_; }
  llm::System& system() { return system_; }
  const llm::FaultRecovery& recovery() const { return system_.controller().recovery(); }

  llm::Traffic traffic() const {
    auto traffic = system_.host()->traffic();
    for (const auto* die : system_.dies()) traffic += die->traffic();
    return traffic;
  }

 private:
  std::unique_ptr<const llm::Experiment> experiment_;
  llm::System system_;
};

// A line of dies of two cores each: QKV, KV 1 to 5, O 6, gate and up 7, down 8, LM head 9. The core is the
// default one, of 4 MiB. When core 9 fails, nothing is under way, and all four weight cores shift by one.
std::vector<std::string> idle_line(const TemporaryFile& trace, const TemporaryFile& list) {
  auto assignments = line_of_cores(5, 2);
  for (const auto& more : {std::string{"workload.lengths=trace"}, std::string{"workload.arrivals=traced"},
                           std::string{"workload.requests=0"}, "workload.trace_file=" + trace.path(),
                           "wafer.faults.runtime.file=" + list.path()}) {
    assignments.push_back(more);
  }
  return assignments;
}

constexpr const char* kTwoRequests = "arrival_s,prompt_tokens,output_tokens\n0,5,2\n0.002,5,2\n";
constexpr Duration kCycle = std::chrono::nanoseconds{1};

TEST(RunTimeFailure, MovesTheWeightsOfAChainInTheTimeOfOneCore) {
  const TemporaryFile trace{"trace.csv", kTwoRequests};
  const auto list = failures("1000000,core,9,0,\n");
  FailingRun run{{}, idle_line(trace, list)};
  ASSERT_EQ(run.recovery().records().size(), 1U);
  const auto& record = run.recovery().records().front();
  EXPECT_EQ(record.effect, FailureEffect::weights_moved);
  EXPECT_EQ(record.moves, 4);
  const auto latency = run.experiment().control_latency;
  EXPECT_EQ(record.failed, Time{std::chrono::milliseconds{1}});
  EXPECT_EQ(record.stopped, record.failed + latency);
  // 4 MiB over 256 bit, the routers and wires of a link, and a die border, which two of the four hops cross
  EXPECT_EQ(record.resumed, record.stopped + (131072 + 2 * 2 + 1 + 4) * kCycle + latency);
  EXPECT_LT(record.resumed - record.failed, std::chrono::milliseconds{1});
  const auto& totals = run.system().controller().totals();
  EXPECT_EQ(totals.requests_done, 2);
  EXPECT_EQ(totals.tokens_discarded, 0);
  wafer::EnergyCounts moved;
  for (const auto* die : run.system().dies())
    moved += die->ledger().counts(llm::Stage::repair, llm::Phase::prefill);
  constexpr std::int64_t kBits = 8LL * 4 * 1024 * 1024;
  EXPECT_EQ(moved[wafer::Component::hop], 4 * kBits);
  EXPECT_EQ(moved[wafer::Component::die_crossing], 2 * kBits);
  EXPECT_EQ(moved[wafer::Component::buffer], 4 * 2 * 2 * kBits);
}

TEST(RunTimeFailure, OfARouterHasTheHostSendTheWeightsOfItsCore) {
  const TemporaryFile trace{"trace.csv", kTwoRequests};
  const auto list = failures("1000000,router,9,0,\n");
  FailingRun run{{}, idle_line(trace, list)};
  const auto& record = run.recovery().records().front();
  EXPECT_EQ(record.moves, 4);
  // from the host to core 8: T_in with 8 links and 4 die borders (docs/design.md)
  const auto way = (131072 + 9 * 2 + 1 + 4 * 4 + 4) * kCycle;
  EXPECT_EQ(record.resumed, record.stopped + way + run.experiment().control_latency);
  EXPECT_EQ(run.system().controller().totals().requests_done, 2);
}

/// Six dies of nine cores of two small crossbars, a model of two blocks: 13 weight cores and 40 KV cores.
std::vector<std::string> busy(std::vector<std::string> more) {
  for (const char* assignment :
       {"wafer.die_columns=3", "wafer.die_rows=2", "wafer.core_columns=3", "wafer.core_rows=3",
        "wafer.core.crossbars=2", "wafer.core.crossbar_rows=128", "workload.lengths=fixed",
        "workload.prompt_tokens=40", "workload.output_tokens=9", "workload.requests=6"}) {
    more.emplace_back(assignment);
  }
  return more;
}

/// Each request is answered once and whole, or the machine says why not; nothing is left anywhere.
void expect_nothing_lost(FailingRun& run) {
  const auto& totals = run.system().controller().totals();
  EXPECT_EQ(totals.tokens_issued, totals.tokens_retired + totals.tokens_discarded);
  const auto traffic = run.traffic();
  EXPECT_EQ(traffic.packets_sent, traffic.packets_received + traffic.packets_discarded);
  EXPECT_EQ(traffic.flits_sent, traffic.flits_received + traffic.flits_discarded);
  EXPECT_EQ(run.system().controller().kv().pages_used(), 0);
  const auto answered = run.system().controller().take_finished();
  std::set<std::uint64_t> requests;
  std::int64_t outputs = 0;
  for (const auto& record : answered) {
    EXPECT_TRUE(requests.insert(record.request.index).second) << "answered twice";
    EXPECT_GE(record.first_token, record.admitted);
    EXPECT_GE(record.done, record.first_token);
    outputs += record.request.output_tokens;
  }
  if (run.recovery().halted()) {
    EXPECT_NE(run.recovery().halt_reason(), "");
    EXPECT_LT(requests.size(), 6U);
    return;
  }
  EXPECT_EQ(requests.size(), 6U);
  EXPECT_EQ(totals.output_tokens, outputs);
  EXPECT_EQ(totals.tokens_issued, 6 * (40 + 9 - 1) + totals.tokens_discarded + totals.tokens_recomputed);
}

TEST(RunTimeFailure, LosesNoRequestAndAnswersNoneTwiceThrough100Schedules) {
  int halted = 0;
  std::set<FailureEffect> seen;
  std::int64_t discarded = 0, recomputed = 0;
  for (int seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    FailingRun run{
        {.layers = 2},
        busy({"wafer.faults.runtime.until=50 us", fmt::format("wafer.faults.runtime.seed={}", seed),
              fmt::format("wafer.faults.runtime.cores={}", 1 + seed % 12),
              fmt::format("wafer.faults.runtime.routers={}", seed % 3),
              fmt::format("wafer.faults.runtime.links={}", seed % 4)})};
    expect_nothing_lost(run);
    for (const auto& record : run.recovery().records()) seen.insert(record.effect);
    halted += run.recovery().halted() ? 1 : 0;
    discarded += run.system().controller().totals().tokens_discarded;
    recomputed += run.system().controller().totals().tokens_recomputed;
  }
  EXPECT_LT(halted, 50);
  EXPECT_THAT(seen, ::testing::IsSupersetOf({FailureEffect::none, FailureEffect::rerouted,
                                             FailureEffect::kv_lost, FailureEffect::weights_moved}));
  EXPECT_GT(discarded, 0);
  EXPECT_GT(recomputed, 0);
}

TEST(RunTimeFailure, ThatCutsTheWaferInTwoHaltsTheModel) {
  const auto list = failures("20000,link,0,0,east\n20000,link,0,0,south\n30000,core,5,5,\n");
  FailingRun run{{.layers = 2}, busy({"wafer.faults.runtime.file=" + list.path()})};
  expect_nothing_lost(run);
  ASSERT_TRUE(run.recovery().halted());
  EXPECT_EQ(run.recovery().halt_reason(), "the live routers are cut in two");
  EXPECT_EQ(run.recovery().records().size(), 2U) << "what fails later is of no matter";
}

TEST(RunTimeFailure, WithExpertsGoesOn) {
  ToyModel experts{.layers = 1,
                   .ffn = 128,
                   .type = "mixtral",
                   .more = R"(, "num_local_experts": 4, "num_experts_per_tok": 2)"};
  auto assignments = busy({"wafer.faults.runtime.until=50 us", "wafer.faults.runtime.cores=8"});
  FailingRun run{experts, assignments};
  expect_nothing_lost(run);
  EXPECT_FALSE(run.recovery().halted()) << run.recovery().halt_reason();
}

// ---- what is refused
// -----------------------------------------------------------------------------------------

std::string refusal(const std::vector<std::string>& assignments) {
  try {
    read_toy({}, busy(assignments));
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "nothing";
}

std::string refusal_of_rows(const std::string& rows, std::vector<std::string> more = {}) {
  const auto list = failures(rows);
  more.push_back("wafer.faults.runtime.file=" + list.path());
  return refusal(more);
}

TEST(RunTimeFailure, OfWhatIsNotThereIsRefused) {
  EXPECT_THAT(refusal_of_rows("5,core,9,0,\n"),
              HasSubstr("failures.csv:2: x: '9' is not accepted; it must be a whole number from 0 to 8"));
  EXPECT_THAT(refusal_of_rows("-5,core,0,0,\n"), HasSubstr("failures.csv:2: time_ns: '-5' is not accepted"));
  EXPECT_THAT(refusal_of_rows("5,link,8,0,east\n"), HasSubstr("the link east of (8, 0) leads off the wafer"));
  EXPECT_THAT(refusal_of_rows("5,router,0,0,\n"),
              HasSubstr("the router at (0, 0) has the link to the host; it must be alive"));
}

TEST(RunTimeFailure, OfWhatIsDeadAlreadyIsRefused) {
  EXPECT_THAT(refusal_of_rows("5,core,1,1,\n6,core,1,1,\n"),
              HasSubstr("failures.csv:3: the core at (1, 1) is already dead, or part of it: see"));
  const TemporaryFile map{"map.csv", "kind,x,y,direction\ncore,2,2,\n"};
  EXPECT_THAT(refusal_of_rows("5,core,2,2,\n", {"wafer.faults.map_file=" + map.path()}),
              HasSubstr("the core at (2, 2) is already dead, or part of it: see " + map.path()));
}

TEST(RunTimeFailure, IsDrawnOrListedButNotMoreThanThereIs) {
  EXPECT_THAT(refusal_of_rows("5,core,1,1,\n", {"wafer.faults.runtime.cores=1"}),
              HasSubstr("names what fails, and failures are drawn as well"));
  EXPECT_THAT(refusal({"wafer.faults.runtime.cores=55"}), HasSubstr("after 54 of them"));
  EXPECT_THAT(refusal({"wafer.faults.runtime.cores=1", "wafer.faults.runtime.from=20 ms"}),
              HasSubstr("leaves no time for failures"));
}

TEST(RunTimeFailure, IsRefusedWhereItIsNotSimulated) {
  const std::string fails = "wafer.faults.runtime.cores=1";
  EXPECT_THAT(refusal({fails, "wafer.noc.fidelity=stage"}), HasSubstr("the fidelity stage is not simulated"));
  EXPECT_THAT(refusal({fails, "wafer.noc.fidelity=flit", "wafer.noc.multicast=unicast"}),
              HasSubstr("the fidelity flit is not simulated"));
  EXPECT_THAT(refusal({fails, "serving.prefix_cache=true"}), HasSubstr("the prefix cache is not simulated"));
  EXPECT_THAT(refusal({fails, "wafer.count=2", "wafer.joint.links=2"}),
              HasSubstr("more than one wafer is not simulated"));
}

}  // namespace
}  // namespace ouro::tests
