#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engine/csv.hpp"
#include "llm/row_source.hpp"

namespace ouro::llm {

/// Which columns of a trace count; empty for the known names.
struct TraceColumns {
  std::string prompt{};
  std::string output{};
  std::int32_t fixed_output = 0;  ///< tokens of every output, where no column is read; 0 to read one
  bool times = true;              ///< whether a column of times is needed
};

/// Rows of a CSV trace. Its header names, in any order and among others,
///   - TIMESTAMP (UTC; the first row is time 0) or arrival_s (seconds since the start of the run),
///   - ContextTokens, num_prefill_tokens or prompt_tokens,
///   - GeneratedTokens, num_decode_tokens or output_tokens,
///   - perhaps priority:
/// the columns of the Azure traces, of Vidur's length lists, and our own.
class TraceCsvRows final : public RowSource {
 public:
  TraceCsvRows(const std::filesystem::path& file, const TraceColumns& columns);

  bool next(WorkloadRow& row) override;
  std::string where() const override { return rows_.where(); }
  bool starts_at_first_row() const override { return wall_clock_column_.has_value(); }

 private:
  Timestamp read_time() const;

  engine::CsvReader rows_;
  std::optional<std::size_t> wall_clock_column_;
  std::optional<std::size_t> seconds_column_;
  std::size_t prompt_column_;
  std::optional<std::size_t> output_column_;
  std::optional<std::size_t> priority_column_;
  std::int32_t fixed_output_;
};

}  // namespace ouro::llm
