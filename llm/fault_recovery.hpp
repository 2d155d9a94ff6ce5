#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/region.hpp"
#include "llm/message.hpp"
#include "llm/repair.hpp"
#include "wafer/failures.hpp"

namespace ouro::llm {

class LiveMachine;

/// What a failure changed.
enum class FailureEffect : std::uint8_t {
  none,           ///< a spare core, or nothing was left to serve
  rerouted,       ///< packets go other ways
  kv_lost,        ///< the K and V of a KV core
  weights_moved,  ///< along a chain of cores
  halted          ///< the model cannot go on
};
inline constexpr std::array<std::string_view, 5> kFailureEffectNames{"none", "rerouted", "kv_lost",
                                                                     "weights_moved", "halted"};

/// What a failure cost.
struct FailureRecord {
  std::int64_t number = 0;  ///< of the wafer's failures
  FailureEffect effect = FailureEffect::none;
  engine::Time failed{};
  engine::Time stopped{};                   ///< the controllers act on it
  engine::Time resumed = engine::kNever;    ///< tokens enter again; never after a halt
  engine::Time recovered = engine::kNever;  ///< as many tokens have left the pipeline since as were lost
  std::int64_t moves = 0;                   ///< cores whose weights moved
  std::int64_t tokens_discarded = 0;        ///< in flight, computed again
  std::int64_t sequences_lost = 0;          ///< that are computed again from their first token
  std::int64_t tokens_lost = 0;             ///< whose K and V those had
  std::int64_t kv_pages_lost = 0;           ///< of a block, that nobody has any more
  std::int64_t outputs_when_stopped = 0;    ///< output tokens sampled until then
  std::int64_t outputs_when_recovered = 0;
  std::int64_t retired_when_recovered = 0;  ///< tokens that will have left the pipeline by then

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [of, what, when, stop, resume, recover, chain, discarded, sequences, tokens, pages, outputs,
           outputs_then, retired_then] = *this;
    engine::archive_fields(archive, of, what, when, stop, resume, recover, chain, discarded, sequences,
                           tokens, pages, outputs, outputs_then, retired_then);
  }
};

/// Where the controllers stand with the failures of the wafer: one after another, each from when it is
/// noticed until the machine works again.
class FaultRecovery {
 public:
  /// @param machine  nullptr if nothing fails
  /// @param notice   from a failure until the controllers know
  FaultRecovery(LiveMachine* machine, engine::Duration notice) : machine_{machine}, notice_{notice} {}

  /// Sends the controllers an event for each failure to come.
  void start(engine::Scheduler& scheduler) const;

  /// Nothing is admitted or issued.
  bool is_paused() const { return awaited_ > 0 || halted(); }
  bool halted() const { return !halt_.empty(); }
  /// A sentence; empty if not halted.
  const std::string& halt_reason() const { return halt_; }
  const std::vector<FailureRecord>& records() const { return records_; }

  /// Whether a message is of a token that was given up.
  bool is_stale(const Message& message) const { return message.number < first_number_; }

  void notice() { ++noticed_; }
  bool has_next() const { return !is_paused() && records_.size() < noticed_; }

  /// Begins with the next failure that was noticed; it changes nothing yet.
  Repair begin(engine::Time now, std::int64_t outputs);
  FailureRecord& current() { return records_.back(); }
  bool changes_the_network() const;

  /// Tokens with numbers below `first` are given up.
  void give_up_below(std::uint32_t first) { first_number_ = first; }
  /// What the current failure cost is known; so many tokens have left the pipeline.
  void count_lost(std::int64_t retired);
  void wait_for(int answers) { awaited_ = answers; }
  /// @return  whether that was the last one
  bool answer() { return --awaited_ == 0; }
  void resume(engine::Time now);
  void halt(std::string why);

  /// A token has left the pipeline.
  void count(engine::Time when, std::int64_t retired, std::int64_t outputs);

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [machine, latency, noticed, awaited, first_number, reason, records, unrecovered] = *this;
    engine::archive_fields(archive, noticed, awaited, first_number, reason, records, unrecovered);
    if constexpr (Archive::is_loading::value) replay();
  }

 private:
  const wafer::Failure& failure(std::size_t number) const;
  void replay();

  LiveMachine* machine_;
  engine::Duration notice_;
  std::uint64_t noticed_ = 0;
  int awaited_ = 0;
  std::uint32_t first_number_ = 0;
  std::string halt_;
  std::vector<FailureRecord> records_;
  std::vector<std::uint64_t> open_;  // of these, those that are not made up for
};

}  // namespace ouro::llm
