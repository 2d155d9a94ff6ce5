#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "llm/timestamp.hpp"

namespace ouro::llm {

/// A request as a trace or a distribution has it, before any policy.
struct WorkloadRow {
  std::optional<Timestamp> time{};  // none where the rows have no times
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;
  std::optional<std::int32_t> priority{};
  std::vector<std::uint64_t> prefix_blocks{};
};

/// The rows of a workload, one at a time.
class RowSource {
 public:
  virtual ~RowSource() = default;

  /// @return  false at the end, with `row` left as it is
  /// @throws engine::InputError  at a broken row, with its file and line
  virtual bool next(WorkloadRow& row) = 0;

  /// For messages: where the last row came from.
  virtual std::string where() const = 0;

  /// Whether the first row's time is time 0, as it is where times are dates; else they count from time 0.
  virtual bool starts_at_first_row() const { return false; }
};

}  // namespace ouro::llm
