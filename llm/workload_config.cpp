#include "llm/workload_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace ouro::llm {
namespace {

using engine::Config;

LengthMode read_lengths(const Config& config) {
  const auto lengths = config.at("workload.lengths").as_choice({"histogram", "fixed", "trace"});
  if (lengths == "fixed") return LengthMode::fixed;
  return lengths == "trace" ? LengthMode::trace : LengthMode::histogram;
}

ArrivalMode read_arrivals(const Config& config) {
  const auto arrivals =
      config.at("workload.arrivals").as_choice({"all_at_once", "poisson", "gamma", "traced", "closed"});
  if (arrivals == "poisson") return ArrivalMode::poisson;
  if (arrivals == "gamma") return ArrivalMode::gamma;
  if (arrivals == "closed") return ArrivalMode::closed;
  return arrivals == "traced" ? ArrivalMode::traced : ArrivalMode::all_at_once;
}

std::vector<std::int64_t> read_class_weights(const Config& config) {
  constexpr std::int64_t kMostWeight = 1'000'000;
  const auto setting = config.at("workload.class_weights");
  auto weights = setting.as_int_list();
  const bool in_range = std::all_of(weights.begin(), weights.end(),
                                    [](std::int64_t weight) { return weight >= 0 && weight <= kMostWeight; });
  if (weights.empty() || weights.size() > kMaxClasses || !in_range ||
      std::accumulate(weights.begin(), weights.end(), std::int64_t{0}) == 0) {
    throw setting.refusal("not accepted as weights of classes",
                          fmt::format("1 to {} whole numbers up to {}, not all 0", kMaxClasses, kMostWeight));
  }
  return weights;
}

RowPolicy read_rows(const Config& config) {
  RowPolicy rows;
  const auto order = config.at("workload.out_of_order").as_choice({"refuse", "drop", "delay"});
  rows.out_of_order = order == "drop"    ? OutOfOrder::drop
                      : order == "delay" ? OutOfOrder::delay
                                         : OutOfOrder::refuse;
  const auto over = config.at("serving.over_context").as_choice({"refuse", "drop", "truncate"});
  rows.over_context = over == "drop"       ? OverContext::drop
                      : over == "truncate" ? OverContext::truncate
                                           : OverContext::refuse;
  rows.max_context = config.at("serving.max_context").as_int(0, 2 * std::int64_t{kMaxTokens});
  if (rows.max_context == 1) {
    throw config.at("serving.max_context")
        .refusal("a request has a token of prompt and one of output", "2 or more");
  }
  rows.block_tokens =
      static_cast<std::int32_t>(config.at("workload.prefix_block_tokens").as_int(1, kMaxTokens));
  rows.class_weights = read_class_weights(config);
  rows.seed = static_cast<std::uint64_t>(config.at("workload.seed").as_int(0));
  return rows;
}

}  // namespace

WorkloadOptions read_workload_options(const Config& config) {
  WorkloadOptions options;
  options.lengths = read_lengths(config);
  options.arrivals = read_arrivals(config);
  options.trace_file = config.at("workload.trace_file").as_string();
  options.prompt_column = config.at("workload.prompt_column").as_string();
  options.output_column = config.at("workload.output_column").as_string();
  options.histogram = config.at("workload.histogram").as_string();
  options.prompt_tokens =
      static_cast<std::int32_t>(config.at("workload.prompt_tokens").as_int(1, kMaxTokens));
  options.output_tokens =
      static_cast<std::int32_t>(config.at("workload.output_tokens").as_int(1, kMaxTokens));
  options.rate = config.at("workload.rate_per_s").as_number(1e-6, 1e12);
  options.burstiness = config.at("workload.burstiness").as_number();
  options.requests = static_cast<std::uint64_t>(config.at("workload.requests").as_int(0, 1'000'000'000'000));
  options.seed = static_cast<std::uint64_t>(config.at("workload.seed").as_int(0));
  options.rows = read_rows(config);
  if (options.requests == 0 && options.lengths != LengthMode::trace) {
    throw config.at("workload.requests")
        .refusal("0 means all of a trace, and the lengths are from none", "1 or more");
  }
  return options;
}

}  // namespace ouro::llm
