#include "llm/trace_csv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/error.hpp"
#include "llm/request.hpp"

namespace ouro::llm {
namespace {

using engine::CsvReader;
using engine::InputError;
using engine::open_text;

/// The one column of the trace that has one of these names, or the name that the user gave.
std::size_t find_one(const CsvReader& rows, std::vector<std::string_view> names,
                     std::string_view named = {}) {
  if (!named.empty()) names = {named};
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
    throw InputError{
        rows.where(), fmt::format("no column '{}'", names.front()),
        fmt::format("the header must name {}{}", names.size() > 1 ? "one of " : "", fmt::join(names, ", "))};
  }
  return *found;
}

}  // namespace

TraceCsvRows::TraceCsvRows(const std::filesystem::path& file, const TraceColumns& columns)
    : rows_{open_text(file), file.string()},
      prompt_column_{
          find_one(rows_, {"ContextTokens", "num_prefill_tokens", "prompt_tokens"}, columns.prompt)},
      priority_column_{rows_.find_column("priority")},
      fixed_output_{columns.fixed_output} {
  if (fixed_output_ == 0) {
    output_column_ =
        find_one(rows_, {"GeneratedTokens", "num_decode_tokens", "output_tokens"}, columns.output);
  }
  if (!columns.times) return;
  find_one(rows_, {"TIMESTAMP", "arrival_s"});
  wall_clock_column_ = rows_.find_column("TIMESTAMP");
  seconds_column_ = rows_.find_column("arrival_s");
}

bool TraceCsvRows::next(WorkloadRow& row) {
  if (!rows_.next()) return false;
  const auto tokens = [&](std::size_t column) {
    return static_cast<std::int32_t>(rows_.whole_number(column, 0, kMaxTokens));
  };
  if (wall_clock_column_ || seconds_column_) row.time = read_time();
  row.prompt_tokens = tokens(prompt_column_);
  row.output_tokens = output_column_ ? tokens(*output_column_) : fixed_output_;
  if (priority_column_)
    row.priority = static_cast<std::int32_t>(rows_.whole_number(*priority_column_, 0, kMaxClasses - 1));
  return true;
}

Timestamp TraceCsvRows::read_time() const {
  const auto column = wall_clock_column_ ? *wall_clock_column_ : *seconds_column_;
  const auto text = rows_.field(column);
  const auto timestamp = wall_clock_column_ ? parse_wall_clock(text) : parse_seconds(text);
  if (timestamp) return *timestamp;
  throw InputError{rows_.where(), fmt::format("{}: '{}' is not a time", rows_.column_name(column), text),
                   fmt::format("it must look like {}, with at most 12 digits after the point",
                               wall_clock_column_ ? "2023-11-16 18:15:46.6805900" : "12.5")};
}

}  // namespace ouro::llm
