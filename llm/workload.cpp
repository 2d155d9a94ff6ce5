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

namespace ouro::llm {
namespace {

using engine::InputError;

constexpr double kTicksPerSecond = engine::SimClock::period::den;
constexpr double kLowestRate = 1.0 / 86'400;  // keeps a gap within the clock, see engine::exponential

engine::Duration mean_gap(double rate) {
  if (!(rate >= kLowestRate && rate <= kTicksPerSecond)) {
    throw InputError{"workload.rate_per_s", fmt::format("{} requests a second are not accepted", rate),
                     "the rate of poisson arrivals is from one a day to one a picosecond"};
  }
  return engine::Duration{std::llround(kTicksPerSecond / rate)};
}

GeneratedArrivals make_arrivals(const WorkloadOptions& options) {
  const bool spread = options.arrivals == ArrivalMode::poisson;
  return {spread ? mean_gap(options.rate) : engine::Duration{}, options.seed};
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

std::unique_ptr<RequestSource> make_trace(const WorkloadOptions& options) {
  if (options.trace_file.empty()) {
    throw InputError{"workload.trace_file", "no file is named", "lengths 'trace' are read from one"};
  }
  const bool traced = options.arrivals == ArrivalMode::traced;
  return std::make_unique<TraceCsvSource>(
      options.trace_file, traced ? std::nullopt : std::optional{make_arrivals(options)}, options.requests);
}

std::unique_ptr<RequestSource> make_synthetic(const WorkloadOptions& options) {
  if (options.arrivals == ArrivalMode::traced) {
    throw InputError{"workload.arrivals", "'traced' needs lengths from a trace too",
                     "with other lengths, arrivals are 'all_at_once' or 'poisson'"};
  }
  if (options.requests == 0) {
    throw InputError{"workload.requests", "0 requests", "without a trace, say how many there are"};
  }
  return std::make_unique<SyntheticSource>(make_lengths(options), make_arrivals(options), options.requests,
                                           options.seed);
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

  const auto context = std::int64_t{request.prompt_tokens} + request.output_tokens;
  if (context <= summary.longest_context) return;
  summary.longest_context = context;
  summary.longest_index = request.index;
  summary.longest_where = source.where();
}

}  // namespace

std::unique_ptr<RequestSource> make_source(const WorkloadOptions& options) {
  return options.lengths == LengthMode::trace ? make_trace(options) : make_synthetic(options);
}

WorkloadSummary summarise(RequestSource& source) {
  WorkloadSummary summary;
  while (const auto request = source.next()) add(summary, *request, source);
  summary.dropped_rows = source.dropped_rows();
  const auto requests = static_cast<double>(std::max<std::uint64_t>(1, summary.requests));
  summary.prompt.mean = static_cast<double>(summary.prompt.total) / requests;
  summary.output.mean = static_cast<double>(summary.output.total) / requests;
  return summary;
}

}  // namespace ouro::llm
