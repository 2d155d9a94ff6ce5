#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <optional>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"

namespace ouro::llm {

/// Collects the parts of several tokens at a time, few enough for a plain search.
class Gather {
 public:
  /// When the first and the last part are there.
  struct Span {
    engine::Time first;
    engine::Time last;
  };

  /// Adds a part of token `number` that is complete at `at`.
  /// @param part_of   tells apart what else is gathered for the same token, such as its heads
  /// @param expected  parts until it is whole
  /// @return  when the last part is there, once all are known; the token is then forgotten
  std::optional<engine::Time> add(std::uint32_t number, std::uint32_t part_of, int expected,
                                  engine::Time at) {
    const auto whole = add(number, part_of, expected, Span{at, at});
    return whole ? std::optional{whole->last} : std::nullopt;
  }

  /// The same of several parts in one, or of one that is no first part: then `first` is kNever.
  std::optional<Span> add(std::uint32_t number, std::uint32_t part_of, int expected, const Span& at) {
    if (expected == 1) return at;
    auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
      return pending.number == number && pending.part_of == part_of;
    });
    if (found == pending_.end())
      found = pending_.insert(pending_.end(), Pending{number, part_of, 0, {engine::kNever, engine::Time{}}});
    found->whole = {std::min(found->whole.first, at.first), std::max(found->whole.last, at.last)};
    if (++found->parts < expected) return std::nullopt;
    const auto whole = found->whole;
    if (found != pending_.end() - 1) *found = pending_.back();
    pending_.pop_back();
    return whole;
  }

  void clear() { pending_.clear(); }
  bool empty() const { return pending_.empty(); }
  /// Tokens of which a first part is there by then.
  std::int64_t begun_by(engine::Time now) const {
    return std::count_if(pending_.begin(), pending_.end(),
                         [now](const Pending& pending) { return pending.whole.first <= now; });
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& pending_;
  }

 private:
  struct Pending {
    std::uint32_t number;
    std::uint32_t part_of;
    int parts;
    Span whole;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, part, count, when] = *this;
      engine::archive_fields(archive, of, part, count, when.first, when.last);
    }
  };
  boost::container::small_vector<Pending, 2> pending_;  // rarely more: no allocation, one place in memory
};

}  // namespace ouro::llm
