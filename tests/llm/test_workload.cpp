#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

#include "engine/error.hpp"
#include "llm/length_histogram.hpp"
#include "llm/prefix_reuse.hpp"
#include "llm/timestamp.hpp"
#include "llm/workload.hpp"

namespace ouro::llm {
namespace {

using namespace std::chrono_literals;
using engine::Duration;
using engine::Time;

constexpr Time kStart{};

/// Of this process, since CTest runs the tests of this file side by side; gone at its end.
const std::string& temporary_folder() {
  struct Folder {
    std::string path = testing::TempDir() + "workload-" + std::to_string(getpid()) + "/";
    Folder() { std::filesystem::create_directories(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const Folder kFolder;
  return kFolder.path;
}

std::string write_file(const std::string& name, const std::string& text) {
  auto path = temporary_folder() + name;
  std::ofstream{path, std::ios::binary} << text;
  return path;
}

WorkloadOptions trace(const std::string& text, ArrivalMode arrivals = ArrivalMode::traced) {
  return {.arrivals = arrivals, .lengths = LengthMode::trace, .trace_file = write_file("trace.csv", text)};
}

std::vector<Request> read_all(const WorkloadOptions& options) {
  const auto source = make_source(options);
  std::vector<Request> requests;
  while (const auto request = source->next()) requests.push_back(*request);
  return requests;
}

/// What the user reads, with the folder of temporary files taken out.
std::string refusal_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const engine::InputError& error) {
    std::string message = error.what();
    const auto folder = message.find(temporary_folder());
    return folder == std::string::npos ? message : message.erase(folder, temporary_folder().size());
  }
  return "accepted";
}

std::string refusal_of(const WorkloadOptions& options) {
  return refusal_of([&] { read_all(options); });
}

TEST(TraceCsv, ReadsAnAzureTraceToThePicosecond) {
  const auto requests =
      read_all(trace("TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                     "2023-11-16 18:15:46.6805900,374,44\r\n"
                     "2023-11-16 18:15:50.9951690,396,109\r\n"
                     "2023-11-17 00:00:00.000000000001,1,1"));  // no end of the last line
  EXPECT_EQ(requests, (std::vector<Request>{{0, kStart, 374, 44},
                                            {1, kStart + Duration{4'314'579'000'000}, 396, 109},
                                            {2, kStart + 20'653s + Duration{319'410'000'001}, 1, 1}}));
}

TEST(TraceCsv, ReadsOurOwnColumnsInAnyOrderAmongOthers) {
  const auto requests =
      read_all(trace("\xef\xbb\xbfoutput_tokens, user ,arrival_s,prompt_tokens\n"
                     "# a comment\n"
                     "7,anna,12.5,30\n"
                     "\n"
                     "8,bert,12.500000000001,31\n"));
  EXPECT_EQ(requests, (std::vector<Request>{{0, kStart + 12'500ms, 30, 7},
                                            {1, kStart + 12'500ms + Duration{1}, 31, 8}}));
}

TEST(TraceCsv, NeedsNoTimesWhereArrivalsAreGenerated) {
  const std::string lengths = "num_prefill_tokens,num_decode_tokens,pd_ratio\n3772,54,69.85\n2015,156,12.9\n";
  EXPECT_EQ(read_all(trace(lengths, ArrivalMode::all_at_once)),
            (std::vector<Request>{{0, kStart, 3772, 54}, {1, kStart, 2015, 156}}));
  EXPECT_EQ(refusal_of(trace(lengths)),
            "trace.csv:1: no column 'TIMESTAMP'; the header must name one of TIMESTAMP, arrival_s");
}

TEST(TraceCsv, DropsAndCountsRowsWithoutPromptOrOutput) {
  const auto source =
      make_source(trace("arrival_s,prompt_tokens,output_tokens\n0,0,5\n1,5,0\n2,5,6\n3,0,0\n4,7,1\n"));
  EXPECT_EQ(source->next(), (Request{0, kStart + 2s, 5, 6}));
  EXPECT_EQ(source->rows().without_tokens, 2u);
  EXPECT_EQ(source->next(), (Request{1, kStart + 4s, 7, 1}));
  EXPECT_EQ(source->next(), std::nullopt);
  EXPECT_EQ(source->rows().without_tokens, 3u);
}

TEST(TraceCsv, DeliversTheFirstRequestsOnly) {
  auto options = trace("arrival_s,prompt_tokens,output_tokens\n0,1,0\n1,1,1\n2,2,2\n3,3,3\n");
  options.requests = 2;
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart + 1s, 1, 1}, {1, kStart + 2s, 2, 2}}));
}

TEST(TraceCsv, RefusesBrokenRowsWithFileAndLine) {
  const auto refusal_of_row = [](const std::string& row) {
    return refusal_of(trace("arrival_s,prompt_tokens,output_tokens\n1,1,1\n" + row + "\n"));
  };
  const std::string count = "is not accepted; it must be a whole number from 0 to 10000000";
  EXPECT_EQ(refusal_of_row("2,many,1"), "trace.csv:3: prompt_tokens: 'many' " + count);
  EXPECT_EQ(refusal_of_row("2,1,-4"), "trace.csv:3: output_tokens: '-4' " + count);
  EXPECT_EQ(refusal_of_row("2,10000001,1"), "trace.csv:3: prompt_tokens: '10000001' " + count);
  EXPECT_EQ(refusal_of_row("2,10000000,1"), "accepted");
  EXPECT_EQ(refusal_of_row("2,99999999999999999999,1"),
            "trace.csv:3: prompt_tokens: '99999999999999999999' " + count);
  EXPECT_EQ(refusal_of_row("2,,1"), "trace.csv:3: prompt_tokens: '' " + count);
  EXPECT_EQ(refusal_of_row("2,1"), "trace.csv:3: the row has 2 fields; the header has 3");
  EXPECT_EQ(refusal_of_row("2,1,1,1"), "trace.csv:3: the row has 4 fields; the header has 3");
  EXPECT_EQ(refusal_of_row("-2,1,1"),
            "trace.csv:3: arrival_s: '-2' is not a time; it must look like 12.5, with at most 12 digits "
            "after the point");
  EXPECT_EQ(refusal_of_row("0.999999999999,1,1"),
            "trace.csv:3: the row is earlier than the one before; rows must be in order of time, "
            "or workload.out_of_order \"drop\" or \"delay\"");
  EXPECT_EQ(refusal_of_row("1,1,1"), "accepted");
  EXPECT_EQ(refusal_of_row("9999999999,1,1"),
            "trace.csv:3: the row is more than 106 days after the start; a run cannot last longer");
}

TEST(TraceCsv, RefusesBrokenFiles) {
  EXPECT_EQ(refusal_of(trace("")), "trace.csv: is empty; its first line must name the columns");
  EXPECT_EQ(refusal_of(trace("TIMESTAMP,ContextTokens\n")),
            "trace.csv:1: no column 'GeneratedTokens'; the header must name one of GeneratedTokens, "
            "num_decode_tokens, output_tokens");
  EXPECT_EQ(refusal_of(trace("ContextTokens,prompt_tokens,output_tokens\n")),
            "trace.csv:1: 'ContextTokens' and 'prompt_tokens' mean the same; a trace has one of them");
  EXPECT_EQ(refusal_of(trace("a,a\n")), "trace.csv:1: two columns are named 'a'");
  auto options = trace("");
  options.trace_file = temporary_folder();
  EXPECT_EQ(refusal_of(options), ": cannot be read; a readable text file");
  options.trace_file = temporary_folder() + "absent.csv";
  EXPECT_EQ(refusal_of(options), "absent.csv: there is no such file");
}

TEST(TraceCsv, TakesTheColumnsThatAreNamed) {
  auto options =
      trace("split,article_index,word_tokens,llama2_bpe_tokens\ntest,0,1091,1617\ntest,1,4749,6134\n",
            ArrivalMode::all_at_once);
  options.prompt_column = "llama2_bpe_tokens";
  options.output_column = "none";
  options.output_tokens = 128;
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart, 1617, 128}, {1, kStart, 6134, 128}}));
  options.output_column = "word_tokens";
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart, 1617, 1091}, {1, kStart, 6134, 4749}}));
  options.output_column = "words";
  EXPECT_EQ(refusal_of(options), "trace.csv:1: no column 'words'; the header must name words");
}

