#include "llm/row_requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {

using engine::InputError;

std::string describe(const RowCounts& rows) {
  auto text = fmt::format("{} row{}", rows.read, rows.read == 1 ? "" : "s");
  const char* separator = ": ";
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", separator, count, what);
    separator = ", ";
  };
  add(rows.without_tokens, "without prompt or output dropped");
  add(rows.out_of_order, "out of order dropped");
  add(rows.over_context, "over the maximum context dropped");
  add(rows.delayed, "out of order delayed");
  add(rows.truncated, "truncated to the maximum context");
  return text;
}

RowRequests::RowRequests(std::unique_ptr<RowSource> rows, const RowPolicy& policy,
                         std::optional<GeneratedArrivals> generated, std::uint64_t limit)
    : rows_{std::move(rows)},
      policy_{policy},
      generated_{generated},
      limit_{limit == 0 ? std::numeric_limits<std::uint64_t>::max() : limit},
      weights_{std::accumulate(policy.class_weights.begin(), policy.class_weights.end(), std::int64_t{0})} {
  if (!rows_->starts_at_first_row()) origin_ = Timestamp{};
}

std::optional<Request> RowRequests::next() {
  while (delivered_ < limit_ && rows_->next(row_)) {
    ++counts_.read;
    if (!generated_ && !take_time()) continue;
    if (!policy_.outputs) row_.output_tokens = 0;
    if (row_.prompt_tokens == 0 || (policy_.outputs && row_.output_tokens == 0)) {
      ++counts_.without_tokens;
      continue;
    }
    if (!fit_context()) continue;
    return Request{.index = delivered_++,
                   .arrival = generated_ ? generated_->next() : traced_,
                   .prompt_tokens = row_.prompt_tokens,
                   .output_tokens = row_.output_tokens,
                   .priority = row_.priority ? *row_.priority : priority_of_row(),
                   .prefix_blocks = row_.prefix_blocks};
  }
  return std::nullopt;
}

bool RowRequests::take_time() {
  auto time = *row_.time;
  if (last_ && time < *last_) {
    if (policy_.out_of_order == OutOfOrder::refuse) {
      throw InputError{rows_->where(), "the row is earlier than the one before",
                       "rows must be in order of time, or workload.out_of_order \"drop\" or \"delay\""};
    }
    if (policy_.out_of_order == OutOfOrder::drop) {
      ++counts_.out_of_order;
      return false;
    }
    ++counts_.delayed;
    time = *last_;
  }
  last_ = time;
  if (!origin_) origin_ = time;
  const auto since_origin = elapsed(*origin_, time);
  if (!since_origin) {
    throw InputError{rows_->where(), "the row is more than 106 days after the start",
                     "a run cannot last longer"};
  }
  traced_ = engine::Time{*since_origin};
  return true;
}

bool RowRequests::fit_context() {
  const auto context = std::int64_t{row_.prompt_tokens} + row_.output_tokens;
  if (policy_.max_context == 0 || context <= policy_.max_context) return true;
  if (policy_.over_context == OverContext::refuse) {
    throw InputError{rows_->where(),
                     fmt::format("{} tokens of prompt and output, and serving.max_context is {}", context,
                                 policy_.max_context),
                     "a shorter request, or serving.over_context \"drop\" or \"truncate\""};
  }
  if (policy_.over_context == OverContext::drop) {
    ++counts_.over_context;
    return false;
  }
  ++counts_.truncated;
  row_.prompt_tokens =
      static_cast<std::int32_t>(std::max<std::int64_t>(1, policy_.max_context - row_.output_tokens));
  row_.output_tokens =
      std::min(row_.output_tokens, static_cast<std::int32_t>(policy_.max_context - row_.prompt_tokens));
  const auto whole_blocks = static_cast<std::size_t>(row_.prompt_tokens / policy_.block_tokens);
  row_.prefix_blocks.resize(std::min(row_.prefix_blocks.size(), whole_blocks));
  return true;
}

std::int32_t RowRequests::priority_of_row() const {
  if (policy_.class_weights.size() == 1) return 0;
  const engine::RandomKey key{policy_.seed, engine::random_purpose("priority"), counts_.read - 1};
  auto drawn = static_cast<std::int64_t>(engine::uniform_below(static_cast<std::uint64_t>(weights_), key));
  std::int32_t priority = 0;
  for (; drawn >= policy_.class_weights[static_cast<std::size_t>(priority)]; ++priority)
    drawn -= policy_.class_weights[static_cast<std::size_t>(priority)];
  return priority;
}

}  // namespace ouro::llm
