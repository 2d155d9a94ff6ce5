#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

#include "engine/error.hpp"
#include "llm/length_histogram.hpp"
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
  EXPECT_EQ(source->dropped_rows(), 2u);
  EXPECT_EQ(source->next(), (Request{1, kStart + 4s, 7, 1}));
  EXPECT_EQ(source->next(), std::nullopt);
  EXPECT_EQ(source->dropped_rows(), 3u);
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
            "trace.csv:3: the row is earlier than the one before; rows must be in order of time");
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
            "no shipped length histogram 'chatter'; there are chat; a file of yours ends in .csv");
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
            "'all_at_once' or 'poisson'");
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
  EXPECT_EQ(summary.dropped_rows, 1u);
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
  EXPECT_EQ(summary.dropped_rows, 1u);
  EXPECT_EQ(summary.prompt.mean, 0);
}

}  // namespace
}  // namespace ouro::llm
