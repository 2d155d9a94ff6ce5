#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "llm/system.hpp"
#include "tests/llm/toy.hpp"
#include "tests/mpi_ranks.hpp"

// 3 x 2 dies of 3 x 3 cores. A core has 2 crossbars of 128 rows, so it holds 256 rows of 128 words, or one
// page of one head. A block of the model below takes 2 + 1 + 2 + 1 cores, the LM head one: 13 of 54 for two
// blocks. 20 KV cores a block remain: 20 pages, 10 for each of the two heads.

namespace ouro::tests {
namespace {

using engine::Time;

constexpr int kPages = 20;
constexpr int kDies = 6;

struct Lengths {
  int prompt;
  int output;
};

/// Where which die is simulated.
enum class Cut { rows, rectangles, scattered };

std::vector<int> cut_dies(Cut cut, int ranks) {
  static const std::vector<int> kRectangles[] = {
      {0, 0, 0, 0, 0, 0}, {0, 0, 1, 0, 0, 1}, {0, 1, 2, 0, 1, 2}, {0, 0, 1, 2, 2, 3}};
  static const std::vector<int> kScattered[] = {
      {0, 0, 0, 0, 0, 0}, {1, 0, 1, 0, 1, 0}, {2, 0, 1, 1, 2, 0}, {3, 1, 0, 2, 0, 1}};
  const auto index = static_cast<std::size_t>(ranks - 1);
  if (cut == Cut::rectangles) return kRectangles[index];
  if (cut == Cut::scattered) return kScattered[index];
  std::vector<int> rows;
  for (const int along_the_snake : {0, 1, 2, 5, 4, 3}) rows.push_back(along_the_snake * ranks / kDies);
  return rows;
}

/// A workload on the small wafer.
class Workload {
 public:
  Workload(const std::vector<Lengths>& requests, std::vector<std::string> assignments)
      : requests_{requests}, trace_{"trace.csv", csv(requests)} {
    for (const char* more : {"wafer.die_columns=3", "wafer.die_rows=2", "wafer.core_columns=3",
                             "wafer.core_rows=3", "wafer.core.crossbars=2", "wafer.core.crossbar_rows=128",
                             "workload.lengths=trace", "workload.requests=0"}) {
      assignments.emplace_back(more);
    }
    assignments.push_back("workload.trace_file=" + trace_.path());
    experiment_ = read_toy({.layers = 2}, assignments);
  }

  const llm::Experiment& experiment() const { return *experiment_; }
  const std::vector<Lengths>& requests() const { return requests_; }

  /// Tokens that pass the pipeline if nothing is computed twice: the last output is not put in again.
  std::int64_t tokens() const {
    std::int64_t sum = 0;
    for (const auto& request : requests_) sum += request.prompt + request.output - 1;
    return sum;
  }
  std::int64_t outputs() const {
    std::int64_t sum = 0;
    for (const auto& request : requests_) sum += request.output;
    return sum;
  }

 private:
  static std::string csv(const std::vector<Lengths>& requests) {
    std::string text = "arrival_s,prompt_tokens,output_tokens\n";
    int index = 0;
    for (const auto& request : requests) {  // in pairs at the same time, 30 us apart
      text += fmt::format("0.{:06},{},{}\n", index++ / 2 * 30, request.prompt, request.output);
    }
    return text;
  }

