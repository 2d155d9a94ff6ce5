#include "engine/digest.hpp"

#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ouro::engine {

void Digest::add(const Event& event) {
  value_ = XXH3_64bits_withSeed(&event, sizeof event, value_);
}

std::uint64_t digest_term(LpId id, std::uint64_t digest) {
  const std::array<std::uint64_t, 2> pair{id.value(), digest};
  return XXH3_64bits(pair.data(), sizeof pair);
}

std::uint64_t digest_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace ouro::engine
