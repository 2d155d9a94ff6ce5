#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/time.hpp"

namespace ouro::llm {

/// More tokens than this in one prompt or output are a mistake in the input.
inline constexpr std::int32_t kMaxTokens = 10'000'000;

/// A sequence as a user asks for it. Both lengths are at least 1.
struct Request {
  std::uint64_t index = 0;  // of all that were delivered, from 0
  engine::Time arrival{};
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;

  friend bool operator==(const Request&, const Request&) = default;
};

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

  /// Rows without prompt or without output, left out so far.
  virtual std::uint64_t dropped_rows() const = 0;
};

}  // namespace ouro::llm
