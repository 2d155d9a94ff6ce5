#pragma once

#include <filesystem>
#include <optional>

#include "engine/csv.hpp"
#include "llm/arrivals.hpp"
#include "llm/request.hpp"
#include "llm/timestamp.hpp"

namespace ouro::llm {

/// Requests from a CSV trace. Its header names, in any order and among others,
///   - TIMESTAMP (UTC; the first row is time 0) or arrival_s (seconds since the start of the run),
///   - ContextTokens, num_prefill_tokens or prompt_tokens,
///   - GeneratedTokens, num_decode_tokens or output_tokens:
/// the columns of the Azure traces, of Vidur's length lists, and our own.
class TraceCsvSource final : public RequestSource {
 public:
  /// @param generated  the arrivals; none takes them from the trace, which then needs a column of times
  /// @param limit      how many requests to deliver at most; 0 for all
  TraceCsvSource(const std::filesystem::path& file, std::optional<GeneratedArrivals> generated,
                 std::uint64_t limit);

  std::optional<Request> next() override;
  std::string where() const override { return rows_.where(); }
  std::uint64_t dropped_rows() const override { return dropped_rows_; }

 private:
  engine::Time read_arrival();
  Timestamp read_timestamp() const;

  engine::CsvReader rows_;
  std::optional<GeneratedArrivals> generated_;
  std::optional<std::size_t> wall_clock_column_;
  std::optional<std::size_t> seconds_column_;
  std::size_t prompt_column_;
  std::size_t output_column_;
  std::uint64_t limit_;
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_rows_ = 0;
  std::optional<Timestamp> origin_;  // time 0
  std::optional<Timestamp> last_;    // of the row before
};

}  // namespace ouro::llm
