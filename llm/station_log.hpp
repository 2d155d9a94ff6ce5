#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/message.hpp"

namespace ouro::llm {

/// When a recorded token was at a station.
struct StationRecord {
  std::uint32_t number = 0;  ///< of the token
  std::uint16_t station = 0;
  std::uint16_t decode = 0;  ///< 1 if it was generated, 0 if it is of a prompt
  std::uint64_t request = 0;
  engine::Time entered{};   ///< its first part is at the home core
  engine::Time gathered{};  ///< its last part is there
  engine::Time ready{};     ///< it is normalised, or what else the home core does with it
  engine::Time launched{};  ///< the home core sends it on

  /// The order in the result file, which neither ranks nor the times of writing change.
  friend bool operator<(const StationRecord& a, const StationRecord& b) {
    return std::tie(a.launched, a.station, a.number) < std::tie(b.launched, b.station, b.number);
  }
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::StationRecord);

namespace ouro::llm {

/// Writes down when recorded tokens are at the stations of one die. Those that were sent on are taken away
/// again and again, so that memory is bounded by the tokens under way.
class StationLog {
 public:
  /// @param every  tokens whose number is a multiple are recorded; 0 for none
  explicit StationLog(std::uint32_t every) : every_{every} {}

  bool records(std::uint32_t number) const { return every_ != 0 && number % every_ == 0; }

  /// A part is at the home core at `when`; to be called of recorded tokens only.
  void enter(int station, std::uint32_t number, engine::Time when) {
    auto& record = find(station, number, when);
    record.entered = std::min(record.entered, when);
  }
  void gather(int station, std::uint32_t number, engine::Time gathered, engine::Time ready) {
    auto& record = find(station, number, gathered);
    record.gathered = gathered;
    record.ready = ready;
  }
  void launch(int station, const Token& token, std::uint64_t request, engine::Time when) {
    auto& record = find(station, token.number, when);
    record.decode = token.phase() == Phase::decode ? 1 : 0;
    record.launched = when;
    record.request = request;
    launched_.push_back(record);
    std::swap(record, here_.back());
    here_.pop_back();
  }

  /// Tokens that are here are given up.
  void flush() { here_.clear(); }

  /// Those launched since the last call, in no order.
  std::vector<StationRecord> take() { return std::exchange(launched_, {}); }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [every, here, launched] = *this;
    engine::archive_fields(archive, here, launched);
  }

 private:
  StationRecord& find(int station, std::uint32_t number, engine::Time now) {
    const auto found = std::find_if(here_.begin(), here_.end(), [&](const StationRecord& record) {
      return record.station == station && record.number == number;
    });
    if (found != here_.end()) return *found;
    return here_.emplace_back(
        StationRecord{.number = number, .station = static_cast<std::uint16_t>(station), .entered = now});
  }

  std::uint32_t every_;
  std::vector<StationRecord> here_;
  std::vector<StationRecord> launched_;
};

}  // namespace ouro::llm
