#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/time.hpp"
#include "llm/request.hpp"
#include "llm/row_requests.hpp"

namespace ouro::llm {

enum class ArrivalMode {
  traced,       // as the trace says
  all_at_once,  // at time 0
  poisson,      // at `rate`
  gamma,        // at `rate`, in bursts or regularly
  closed,       // when a user asks again: the source says time 0
};

enum class LengthMode {
  trace,      // of `trace_file`
  fixed,      // `prompt_tokens` and `output_tokens`
  histogram,  // drawn from `histogram`
};

struct WorkloadOptions {
  ArrivalMode arrivals = ArrivalMode::all_at_once;
  LengthMode lengths = LengthMode::fixed;
  std::filesystem::path trace_file{};  // one that ends in .jsonl has a JSON object a line, others are CSV
  std::string prompt_column{};         // of a CSV trace; empty for the known names
  std::string output_column{};         // the same; "none" gives every request `output_tokens`
  std::string histogram = "chat";      // shipped name, or a file that ends in .csv
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;
  double rate = 0;             // requests a second
  double burstiness = 1;       // shape of gamma arrivals: a whole number or 1 over one
  std::uint64_t requests = 0;  // how many; 0 is all of a trace
  std::uint64_t seed = 0;
  RowPolicy rows{};
};

/// @throws engine::InputError  with the name of the option, if one is missing, out of range, or does not go
///                             with another; with file and line, if a header or histogram is broken
std::unique_ptr<RequestSource> make_source(const WorkloadOptions& options);

/// Lengths of one kind over all requests; all 0 without requests.
struct TokenSummary {
  std::int64_t total = 0;
  std::int32_t smallest = 0;
  std::int32_t largest = 0;
  double mean = 0;
};

struct WorkloadSummary {
  std::uint64_t requests = 0;
  RowCounts rows;
  TokenSummary prompt;
  TokenSummary output;
  std::int64_t longest_context = 0;  // prompt and output of one request; the first that has it is
  std::uint64_t longest_index = 0;   // this one,
  std::string longest_where{};       // from here
  int classes = 1;                   // of priority, up to the last one that a request is of
  std::int64_t prefix_blocks = 0;    // of all prompts
  engine::Time first_arrival{};
  engine::Time last_arrival{};
};

/// Reads all requests of a source, which is then at its end. Run before a simulation, on a source of its
/// own, it finds every broken row.
WorkloadSummary summarise(RequestSource& source);

}  // namespace ouro::llm
