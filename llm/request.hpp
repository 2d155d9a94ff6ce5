#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"

namespace ouro::llm {

/// More tokens than this in one prompt or output are a mistake in the input.
inline constexpr std::int32_t kMaxTokens = 10'000'000;

/// Classes of priority that a workload may have; class 0 is served first.
inline constexpr int kMaxClasses = 16;

/// A sequence as a user asks for it. Both lengths are at least 1, but that a model that gives no tokens has
/// no output.
struct Request {
  std::uint64_t index = 0;  // of all that were delivered, from 0
  engine::Time arrival{};
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;
  std::int32_t priority = 0;                      // its class
  std::vector<std::uint64_t> prefix_blocks = {};  // names of the prompt's blocks, from its first token on

  friend bool operator==(const Request&, const Request&) = default;

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [number, arrives, prompt, output, of_class, prefix] = *this;
    engine::archive_fields(archive, number, arrives, prompt, output, of_class, prefix);
  }
};

/// What became of the rows of a workload.
struct RowCounts {
  std::uint64_t read = 0;
  std::uint64_t without_tokens = 0;  // dropped: no prompt or no output
  std::uint64_t out_of_order = 0;    // dropped: earlier than the row before
  std::uint64_t over_context = 0;    // dropped: longer than the maximum context
  std::uint64_t delayed = 0;         // earlier than the row before, and taken with it
  std::uint64_t truncated = 0;       // cut to the maximum context

  std::uint64_t dropped() const { return without_tokens + out_of_order + over_context; }
};

/// In a line, such as "7 rows: 2 without prompt or output dropped, 1 truncated".
std::string describe(const RowCounts& rows);

/// A stream of requests in order of arrival. It holds one at a time, so that memory does not grow with
/// their number.
class RequestSource {
 public:
  virtual ~RequestSource() = default;

  /// The next request; none at the end.
  /// @throws engine::InputError  at the first broken row, with its file and line
  virtual std::optional<Request> next() = 0;

  /// For messages: where the last request came from.
  virtual std::string where() const = 0;

  /// So far.
  virtual const RowCounts& rows() const = 0;
};

}  // namespace ouro::llm
