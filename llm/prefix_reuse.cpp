#include "llm/prefix_reuse.hpp"

#include <algorithm>
#include <unordered_set>

namespace ouro::llm {

PrefixReuse find_prefix_reuse(RequestSource& source, std::int32_t block_tokens) {
  PrefixReuse reuse;
  std::unordered_set<std::uint64_t> seen;
  while (const auto request = source.next()) {
    const auto& blocks = request->prefix_blocks;
    const auto leading =
        std::find_if(blocks.begin(), blocks.end(), [&](std::uint64_t id) { return !seen.contains(id); }) -
        blocks.begin();
    reuse.blocks += static_cast<std::int64_t>(blocks.size());
    reuse.blocks_seen += leading;
    reuse.tokens_seen += std::min<std::int64_t>(leading * block_tokens, request->prompt_tokens);
    seen.insert(blocks.begin(), blocks.end());
  }
  reuse.different_blocks = static_cast<std::int64_t>(seen.size());
  return reuse;
}

}  // namespace ouro::llm
