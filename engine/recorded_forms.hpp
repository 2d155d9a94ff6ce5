#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engine/recording.hpp"

namespace ouro::engine {

/// What many sends of a recording have in common: all but when they are sent, and when their causes came.
struct RecordedForm {
  LpId from;
  LpId to;
  std::uint32_t kind = 0;
  std::uint32_t cause = 0;
  Duration delay{};  ///< from sending to arrival

  friend bool operator==(const RecordedForm&, const RecordedForm&) = default;
};

inline RecordedForm form_of(const RecordedSend& send) {
  return {send.from, send.to, send.kind, send.cause, send.arrival - send.sent};
}

/// Numbers forms in the order in which they are met. Forgets them all now and then, so that its memory is
/// bounded; a form that is met again after has another number.
class RecordedForms {
 public:
  std::uint32_t number_of(const RecordedForm& form);

  /// Those that were met since the last call, in order.
  std::vector<RecordedForm> take_new();

 private:
  static constexpr std::size_t kMostKept = 1 << 20;  // some 64 MB

  struct Hash {
    std::size_t operator()(const RecordedForm& form) const;
  };

  std::unordered_map<RecordedForm, std::uint32_t, Hash> numbers_;
  std::uint32_t next_ = 0;
  std::vector<RecordedForm> new_;
};

}  // namespace ouro::engine
