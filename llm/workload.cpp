#include "llm/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/error.hpp"
#include "llm/arrivals.hpp"
#include "llm/length_histogram.hpp"
#include "llm/synthetic.hpp"
#include "llm/trace_csv.hpp"
#include "llm/trace_jsonl.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;

constexpr double kTicksPerSecond = engine::SimClock::period::den;
constexpr double kLowestRate = 1.0 / 86'400;  // keeps a gap within the clock, see engine::exponential

engine::Duration mean_gap(double rate) {
  if (!(rate >= kLowestRate && rate <= kTicksPerSecond)) {
    throw InputError{"workload.rate_per_s", fmt::format("{} requests a second are not accepted", rate),
                     "the rate of poisson and gamma arrivals is from one a day to one a picosecond"};
  }
  return engine::Duration{std::llround(kTicksPerSecond / rate)};
}

GapShape gap_shape(double burstiness) {
  constexpr int kMost = 64;
  const bool regular = burstiness >= 1;
  const double whole = regular ? burstiness : 1 / burstiness;
  const double nearest = std::round(whole);
  if (!(burstiness > 0) || nearest > kMost || std::abs(whole - nearest) > 0.01 * nearest) {
    throw InputError{"workload.burstiness", fmt::format("{} is not accepted", burstiness),
                     fmt::format("a whole number n, or 1 / n for bursts, with n up to {}", kMost)};
  }
  const auto n = static_cast<int>(nearest);
  return regular ? GapShape{.numerator = n} : GapShape{.denominator = n};
}

GeneratedArrivals make_arrivals(const WorkloadOptions& options) {
  const bool gamma = options.arrivals == ArrivalMode::gamma;
  const bool spread = gamma || options.arrivals == ArrivalMode::poisson;
  return {spread ? mean_gap(options.rate) : engine::Duration{},
          gamma ? gap_shape(options.burstiness) : GapShape{}, options.seed};
}

LengthDistribution fixed_length(const char* option, std::int32_t tokens) {
  if (tokens < 1 || tokens > kMaxTokens) {
    throw InputError{fmt::format("workload.{}", option), fmt::format("{} tokens are not accepted", tokens),
                     fmt::format("a fixed length is from 1 to {} tokens", kMaxTokens)};
  }
  return LengthDistribution{{LengthBin{.from = tokens, .to = tokens}}};
}

LengthHistogram make_lengths(const WorkloadOptions& options) {
  if (options.lengths == LengthMode::histogram) return load_length_histogram(options.histogram);
  return {fixed_length("prompt_tokens", options.prompt_tokens),
          fixed_length("output_tokens", options.output_tokens)};
}

std::unique_ptr<RowSource> open_trace(const WorkloadOptions& options) {
  const bool times = options.arrivals == ArrivalMode::traced;
  const bool fixed_output = options.output_column == "none";
  if (options.trace_file.empty()) {
    throw InputError{"workload.trace_file", "no file is named", "lengths 'trace' are read from one"};
  }
  if (options.trace_file.extension() != ".jsonl") {
    return std::make_unique<TraceCsvRows>(
        options.trace_file,
        TraceColumns{options.prompt_column, fixed_output ? std::string{} : options.output_column,
                     fixed_output ? options.output_tokens : 0, times});
  }
  if (!options.prompt_column.empty() || !options.output_column.empty()) {
    throw InputError{"workload.trace_file", "a trace in JSON lines has no columns to choose",
                     "leave workload.prompt_column and workload.output_column empty"};
  }
  return std::make_unique<TraceJsonlRows>(options.trace_file, options.rows.block_tokens, times);
}

std::unique_ptr<RowSource> make_synthetic(const WorkloadOptions& options) {
  if (options.arrivals == ArrivalMode::traced) {
    throw InputError{"workload.arrivals", "'traced' needs lengths from a trace too",
                     "with other lengths, arrivals are 'all_at_once', 'poisson', 'gamma' or 'closed'"};
  }
  if (options.requests == 0) {
    throw InputError{"workload.requests", "0 requests", "without a trace, say how many there are"};
  }
  return std::make_unique<SyntheticRows>(make_lengths(options), options.requests, options.seed);
}

void add(TokenSummary& summary, std::int32_t tokens, bool first) {
  summary.total += tokens;
  summary.smallest = first ? tokens : std::min(summary.smallest, tokens);
  summary.largest = std::max(summary.largest, tokens);
}

void add(WorkloadSummary& summary, const Request& request, const RequestSource& source) {
  const bool first = summary.requests == 0;
  if (first) summary.first_arrival = request.arrival;
  summary.last_arrival = request.arrival;
  add(summary.prompt, request.prompt_tokens, first);
  add(summary.output, request.output_tokens, first);
  ++summary.requests;
  summary.classes = std::max(summary.classes, request.priority + 1);
  summary.prefix_blocks += static_cast<std::int64_t>(request.prefix_blocks.size());

  const auto context = std::int64_t{request.prompt_tokens} + request.output_tokens;
  if (context <= summary.longest_context) return;
  summary.longest_context = context;
  summary.longest_index = request.index;
  summary.longest_where = source.where();
}

}  // namespace

std::unique_ptr<RequestSource> make_source(const WorkloadOptions& options) {
  auto rows = options.lengths == LengthMode::trace ? open_trace(options) : make_synthetic(options);
  const bool traced = options.arrivals == ArrivalMode::traced;
  return std::make_unique<RowRequests>(std::move(rows), options.rows,
                                       traced ? std::nullopt : std::optional{make_arrivals(options)},
                                       options.requests);
}

WorkloadSummary summarise(RequestSource& source) {
  WorkloadSummary summary;
  while (const auto request = source.next()) add(summary, *request, source);
  summary.rows = source.rows();
  const auto requests = static_cast<double>(std::max<std::uint64_t>(1, summary.requests));
  summary.prompt.mean = static_cast<double>(summary.prompt.total) / requests;
  summary.output.mean = static_cast<double>(summary.output.total) / requests;
  return summary;
}

}  // namespace ouro::llm