  std::vector<Lengths> requests_;
  TemporaryFile trace_;
  std::unique_ptr<const llm::Experiment> experiment_;
};

/// Lengths that grow from one page to two while they decode, mixed with the shortest of all.
std::vector<Lengths> growing_requests() {
  std::vector<Lengths> requests;
  for (int i = 0; i < 18; ++i) {
    if (i % 7 == 6) {
      requests.push_back({1 + i, 1});
    } else {
      requests.push_back({100 + 7 * i % 26, 30 + 5 * i % 12});
    }
  }
  return requests;
}

/// Slow die borders make windows long, and tests with thousands of tokens short.
constexpr const char* kSlowBorders = "wafer.noc.die_crossing_latency=200 cycles";

/// How the ranks keep in step.
struct Way {
  engine::SynchronizerKind kind = engine::SynchronizerKind::null_message;
  engine::Lookahead lookahead = engine::Lookahead::promises;
};
constexpr Way kWays[] = {{engine::SynchronizerKind::null_message, engine::Lookahead::promises},
                         {engine::SynchronizerKind::window, engine::Lookahead::promises},
                         {engine::SynchronizerKind::null_message, engine::Lookahead::held},
                         {engine::SynchronizerKind::window, engine::Lookahead::held},
                         {engine::SynchronizerKind::null_message, engine::Lookahead::link},
                         {engine::SynchronizerKind::window, engine::Lookahead::link}};

/// What came of a run; the same on all ranks.
struct Served {
  engine::RunVerdict verdict;
  llm::ServingTotals totals;
  std::vector<llm::RequestRecord> requests;  ///< by index
  llm::Traffic traffic;
  wafer::EnergyCounts prefill;
  wafer::EnergyCounts decode;
};

void sum_over_ranks(MPI_Comm comm, std::int64_t& value) {
  value = engine::mpi_reduce_all(comm, value, MPI_SUM);
}

/// Collective over `comm`.
Served serve(MPI_Comm comm, const Workload& workload, const std::vector<int>& rank_of_die, Way way = {}) {
  llm::System system{workload.experiment(), engine::mpi_rank(comm), engine::mpi_size(comm), rank_of_die,
                     way.lookahead};
  const auto synchronizer = engine::make_synchronizer(comm, system.region(), {.kind = way.kind});
  EXPECT_EQ(synchronizer->run_until(engine::kNever), engine::kNever);
  EXPECT_NO_THROW(system.check_finished());

  Served served{.verdict = engine::verify_run(comm, system.region()),
                .totals = system.controller().totals(),
                .requests = system.controller().take_finished(),
                .traffic = system.host() ? system.host()->traffic() : llm::Traffic{},
                .prefill = {},
                .decode = {}};
  std::sort(served.requests.begin(), served.requests.end(),
            [](const auto& a, const auto& b) { return a.request.index < b.request.index; });
  EXPECT_EQ(system.controller().kv().pages_used(), 0);
  EXPECT_EQ(system.controller().kv().pages_total(), kPages);
  for (const auto* die : system.dies()) {
    served.traffic += die->traffic();
    for (std::size_t stage = 0; stage < llm::kStageCount; ++stage) {
      served.prefill += die->ledger().counts(static_cast<llm::Stage>(stage), llm::Phase::prefill);
      served.decode += die->ledger().counts(static_cast<llm::Stage>(stage), llm::Phase::decode);
    }
  }
  for (auto* sum : {&served.traffic.packets_sent, &served.traffic.packets_received,
                    &served.traffic.flits_sent, &served.traffic.flits_received}) {
    sum_over_ranks(comm, *sum);
  }
  for (auto& sum : served.prefill.of) sum_over_ranks(comm, sum);
  for (auto& sum : served.decode.of) sum_over_ranks(comm, sum);
  return served;
}

Served serve_here(const Workload& workload) {
  return serve(MPI_COMM_SELF, workload, std::vector<int>(kDies, 0));
}

/// What holds for every workload.
void expect_a_sound_run(const Workload& workload, const Served& served) {
  const auto requests = static_cast<std::int64_t>(workload.requests().size());
  EXPECT_EQ(served.totals.requests_admitted, requests);
  EXPECT_EQ(served.totals.requests_done, requests);
  EXPECT_EQ(served.totals.output_tokens, workload.outputs());
  EXPECT_EQ(served.totals.tokens_issued, workload.tokens() + served.totals.tokens_recomputed);
  EXPECT_EQ(served.totals.tokens_retired, served.totals.tokens_issued);
  EXPECT_EQ(served.traffic.packets_received, served.traffic.packets_sent);
  EXPECT_EQ(served.traffic.flits_received, served.traffic.flits_sent);
  EXPECT_GT(served.traffic.packets_sent, 0);

  ASSERT_EQ(static_cast<std::int64_t>(served.requests.size()), requests);
  const auto& host = workload.experiment().wafer.host;
  Time admitted{};
  std::int64_t preemptions = 0, recomputed = 0;
  for (std::size_t i = 0; i < served.requests.size(); ++i) {
    const auto& record = served.requests[i];
    EXPECT_EQ(record.request.index, i);
    EXPECT_EQ(record.request.prompt_tokens, workload.requests()[i].prompt);
    EXPECT_EQ(record.request.output_tokens, workload.requests()[i].output);
    EXPECT_GE(record.admitted, record.request.arrival);
    EXPECT_GE(record.admitted, admitted) << "first come, first served; request " << i;
    EXPECT_GE(record.first_token, record.admitted + host.embedding_latency + host.sampling_latency);
    // the outputs behind the first enter and leave one after another
    const auto more = record.request.output_tokens - 1;
    EXPECT_GE(record.done, record.first_token + more * (host.embedding_latency + host.sampling_latency));
    if (more == 0) {
      EXPECT_EQ(record.done, record.first_token);
    }
    admitted = record.admitted;
    preemptions += record.preemptions;
    recomputed += record.recomputed_tokens;
  }
  EXPECT_EQ(preemptions, served.totals.preemptions);
  EXPECT_EQ(recomputed, served.totals.tokens_recomputed);
}

class ServingOnRanks : public ::testing::TestWithParam<int> {};

/// Sound on one rank, and the same on more, wherever the dies are.
void expect_the_same_however_it_is_cut(const Workload& workload, int ranks) {
  const auto comm = first_ranks(ranks);
  if (!comm) return;  // this rank sits the case out
  const auto alone = serve_here(workload);
  expect_a_sound_run(workload, alone);
  auto way = static_cast<std::size_t>(ranks);  // so that all ways and cuts meet over the numbers of ranks
  for (const auto cut : {Cut::rows, Cut::rectangles, Cut::scattered}) {
    const auto served = serve(*comm, workload, cut_dies(cut, ranks), kWays[way++ % std::size(kWays)]);
    EXPECT_EQ(served.verdict.events, alone.verdict.events);
    EXPECT_EQ(served.verdict.digest, alone.verdict.digest) << "cut " << static_cast<int>(cut);
    EXPECT_EQ(served.traffic.flits_sent, alone.traffic.flits_sent);
    EXPECT_EQ(served.prefill.of, alone.prefill.of);
    EXPECT_EQ(served.decode.of, alone.decode.of);
    expect_a_sound_run(workload, served);
  }
}

TEST_P(ServingOnRanks, IsTheSameUnderPreemption) {
  const Workload workload{growing_requests(),
                          {"workload.arrivals=all_at_once", "serving.admission_threshold=0.0", kSlowBorders}};
  EXPECT_GT(serve_here(workload).totals.preemptions, 0);
  expect_the_same_however_it_is_cut(workload, GetParam());
}

TEST_P(ServingOnRanks, IsTheSameWithTracedArrivalsAndTheDefaultThreshold) {
  expect_the_same_however_it_is_cut({growing_requests(), {"workload.arrivals=traced", kSlowBorders}},
                                    GetParam());
}

TEST_P(ServingOnRanks, IsTheSameWithPoissonArrivals) {
  const Workload workload{
      growing_requests(),
      {"workload.arrivals=poisson", "workload.rate_per_s=50000.0", "workload.seed=3", kSlowBorders}};
  const auto alone = serve_here(workload);
  for (std::size_t i = 1; i < alone.requests.size(); ++i) {
    EXPECT_GT(alone.requests[i].request.arrival, alone.requests[i - 1].request.arrival);
  }
  expect_the_same_however_it_is_cut(workload, GetParam());
}

TEST_P(ServingOnRanks, IsTheSameWithOneOutputEachAndFastBorders) {
  const Workload workload{std::vector<Lengths>(12, {20, 1}), {"workload.arrivals=all_at_once"}};
  const auto alone = serve_here(workload);
  EXPECT_EQ(alone.totals.tokens_issued, 12 * 20);
  EXPECT_EQ(alone.decode.of, wafer::EnergyCounts{}.of) << "nothing is decoded";
  expect_the_same_however_it_is_cut(workload, GetParam());
}

TEST_P(ServingOnRanks, IsTheSameWithUnicastAndNarrowLinks) {
  const Workload workload{growing_requests(),
                          {"workload.arrivals=all_at_once", "wafer.noc.multicast=unicast",
                           "wafer.noc.link_width=64 bit", "serving.entry_queue=1", kSlowBorders}};
  expect_the_same_however_it_is_cut(workload, GetParam());
}

TEST_P(ServingOnRanks, IsTheSameFlitByFlit) {
  const Workload workload{
      std::vector<Lengths>(6, {20, 4}),
      {"workload.arrivals=poisson", "workload.rate_per_s=500000.0", "wafer.noc.fidelity=flit",
       "wafer.noc.multicast=unicast", "wafer.noc.link_width=64 bit"}};
  expect_the_same_however_it_is_cut(workload, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Ranks, ServingOnRanks, ::testing::Values(1, 2, 3, 4));

/// Multiply-accumulates of requests that are computed once: in each of 2 blocks, a token meets all weights,
/// and each of 2 heads of 64 multiplies it with the K and the V of itself and all tokens before it. Only
/// tokens whose successor is sampled go on to the LM head.
std::int64_t multiply_accumulates(const std::vector<Lengths>& requests) {
  constexpr std::int64_t kBlockWeights = 128 * 384 + 128 * 128 + 128 * 512 + 256 * 128;
  constexpr std::int64_t kHeadWeights = 128 * 256;
  std::int64_t sum = 0;
  for (const auto& request : requests) {
    const std::int64_t tokens = request.prompt + request.output - 1;
    const std::int64_t contexts = tokens * (tokens + 1) / 2;
    sum += 2 * (tokens * kBlockWeights + 2 * 2 * 64 * contexts) + request.output * kHeadWeights;
  }
  return sum;
}

TEST(CausalAttention, SeesAllTokensBeforeAndNoneBehindWhileAPromptStreamsThrough) {
  // three pages of each head: a head's first two cores are full when it goes on to the next
  const Workload workload{{{300, 5}, {300, 5}, {260, 3}}, {"workload.arrivals=all_at_once"}};
  const auto served = serve_here(workload);
  EXPECT_EQ(served.totals.preemptions, 0);
  EXPECT_EQ(served.prefill[wafer::Component::mac] + served.decode[wafer::Component::mac],
            multiply_accumulates(workload.requests()));
}

// Each request starts with a page for each of 2 heads and ends with two. Without a threshold 10 of them are
// admitted at once and take all 20 pages; none can end before it needs two more.
const std::vector<Lengths> kTwoPagesEach(16, {100, 40});

TEST(AdmissionThreshold, OfNothingLeavesNoRoomToGrow) {
  const Workload workload{kTwoPagesEach, {"serving.admission_threshold=0.0"}};
  const auto served = serve_here(workload);
  EXPECT_EQ(std::count_if(served.requests.begin(), served.requests.end(),
                          [](const auto& record) { return record.admitted == Time{}; }),
            10);
  EXPECT_GT(served.totals.preemptions, 0);
  expect_a_sound_run(workload, served);
}

TEST(AdmissionThreshold, ThatCoversAllGrowthPreventsPreemption) {
  // 9 pages stay free: 5 requests at most, which need 20 pages at the end
  const Workload workload{kTwoPagesEach, {"serving.admission_threshold=0.45"}};
  const auto served = serve_here(workload);
  EXPECT_EQ(std::count_if(served.requests.begin(), served.requests.end(),
                          [](const auto& record) { return record.admitted == Time{}; }),
            5);
  EXPECT_EQ(served.totals.preemptions, 0);
  EXPECT_EQ(served.totals.tokens_recomputed, 0);
  EXPECT_EQ(served.prefill[wafer::Component::mac] + served.decode[wafer::Component::mac],
            multiply_accumulates(workload.requests()));
  expect_a_sound_run(workload, served);
}

}  // namespace
}  // namespace ouro::tests
