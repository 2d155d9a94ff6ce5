#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/ready_tokens.hpp"

namespace ouro::llm {

/// What a station does, or what it waits for while its crossbars have nothing to do.
enum class StationState : unsigned char {
  passes,    ///< crossbar passes of its tiles, one after another from the launches on
  home,      ///< its home core takes a vector in over its link, or normalises it
  no_token,  ///< nothing of a next token is there: a bubble
  network,   ///< parts of the next token are there, others come later than the link to the home core needs
  sequence,  ///< the next token is there, others of its sequence are not
  kv_write,  ///< the next token would meet the one before at the KV cores of their sequence
  /// The next token may leave, but has no credit: the one whose credit it takes is not whole at the next
  /// station. It is in the tiles of this one, in their output buffers, or under way from there.
  output_buffer,
  input_buffer,  ///< the same, but that one is whole: it is in the next station's buffer, or its credit comes
};
inline constexpr std::array<std::string_view, 8> kStationStateNames{
    "passes", "home", "no_token", "network", "sequence", "kv_write", "output_buffer", "input_buffer"};
inline constexpr std::size_t kStationStates = kStationStateNames.size();

/// Into what a station's time went since the run began. Each moment counts once: for passes where there are
/// any, else for what the token that leaves next waits for.
class StationTimes {
 public:
  /// When the next token could leave but for one thing; kNever if that thing was not missing.
  struct Waits {
    engine::Time kv_since = engine::kNever;
    engine::Time credit_since = engine::kNever;
    engine::Time whole_ahead{};  ///< when the token whose credit came last was whole at the next station

    /// Of the time without a credit, that before the token ahead was whole at the next station.
    engine::Duration for_output_buffer(engine::Time now) const {
      return std::max(std::min(whole_ahead, now) - std::min(credit_since, now), engine::Duration{});
    }
    /// The rest of it.
    engine::Duration for_input_buffer(engine::Time now) const {
      return now - std::min(credit_since, now) - for_output_buffer(now);
    }

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [kv, credit, ahead] = *this;
      engine::archive_fields(archive, kv, credit, ahead);
    }
  };

  /// A token leaves.
  /// @param link  time in which its vector passes the link to the home core
  /// @param pass  of the crossbars, that it makes; 0 if it ends here
  void launch(const ReadyToken& token, const Waits& waits, engine::Duration link, engine::Duration pass,
              engine::Time now) {
    const auto whole = std::min(token.whole, now);
    const auto waits_from = std::min({waits.kv_since, waits.credit_since, now});
    add(StationState::passes, std::min(busy_until_, now));
    add(StationState::no_token, std::min(token.first, now));
    add(StationState::home, std::min(token.first + link, whole));
    add(StationState::network, whole);
    add(StationState::home, std::min(token.ready, now));
    add(StationState::sequence, waits_from);
    add(StationState::kv_write, std::min(waits.credit_since, now));
    add(StationState::output_buffer, std::min(waits.whole_ahead, now));
    add(StationState::input_buffer, now);
    busy_until_ = std::max(busy_until_, now) + pass;
  }

  /// @return  of the time from `begin`, when nothing had come yet, to `end`, when nothing is left, by state
  std::array<engine::Duration, kStationStates> between(engine::Time begin, engine::Time end) const {
    auto times = *this;
    times.add(StationState::passes, std::min(busy_until_, end));
    times.add(StationState::no_token, end);
    times.times_[static_cast<std::size_t>(StationState::no_token)] -= begin - engine::Time{};
    return times.times_;
  }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [times, counted, busy_until] = *this;
    engine::archive_fields(archive, times, counted, busy_until);
  }

 private:
  /// All that is not counted yet up to `until`, if that is later.
  void add(StationState state, engine::Time until) {
    if (until <= counted_until_) return;
    times_[static_cast<std::size_t>(state)] += until - counted_until_;
    counted_until_ = until;
  }

  std::array<engine::Duration, kStationStates> times_{};
  engine::Time counted_until_{};
  engine::Time busy_until_{};
};

/// What lies in the buffer of a home core: tokens of which a part has come and which have not left.
struct HeldTokens {
  std::int64_t most = 0;
  engine::Duration time{};  ///< sum over tokens

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [peak, sum] = *this;
    engine::archive_fields(archive, peak, sum);
  }
};

}  // namespace ouro::llm