// Rows 2 and 4 are earlier than the row before them.
constexpr const char* kOutOfOrder =
    "arrival_s,prompt_tokens,output_tokens\n5,1,1\n4,2,1\n7,3,1\n6.5,4,1\n7,5,1\n";

TEST(RowPolicies, DropRowsThatAreOutOfOrder) {
  auto options = trace(kOutOfOrder);
  options.rows.out_of_order = OutOfOrder::drop;
  const auto source = make_source(options);
  for (const auto& expected : {Request{0, kStart + 5s, 1, 1}, {1, kStart + 7s, 3, 1}, {2, kStart + 7s, 5, 1}})
    EXPECT_EQ(source->next(), expected);
  EXPECT_EQ(source->next(), std::nullopt);
  EXPECT_EQ(source->rows().read, 5u);
  EXPECT_EQ(source->rows().out_of_order, 2u);
  EXPECT_EQ(describe(source->rows()), "5 rows: 2 out of order dropped");
}

TEST(RowPolicies, DelayRowsThatAreOutOfOrderToTheRowBefore) {
  auto options = trace(kOutOfOrder);
  options.rows.out_of_order = OutOfOrder::delay;
  const auto source = make_source(options);
  for (const auto arrival : {5s, 5s, 7s, 7s, 7s}) EXPECT_EQ(source->next()->arrival, kStart + arrival);
  EXPECT_EQ(describe(source->rows()), "5 rows: 2 out of order delayed");
}

