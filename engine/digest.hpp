#pragma once

#include <cstdint>
#include <string_view>

#include "engine/event.hpp"

namespace ouro::engine {

/// A 64-bit summary of a sequence of events: equal sequences have equal digests, and different ones differ
/// but for an accident of one in 2^64. XXH3 of each event, seeded with the digest of those before it.
class Digest {
 public:
  void add(const Event& event);
  std::uint64_t value() const { return value_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& value_;
  }

 private:
  std::uint64_t value_ = 0;
};

/// One term of a sum over LPs that does not depend on the order of its terms.
std::uint64_t digest_term(LpId id, std::uint64_t digest);

/// XXH3 of some bytes.
std::uint64_t digest_of(std::string_view bytes);

}  // namespace ouro::engine
