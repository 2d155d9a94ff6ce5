#pragma once

#include <filesystem>
#include <istream>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "llm/row_source.hpp"

namespace ouro::llm {

/// Rows of a trace with one JSON object a line. Its keys are, among others,
///   - timestamp (whole milliseconds from time 0) or arrival_time_ns (whole nanoseconds),
///   - input_length or input_toks, and output_length or output_toks,
///   - perhaps hash_ids, the names of the prompt's blocks, and priority:
/// those of the Mooncake traces and of ShareGPT samples as LLMServingSim stores them.
class TraceJsonlRows final : public RowSource {
 public:
  /// @param block_tokens  tokens of a block of hash_ids; a prompt with another number of blocks is refused
  /// @param times         whether times are needed
  TraceJsonlRows(const std::filesystem::path& file, std::int32_t block_tokens, bool times);

  bool next(WorkloadRow& row) override;
  std::string where() const override;

 private:
  bool read_line();
  /// The value of the one key of these that is there; nullptr for none.
  const nlohmann::json* find(const nlohmann::json& object, const char* key, const char* other) const;
  std::int64_t whole_number(const nlohmann::json& object, const char* key, const char* other,
                            std::int64_t largest) const;
  void read_time(const nlohmann::json& object, WorkloadRow& row) const;
  void read_blocks(const nlohmann::json& object, WorkloadRow& row) const;

  std::unique_ptr<std::istream> text_;
  std::string name_;
  std::int32_t block_tokens_;
  bool times_;
  std::int64_t line_number_ = 0;
  std::string line_;
};

}  // namespace ouro::llm
