#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/state_archive.hpp"

namespace ouro::llm {

/// Which stretches of prompts are held after their sequences, and which of them goes first when room is
/// needed.
///
/// A stretch is a whole number of pages of every head. Its key says all tokens up to its end, so that
/// stretches with one key hold the same K and V. One that no sequence uses can be evicted: the one that is
/// unused for the longest time first, and of those that one sequence left, the last first.
class PrefixCache {
 public:
  struct Stretch {
    std::uint64_t key = 0;
    int index = 0;  ///< of the stretch in its prompt
    int users = 0;  ///< sequences
    std::int64_t unused_since = 0;
    std::vector<int> cores;  ///< of the ring: by head, and page in the stretch

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [name, place, holders, since, ring] = *this;
      engine::archive_fields(archive, name, place, holders, since, ring);
    }
  };

  /// The number of the stretch with this key.
  std::optional<int> find(std::uint64_t key) const;
  const Stretch& at(int number) const { return stretches_[static_cast<std::size_t>(number)]; }

  /// Adds a stretch with one user; no other may have its key.
  int add(std::uint64_t key, int index, std::vector<int> cores);
  void use(int number);
  /// A sequence gives up all that it uses.
  void leave(std::span<const int> numbers);

  /// Stretches that no sequence uses.
  std::int64_t unused() const { return static_cast<std::int64_t>(unused_.size()); }
  /// Takes the first of them out.
  int evict();

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [stretches, free_numbers, numbers, unused, leavings] = *this;
    engine::archive_fields(archive, stretches, free_numbers, leavings);
    if constexpr (Archive::is_loading::value) find_again();
  }

 private:
  void find_again();
  using Order = std::tuple<std::int64_t, int, int>;  // unused since, -index, number
  Order order_of(int number) const;

  std::vector<Stretch> stretches_;
  std::vector<int> free_numbers_;
  std::unordered_map<std::uint64_t, int> numbers_;  // by key
  std::set<Order> unused_;
  std::int64_t leavings_ = 0;
};

}  // namespace ouro::llm
