#include "llm/trace_csv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>
#include <limits>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using engine::CsvReader;
using engine::InputError;
using engine::open_text;

/// The one column of the trace that has one of these names.
std::size_t find_one(const CsvReader& rows, std::initializer_list<std::string_view> names) {
  std::optional<std::size_t> found;
  for (const auto name : names) {
    const auto column = rows.find_column(name);
    if (!column) continue;
    if (found) {
      throw InputError{rows.where(),
                       fmt::format("'{}' and '{}' mean the same", rows.column_name(*found), name),
                       "a trace has one of them"};
    }
    found = column;
  }
  if (!found) {
    throw InputError{rows.where(), fmt::format("no column '{}'", *names.begin()),
                     fmt::format("the header must name one of {}", fmt::join(names, ", "))};
  }
  return *found;
}

}  // namespace

TraceCsvSource::TraceCsvSource(const std::filesystem::path& file, std::optional<GeneratedArrivals> generated,
                               std::uint64_t limit)
    : rows_{open_text(file), file.string()},
      generated_{generated},
      prompt_column_{find_one(rows_, {"ContextTokens", "num_prefill_tokens", "prompt_tokens"})},
      output_column_{find_one(rows_, {"GeneratedTokens", "num_decode_tokens", "output_tokens"})},
      limit_{limit == 0 ? std::numeric_limits<std::uint64_t>::max() : limit} {
  if (generated_) return;
  find_one(rows_, {"TIMESTAMP", "arrival_s"});
  wall_clock_column_ = rows_.find_column("TIMESTAMP");
  seconds_column_ = rows_.find_column("arrival_s");
  if (seconds_column_) origin_ = Timestamp{};
}

std::optional<Request> TraceCsvSource::next() {
  while (delivered_ < limit_ && rows_.next()) {
    const auto traced = generated_ ? engine::Time{} : read_arrival();
    const auto prompt = rows_.whole_number(prompt_column_, 0, kMaxTokens);
    const auto output = rows_.whole_number(output_column_, 0, kMaxTokens);
    if (prompt == 0 || output == 0) {
      ++dropped_rows_;
      continue;
    }
    return Request{.index = delivered_++,
                   .arrival = generated_ ? generated_->next() : traced,
                   .prompt_tokens = static_cast<std::int32_t>(prompt),
                   .output_tokens = static_cast<std::int32_t>(output)};
  }
  return std::nullopt;
}

engine::Time TraceCsvSource::read_arrival() {
  const auto timestamp = read_timestamp();
  if (last_ && timestamp < *last_) {
    throw InputError{rows_.where(), "the row is earlier than the one before",
                     "rows must be in order of time"};
  }
  last_ = timestamp;
  if (!origin_) origin_ = timestamp;
  const auto since_origin = elapsed(*origin_, timestamp);
  if (since_origin) return engine::Time{*since_origin};
  throw InputError{rows_.where(), "the row is more than 106 days after the start",
                   "a run cannot last longer"};
}

Timestamp TraceCsvSource::read_timestamp() const {
  const auto column = wall_clock_column_ ? *wall_clock_column_ : *seconds_column_;
  const auto text = rows_.field(column);
  const auto timestamp = wall_clock_column_ ? parse_wall_clock(text) : parse_seconds(text);
  if (timestamp) return *timestamp;
  throw InputError{rows_.where(), fmt::format("{}: '{}' is not a time", rows_.column_name(column), text),
                   fmt::format("it must look like {}, with at most 12 digits after the point",
                               wall_clock_column_ ? "2023-11-16 18:15:46.6805900" : "12.5")};
}

}  // namespace ouro::llm