TEST(RowPolicies, RefuseDropOrTruncateWhatIsLongerThanTheMaximumContext) {
  auto options =
      trace("prompt_tokens,output_tokens\n60,40\n61,40\n10,99\n10,100\n", ArrivalMode::all_at_once);
  options.rows.max_context = 100;
  EXPECT_EQ(
      refusal_of(options),
      "trace.csv:3: 101 tokens of prompt and output, and serving.max_context is 100; a shorter request, "
      "or serving.over_context \"drop\" or \"truncate\"");
  options.rows.over_context = OverContext::drop;
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart, 60, 40}}));
  options.rows.over_context = OverContext::truncate;
  EXPECT_EQ(read_all(options),
            (std::vector<Request>{
                {0, kStart, 60, 40}, {1, kStart, 60, 40}, {2, kStart, 1, 99}, {3, kStart, 1, 99}}));
  const auto source = make_source(options);
  EXPECT_EQ(describe(summarise(*source).rows), "4 rows: 3 truncated to the maximum context");
}

TEST(RowPolicies, ApplyToSyntheticRequestsToo) {
  WorkloadOptions options{.prompt_tokens = 90, .output_tokens = 20, .requests = 3};
  options.rows.max_context = 100;
  options.rows.over_context = OverContext::drop;
  EXPECT_EQ(read_all(options), std::vector<Request>{});
  EXPECT_EQ(refusal_of([&] {
              options.rows.over_context = OverContext::refuse;
              read_all(options);
            }).substr(0, 24),
            "request 0: 110 tokens of");
}

WorkloadOptions jsonl(const std::string& text, std::int32_t block_tokens = 4) {
  WorkloadOptions options{.arrivals = ArrivalMode::traced, .lengths = LengthMode::trace};
  options.trace_file = write_file("trace.jsonl", text);
  options.rows.block_tokens = block_tokens;
  return options;
}

