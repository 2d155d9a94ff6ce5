#pragma once

#include <cstdint>

#include "llm/request.hpp"

namespace ouro::llm {

/// What prefix caching could save at most.
struct PrefixReuse {
  std::int64_t blocks = 0;       ///< of all prompts
  std::int64_t blocks_seen = 0;  ///< leading blocks that a prompt before had
  std::int64_t tokens_seen = 0;  ///< of these
  std::int64_t different_blocks = 0;
};

/// Reads all requests of a source: how much of them an unlimited cache would hold, if each request were
/// served after all before it. A block counts only if all blocks before it in its prompt do.
///
/// Memory grows with the different blocks.
PrefixReuse find_prefix_reuse(RequestSource& source, std::int32_t block_tokens);

}  // namespace ouro::llm
