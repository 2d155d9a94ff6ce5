#pragma once

#include <algorithm>
#include <array>
#include <boost/mpl/bool.hpp>
#include <boost/serialization/is_bitwise_serializable.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <tuple>
#include <type_traits>

#include "engine/id.hpp"
#include "engine/time.hpp"

namespace ouro::engine {

using LpId = Id<struct LpTag>;

/// What one logical process tells another, or itself, about a moment in the future.
///
/// The first four fields are the total order in which events are handled, which no partition can change.
struct Event {
  static constexpr std::size_t kPayloadBytes = 40;

  Time time{};
  LpId to;
  LpId from;
  std::uint64_t sequence = 0;  ///< counts what `from` has sent
  std::array<std::byte, kPayloadBytes> payload{};

  friend bool operator<(const Event& a, const Event& b) {
    return std::tie(a.time, a.to, a.from, a.sequence) < std::tie(b.time, b.to, b.from, b.sequence);
  }

  /// @return the payload as the model's own type; the model's first field tells which it is
  template <class Payload>
  Payload as() const {
    static_assert(sizeof(Payload) <= kPayloadBytes && std::is_trivially_copyable_v<Payload>);
    Payload result;
    std::memcpy(&result, payload.data(), sizeof result);
    return result;
  }

  template <class Payload>
  void set(const Payload& content) {
    static_assert(sizeof(Payload) <= kPayloadBytes && std::is_trivially_copyable_v<Payload>);
    static_assert(std::has_unique_object_representations_v<Payload>,
                  "padding would make digests depend on what memory held before");
    std::memcpy(payload.data(), &content, sizeof content);
  }
};

/// kNever if there is none.
inline Time earliest_of(std::span<const Event> events) {
  Time earliest = kNever;
  for (const auto& event : events) earliest = std::min(earliest, event.time);
  return earliest;
}

static_assert(sizeof(Event) == 64 && std::is_trivially_copyable_v<Event>);

}  // namespace ouro::engine

BOOST_IS_BITWISE_SERIALIZABLE(ouro::engine::Event)  // archives copy arrays of events as bytes
