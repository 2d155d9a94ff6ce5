#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"

namespace ouro::llm {

/// A set of KV cores of one ring.
class CoreSet {
 public:
  explicit CoreSet(std::size_t ring = 0) : words_((ring + kBits - 1) / kBits) {}

  void add(int core) {
    words_[static_cast<std::size_t>(core) / kBits] |= std::uint64_t{1}
                                                      << static_cast<std::size_t>(core) % kBits;
  }
  /// Whether a core is in both; of one ring.
  bool meets(const CoreSet& other) const {
    std::uint64_t both = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) both |= words_[i] & other.words_[i];
    return both != 0;
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [words] = *this;
    engine::archive_fields(archive, words);
  }

 private:
  static constexpr std::size_t kBits = 64;
  std::vector<std::uint64_t> words_;
};

/// Until when the KV cores of a ring work for tokens. Only a few tokens are at them at a time, so those are
/// kept, and not the time of each core.
class RingUse {
 public:
  /// When all of these cores are free; a time that has passed if they are now.
  engine::Time free(const CoreSet& cores, engine::Time now) const {
    engine::Time free{};
    for (const auto& use : uses_) {
      if (use.until > now && use.until > free && use.cores.meets(cores)) free = use.until;
    }
    return free;
  }

  void use(const CoreSet& cores, engine::Time until, engine::Time now) {
    auto place = std::find_if(uses_.begin(), uses_.end(), [now](const Use& use) { return use.until <= now; });
    if (place == uses_.end()) place = uses_.emplace(place);
    place->until = until;
    place->cores = cores;
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [uses] = *this;
    engine::archive_fields(archive, uses);
  }

 private:
  struct Use {
    engine::Time until{};
    CoreSet cores;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [end, taken] = *this;
      engine::archive_fields(archive, end, taken);
    }
  };
  std::vector<Use> uses_;  // those that have ended are replaced
};

}  // namespace ouro::llm