TEST(TraceJsonl, ReadsMooncakeRowsInMilliseconds) {
  const auto requests = read_all(jsonl(
      "\xef\xbb\xbf{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 5, \"hash_ids\": [0, 7, 8]}\r\n"
      "\n"
      "{\"hash_ids\": [0, 7], \"timestamp\": 3052, \"input_length\": 8, \"output_length\": 1}"));
  EXPECT_EQ(requests,
            (std::vector<Request>{{0, kStart, 9, 5, 0, {0, 7, 8}}, {1, kStart + 3'052ms, 8, 1, 0, {0, 7}}}));
}

TEST(TraceJsonl, ReadsShareGptRowsInNanoseconds) {
  const auto requests = read_all(
      jsonl("{\"arrival_time_ns\":46926808,\"input_length\":11,\"output_length\":2,\"hash_ids\":[5,6]}\n"
            "{\"arrival_time_ns\":46926809,\"input_toks\":3,\"output_toks\":1,\"priority\":2}\n"));
  EXPECT_EQ(requests, (std::vector<Request>{{0, kStart + 46'926'808ns, 11, 2, 0, {5, 6}},
                                            {1, kStart + 46'926'809ns, 3, 1, 2, {}}}));
}

TEST(TraceJsonl, RefusesBrokenRowsWithFileAndLine) {
  const auto refusal_of_row = [](const std::string& row) {
    return refusal_of(jsonl("{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n" + row + "\n"));
  };
  EXPECT_EQ(refusal_of_row("{\"timestamp\": 1"), "trace.jsonl:2: not a JSON object; each line is one");
  EXPECT_EQ(refusal_of_row("[1]"), "trace.jsonl:2: not a JSON object; each line is one");
  EXPECT_EQ(refusal_of_row("{\"timestamp\": 2, \"output_length\": 1}"),
            "trace.jsonl:2: no key 'input_length'; a row has it, or 'input_toks'");
  EXPECT_EQ(refusal_of_row("{\"timestamp\": 2.5, \"input_length\": 1, \"output_length\": 1}"),
            "trace.jsonl:2: timestamp: 2.5 is not accepted; it must be a whole number from 0 to "
            "1000000000000000000");
  EXPECT_EQ(refusal_of_row("{\"input_length\": 1, \"output_length\": 1}"),
            "trace.jsonl:2: no key 'timestamp'; a row has it, or 'arrival_time_ns'");
  EXPECT_EQ(refusal_of_row("{\"timestamp\": 2, \"input_length\": -1, \"output_length\": 1}"),
            "trace.jsonl:2: input_length: -1 is not accepted; it must be a whole number from 0 to 10000000");
  EXPECT_EQ(
      refusal_of_row("{\"timestamp\": 2, \"input_length\": 9, \"output_length\": 1, \"hash_ids\": [1]}"),
      "trace.jsonl:2: hash_ids: 1 blocks of 4 tokens do not make a prompt of 9 tokens; "
      "workload.prefix_block_tokens says how long the trace's blocks are");
  EXPECT_EQ(refusal_of_row("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}").substr(0, 51),
            "trace.jsonl:2: the row is earlier than the one befo");
  EXPECT_EQ(
      refusal_of_row("{\"timestamp\": 9, \"arrival_time_ns\": 9, \"input_length\": 1, \"output_length\": 1}"),
      "trace.jsonl:2: 'timestamp' and 'arrival_time_ns' mean the same; a row has one of them");
}

TEST(TraceJsonl, TruncatesAPromptWithItsBlocks) {
  auto options =
      jsonl("{\"timestamp\": 0, \"input_length\": 12, \"output_length\": 3, \"hash_ids\": [1, 2, 3]}\n");
  options.rows.max_context = 14;
  options.rows.over_context = OverContext::truncate;
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart, 11, 3, 0, {1, 2}}}));
}

TEST(PrefixReuse, CountsLeadingBlocksOnly) {
  // of the third prompt, block 9 is new, so that 3 behind it does not count; of the last, the part block
  const auto source = make_source(
      jsonl("{\"timestamp\": 0, \"input_length\": 12, \"output_length\": 1, \"hash_ids\": [1, 2, 3]}\n"
            "{\"timestamp\": 0, \"input_length\": 12, \"output_length\": 1, \"hash_ids\": [1, 2, 4]}\n"
            "{\"timestamp\": 0, \"input_length\": 12, \"output_length\": 1, \"hash_ids\": [1, 9, 3]}\n"
            "{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 1, \"hash_ids\": [1, 2, 4]}\n"));
  const auto reuse = find_prefix_reuse(*source, 4);
  EXPECT_EQ(reuse.blocks, 12);
  EXPECT_EQ(reuse.blocks_seen, 2 + 1 + 3);
  EXPECT_EQ(reuse.tokens_seen, 8 + 4 + 9);
  EXPECT_EQ(reuse.different_blocks, 5);
}

/// A file of the directory that OUROBOROS_TRACES names: public traces, which are not part of this project.
WorkloadOptions real_trace(const std::string& name, ArrivalMode arrivals = ArrivalMode::traced) {
  WorkloadOptions options{.arrivals = arrivals, .lengths = LengthMode::trace};
  options.trace_file = std::filesystem::path{std::getenv("OUROBOROS_TRACES")} / name;
  return options;
}

#define NEED_REAL_TRACES()                                                                   \
  if (std::getenv("OUROBOROS_TRACES") == nullptr) {                                          \
    GTEST_SKIP() << "NOT TESTED: OUROBOROS_TRACES does not name a directory of real traces"; \
  }

// What is expected of these files is what their publishers and other readers say.
TEST(RealTraces, OfAzureLoadWhole) {
  NEED_REAL_TRACES();
  const auto conversation = summarise(*make_source(real_trace("azure_llm_2023_conv.csv")));
  EXPECT_EQ(conversation.rows.read, 19'366u);
  EXPECT_NEAR(conversation.prompt.total / 19'366.0, 1154.7, 0.05);
  EXPECT_EQ(conversation.prompt.largest, 14'050);
  EXPECT_NEAR(engine::seconds(conversation.last_arrival - kStart), 3'502, 1);
  const auto code = summarise(*make_source(real_trace("azure_llm_2023_code.csv")));
  EXPECT_EQ(code.rows.read, 8'819u);
  EXPECT_EQ(code.prompt.largest, 7'437);
  EXPECT_EQ(code.output.largest, 1'899);
}

TEST(RealTraces, OfMooncakeShare105710Of288500LeadingBlocks) {
  NEED_REAL_TRACES();
  const auto options = real_trace("mooncake_conversation_trace.jsonl");
  const auto summary = summarise(*make_source(options));
  EXPECT_EQ(summary.rows.read, 12'031u);
  EXPECT_EQ(summary.prompt.largest, 126'195);
  EXPECT_NEAR(engine::seconds(summary.last_arrival - kStart), 3'537, 1);
  const auto reuse = find_prefix_reuse(*make_source(options), 512);
  EXPECT_EQ(reuse.blocks, 288'500);
  EXPECT_EQ(reuse.blocks_seen, 105'710);
  EXPECT_EQ(reuse.different_blocks, 182'790);
}

TEST(RealTraces, OfShareGptShare19520Of257239Tokens) {
  NEED_REAL_TRACES();
  auto options = real_trace("sharegpt_llama31_300_sps10_blocks16.jsonl");
  EXPECT_NE(refusal_of(options).find(":1: hash_ids: 147 blocks of 512 tokens do not make"),
            std::string::npos);
  options.rows.block_tokens = 16;
  const auto summary = summarise(*make_source(options));
  EXPECT_EQ(summary.requests, 300u);
  EXPECT_EQ(summary.prompt.total, 257'239);
  EXPECT_EQ(summary.output.total, 195'753);
  EXPECT_EQ(find_prefix_reuse(*make_source(options), 16).tokens_seen, 19'520);
}

TEST(RealTraces, OfLengthsLoadWithGeneratedArrivals) {
  NEED_REAL_TRACES();
  const auto vidur =
      summarise(*make_source(real_trace("vidur_arxiv_summarization_llama2.csv", ArrivalMode::all_at_once)));
  EXPECT_EQ(vidur.rows.read, 28'257u);
  EXPECT_NEAR(vidur.prompt.mean, 2588.1, 0.05);
  EXPECT_EQ(vidur.output.largest, 4'056);
  auto options = real_trace("wikitext2_test_article_tokens.csv", ArrivalMode::all_at_once);
  EXPECT_NE(refusal_of(options).find(":1: no column 'ContextTokens'"), std::string::npos);
  options.prompt_column = "word_tokens";
  options.output_column = "none";
  options.output_tokens = 128;
  EXPECT_EQ(summarise(*make_source(options)).prompt.total, 241'211);
}

TEST(Timestamp, AcceptsOnlyTimesThatExist) {
  EXPECT_EQ(parse_wall_clock("1970-01-01 00:00:00")->seconds, 0);
  EXPECT_EQ(parse_wall_clock("2024-02-29 23:59:59.5")->seconds, 1'709'251'199);
  EXPECT_EQ(parse_wall_clock("2024-02-29 23:59:59.5")->picoseconds, 500'000'000'000);
  EXPECT_EQ(parse_wall_clock("2024-05-10 00:00:00.009930+00:00")->picoseconds, 9'930'000'000);
  for (const char* text :
       {"", "2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-11-16", "2023-11-16 24:00:00",
        "2023-11-16 18:60:00", "2023-11-16 18:15:60", "2023-11-16 18:15:46.",
        "2023-11-16 18:15:46.1234567890123", "2023-11-16 18:15:46Z", "2023-11-16 18:15:4",
        "2023-11-16 18:15:461", "16.11.2023 18:15:46", "2023-11-16 18:15:46+01:00", "2023-11-16 -8:15:46"}) {
    EXPECT_FALSE(parse_wall_clock(text)) << text;
  }
  for (const char* text : {"", ".5", "5.", "1e3", "+1", "1.2.3", "nan", "0.1234567890123"}) {
    EXPECT_FALSE(parse_seconds(text)) << text;
  }
}

WorkloadOptions synthetic(std::uint64_t requests) {
  return {.arrivals = ArrivalMode::poisson,
          .lengths = LengthMode::histogram,
          .rate = 5,
          .requests = requests,
          .seed = 1};
}

TEST(Synthetic, GivesFixedLengthsAllAtOnce) {
  const WorkloadOptions options{.prompt_tokens = 128, .output_tokens = 2048, .requests = 2};
  EXPECT_EQ(read_all(options), (std::vector<Request>{{0, kStart, 128, 2048}, {1, kStart, 128, 2048}}));
}

TEST(Synthetic, ArrivesAtThePoissonRate) {
  constexpr int kRequests = 100'000;
  const auto summary = summarise(*make_source(synthetic(kRequests)));
  // the last arrival is a sum of n gaps of 0.2 s, whose standard deviation is 0.2 s x sqrt(n)
  EXPECT_NEAR(engine::seconds(summary.last_arrival - kStart), 0.2 * kRequests,
              5 * 0.2 * std::sqrt(kRequests));
  EXPECT_GT(summary.first_arrival, kStart);
}

// Gamma(1/2) is half of the square of a normal number: P(gap < x) = erf(sqrt(x)) in units of its scale.
TEST(Synthetic, ArrivesInGammaBursts) {
  constexpr int kRequests = 100'000;
  for (const auto& [burstiness, shape] : {std::pair{0.5, 0.5}, {0.25, 0.25}, {1.0, 1.0}, {4.0, 4.0}}) {
    auto options = synthetic(kRequests);
    options.arrivals = ArrivalMode::gamma;
    options.burstiness = burstiness;
    const auto requests = read_all(options);
    double sum = 0, squares = 0;
    int short_gaps = 0;
    Time last = kStart;
    for (const auto& request : requests) {
      const double gap = engine::seconds(request.arrival - last) / 0.2;
      last = request.arrival;
      sum += gap;
      squares += gap * gap;
      if (gap < 0.1 * 2) ++short_gaps;  // 0.1 in units of the scale of shape 1/2
    }
    const double variance = 1 / shape;
    EXPECT_NEAR(sum / kRequests, 1, 5 * std::sqrt(variance / kRequests));
    // the fourth central moment of gaps with mean 1 is 3 v^2 + 6 v^3
    const double deviation = std::sqrt((2 * variance * variance + 6 * std::pow(variance, 3)) / kRequests);
    EXPECT_NEAR(squares / kRequests - 1, variance, 5 * deviation + 10 * std::sqrt(variance / kRequests));
    if (burstiness == 0.5) {
      const double share = std::erf(std::sqrt(0.1));
      EXPECT_NEAR(short_gaps, share * kRequests, 5 * std::sqrt(kRequests * share * (1 - share)));
    }
  }
}

TEST(Synthetic, WithTheShapeOfOneIsAPoissonProcess) {
  auto options = synthetic(100);
  const auto poisson = read_all(options);
  options.arrivals = ArrivalMode::gamma;
  EXPECT_EQ(read_all(options), poisson);
  for (const double burstiness : {0.0, -1.0, 0.7, 1.5, 65.0, std::nan("")}) {
    options.burstiness = burstiness;
    EXPECT_NE(refusal_of(options), "accepted") << burstiness;
  }
}

TEST(Synthetic, DrawsClassesByTheirWeights) {
  auto options = synthetic(10'000);
  options.rows.class_weights = {1, 0, 3};
  std::vector<int> counts(3);
  for (const auto& request : read_all(options)) ++counts[static_cast<std::size_t>(request.priority)];
  EXPECT_NEAR(counts[0], 2'500, 5 * std::sqrt(10'000 * 0.25 * 0.75));
  EXPECT_EQ(counts[1], 0);
}

TEST(Synthetic, NeverGoesBackInTime) {
  Time last{};
  for (const auto& request : read_all(synthetic(10'000))) {
    EXPECT_GE(request.arrival, last);
    last = request.arrival;
  }
}

TEST(Synthetic, IsAFunctionOfTheSeed) {
  auto options = synthetic(100);
  const auto first = read_all(options);
  EXPECT_EQ(read_all(options), first);
  options.seed = 2;
  EXPECT_NE(read_all(options), first);
}

TEST(Synthetic, KeepsItsFirstRequestsWhenMoreFollow) {
  auto longer = read_all(synthetic(200));
  longer.resize(100);
  EXPECT_EQ(read_all(synthetic(100)), longer);
}

TEST(Synthetic, GivesATraceTheSameArrivalsAsOtherLengths) {
  auto options = trace("prompt_tokens,output_tokens\n1,1\n0,1\n1,1\n", ArrivalMode::poisson);
  options.rate = 5;
  options.seed = 1;
  const auto of_trace = read_all(options);
  const auto of_histogram = read_all(synthetic(2));
  ASSERT_EQ(of_trace.size(), 2u);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(of_trace[i].arrival, of_histogram[i].arrival);
}

LengthHistogram parse_histogram(const std::string& rows) {
  return parse_length_histogram(std::make_unique<std::istringstream>("quantity,from,to,weight\n" + rows),
                                "h.csv");
}

TEST(LengthHistogram, DrawsEachBinByItsWeightAndEvenlyWithin) {
  const auto histogram = parse_histogram("prompt,1,2,3\nprompt,10,10,1\noutput,5,5,1\n");
  constexpr int kDraws = 100'000;
  std::vector<int> counts(11);
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const engine::RandomKey key{.seed = 1, .purpose = 2, .index = i};
    ++counts[static_cast<std::size_t>(histogram.prompt.draw(key))];
    ASSERT_EQ(histogram.output.draw(key), 5);
  }
  const auto expect_share = [&](std::size_t length, double share) {
    EXPECT_NEAR(counts[length], share * kDraws, 5 * std::sqrt(kDraws * share * (1 - share))) << length;
  };
  expect_share(1, 3.0 / 8);
  expect_share(2, 3.0 / 8);
  expect_share(10, 1.0 / 4);
}

TEST(LengthHistogram, RefusesBrokenRowsWithFileAndLine) {
  const auto refusal_of_rows = [](const std::string& rows) {
    return refusal_of([&] { parse_histogram(rows); });
  };
  EXPECT_EQ(refusal_of_rows("promt,1,2,3\n"),
            "h.csv:2: quantity: 'promt' is not accepted; it must be prompt or output");
  EXPECT_EQ(refusal_of_rows("prompt,0,2,3\n"),
            "h.csv:2: from: '0' is not accepted; it must be a whole number from 1 to 10000000");
  EXPECT_EQ(refusal_of_rows("prompt,5,4,3\n"),
            "h.csv:2: to: '4' is not accepted; it must be a whole number from 5 to 10000000");
  EXPECT_EQ(refusal_of_rows("prompt,1,4,3\nprompt,4,6,3\n"),
            "h.csv:3: from: '4' is not accepted; it must be a whole number from 5 to 10000000");
  EXPECT_EQ(refusal_of_rows("prompt,1,4,0\n"),
            "h.csv:2: weight: '0' is not accepted; it must be a whole number from 1 to 1000000000");
  EXPECT_EQ(refusal_of_rows("prompt,1,4,1\n"), "h.csv: no row has the quantity 'output'");
  EXPECT_EQ(
      refusal_of([] { parse_length_histogram(std::make_unique<std::istringstream>("from,to\n"), "h.csv"); }),
      "h.csv:1: no column 'quantity'; the header must be quantity,from,to,weight");
}

TEST(LengthHistogram, ComesWithTheProgramOrFromAFile) {
  EXPECT_EQ(refusal_of([] { load_length_histogram("chatter"); }),
            "no shipped length histogram 'chatter'; there are chat, wikitext2; a file of yours ends in .csv");
  const auto file = write_file("mine.csv", "quantity,from,to,weight\nprompt,3,3,1\noutput,4,4,1\n");
  EXPECT_EQ(load_length_histogram(file).prompt.draw({}), 3);
}

// Medians of the formula in the header of chat.csv, cut off at the cap c: F(m) = F(c) / 2 with
// F(c) = Phi(ln(2048.5 / 256)) = 0.98123 for prompts, and Phi(ln(1024.5 / 128) / 0.9) = 0.98957 for outputs.
TEST(LengthHistogram, HasTheMediansOfTheChatFormula) {
  constexpr int kDraws = 100'000;
  const auto histogram = load_length_histogram("chat");
  const auto share_up_to = [&](const LengthDistribution& lengths, int limit) {
    int below = 0;
    for (std::uint64_t i = 0; i < kDraws; ++i)
      below += lengths.draw({.seed = 3, .purpose = 4, .index = i}) <= limit;
    return static_cast<double>(below) / kDraws;
  };
  // 5 sigma of a share of one half, and the 1 % by which a straight line misses the curve inside a bin
  constexpr double kTolerance = 0.01 + 5 * 0.5 / 316;
  EXPECT_NEAR(share_up_to(histogram.prompt, 256), 0.5 / 0.98123, kTolerance);
  EXPECT_NEAR(share_up_to(histogram.output, 128), 0.5 / 0.98957, kTolerance);
  EXPECT_EQ(share_up_to(histogram.prompt, 2048), 1);
  EXPECT_EQ(share_up_to(histogram.output, 1024), 1);
}

TEST(Workload, RefusesOptionsThatMakeNoSense) {
  EXPECT_EQ(refusal_of({.arrivals = ArrivalMode::traced}),
            "workload.arrivals: 'traced' needs lengths from a trace too; with other lengths, arrivals are "
            "'all_at_once', 'poisson', 'gamma' or 'closed'");
  EXPECT_EQ(refusal_of({.lengths = LengthMode::trace}),
            "workload.trace_file: no file is named; lengths 'trace' are read from one");
  EXPECT_EQ(refusal_of(synthetic(0)),
            "workload.requests: 0 requests; without a trace, say how many there are");
  EXPECT_EQ(refusal_of({.prompt_tokens = 0, .output_tokens = 1, .requests = 1}),
            "workload.prompt_tokens: 0 tokens are not accepted; a fixed length is from 1 to 10000000 tokens");
  for (const double rate : {0.0, -1.0, 1e-6, 1e13, std::nan("")}) {
    auto options = synthetic(1);
    options.rate = rate;
    EXPECT_NE(refusal_of(options), "accepted") << rate;
  }
}

TEST(Workload, EndsBeforeTheClockDoes) {
  auto options = synthetic(1'000);
  options.rate = 1.0 / 86'400;
  EXPECT_EQ(refusal_of(options).substr(0, 29), "workload.rate_per_s: request ");
}

TEST(Workload, IsSummarised) {
  const auto source =
      make_source(trace("arrival_s,prompt_tokens,output_tokens\n1,10,5\n2,0,5\n3,20,7\n4,25,2\n6.5,5,6\n"));
  const auto summary = summarise(*source);
  EXPECT_EQ(summary.requests, 4u);
  EXPECT_EQ(summary.rows.dropped(), 1u);
  EXPECT_EQ(summary.prompt.total, 60);
  EXPECT_EQ(summary.prompt.smallest, 5);
  EXPECT_EQ(summary.prompt.largest, 25);
  EXPECT_EQ(summary.prompt.mean, 15);
  EXPECT_EQ(summary.output.total, 20);
  EXPECT_EQ(summary.output.smallest, 2);
  EXPECT_EQ(summary.output.largest, 7);
  EXPECT_EQ(summary.output.mean, 5);
  EXPECT_EQ(summary.longest_context, 27);
  EXPECT_EQ(summary.longest_index, 1u);  // the first of two that long
  EXPECT_EQ(summary.longest_where, temporary_folder() + "trace.csv:4");
  EXPECT_EQ(summary.first_arrival, kStart + 1s);
  EXPECT_EQ(summary.last_arrival, kStart + 6'500ms);
}

TEST(Workload, HasAnEmptySummaryWithoutRequests) {
  const auto summary = summarise(*make_source(trace("arrival_s,prompt_tokens,output_tokens\n1,0,5\n")));
  EXPECT_EQ(summary.requests, 0u);
  EXPECT_EQ(summary.rows.dropped(), 1u);
  EXPECT_EQ(summary.prompt.mean, 0);
}

}  // namespace
}  // namespace ouro::llm
