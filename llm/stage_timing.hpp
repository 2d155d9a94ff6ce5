#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "llm/calibration.hpp"
#include "llm/core_work.hpp"
#include "llm/kv_controller.hpp"
#include "llm/lone_token.hpp"
#include "llm/passage_tally.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/ring_use.hpp"
#include "llm/undisturbed_head.hpp"

namespace ouro::llm {

/// A sequence's heads at one block: what a token of it takes there, until its pages go on on other cores.
struct HeadsAtBlock {
  Passage passage;  ///< of the token with `context` tokens, itself included
  std::int64_t context = 0;
  std::int64_t before = 0;     ///< least over heads of the tokens on other cores than that of the newest
  int newest_crossbars = 0;    ///< least that a core with newest tokens has in attention mode
  int heads_of_core = 1;       ///< most heads that one core has the newest tokens of
  AttentionTimes known{};      ///< of the newest tokens' core in `passage`
  AttentionTimes elsewhere{};  ///< of the slowest of the cores that get no more tokens
  engine::Duration slowest{};  ///< time of the slowest core in `passage`
  CoreSet cores;
  std::uint32_t number = 0xffffffff;  ///< of the last token that asked

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [passes, tokens, least, newest, most, of_newest, of_others, time, ring, asked] = *this;
    engine::archive_fields(archive, passes, tokens, least, newest, most, of_newest, of_others, time, ring,
                           asked);
  }
};

/// What stations take at `stage` fidelity, from the passages of lone tokens.
class StageTiming {
 public:
  /// @param kv               of the size of the controllers', without a sequence
  /// @param longest_context  of the workload
  /// @param calibration      if there is one
  StageTiming(const PipelinePlan& plan, KvController kv, std::int64_t longest_context,
              const std::optional<Calibration>& calibration);

  /// nullptr if there is none
  const Calibration* calibration() const { return calibration_ ? &*calibration_ : nullptr; }
  const LoadWindows& load_windows() const { return load_windows_; }

  struct Station {
    Passage passage;               ///< QKV: of a first token, in the first place of the ring
    engine::Duration multicast{};  ///< in which the home core's own tile gets it over the same link
    engine::Duration sends{};      ///< in which what a launch sends passes the link from the home core
    engine::Duration credit{};     ///< until the station before has a credit that is sent alone
    /// By which the home core's own tile may get it later than the others with no effect on the next station.
    engine::Duration home_slack{};
    /// Least time from when the home core's tile has its outputs until the next station has them.
    engine::Duration home_way{};
  };
  /// Where experts work: of a first token, but for what is gathered.
  const Station& station(int number) const { return stations_[static_cast<std::size_t>(number)]; }
  /// Where experts work, of a token that these are chosen for. Valid until the next call.
  const Station& station(int number, const ExpertRouting::Choice& chosen, const Token& token,
                         const KvController& kv);

  /// No token takes less.
  struct Least {
    engine::Duration first_output{};
    engine::Duration home_way{};
    engine::Duration credit{};
  };
  Least least(int number) const;

  /// At the LM head, of a token that is not sampled.
  const Passage& retirement() const { return retirement_; }
  /// From the router of the host link to the first station's home core, and of a credit to the LM head's.
  const Passage& embedding() const { return embedding_; }
  const Passage& last_credit() const { return last_credit_; }

  /// Normalising, and adding the residual, at the home core: until a gathered token is ready.
  engine::Duration home_time(int station) const { return home_[static_cast<std::size_t>(station)]; }

  /// What one more token of context adds to the work of a head.
  const AttentionWork& work_of_context() const { return work_of_context_; }

  /// @param crossbars  as many as the core has at a place of the ring
  AttentionTimes attention(std::int64_t tokens, int crossbars) const;
  AttentionTimes newest(const HeadsAtBlock& heads, std::int64_t context) const {
    return attention(context - heads.before, heads.newest_crossbars);
  }
  /// Of the slowest core, where those with the newest tokens take `newest` a head.
  static engine::Duration slowest(const HeadsAtBlock& heads, const AttentionTimes& newest) {
    const auto shared = newest.sum() + (heads.heads_of_core - 1) * newest.slowest();
    return std::max(shared, heads.elsewhere.sum());
  }

  /// Sends a lone token through the block, unless one went where the heads lay on the same cores.
  /// @param qkv  its first station
  HeadsAtBlock place_heads(int qkv, const Token& token, const KvController& kv);

 private:
  /// Extents of all heads, and a token's position: all that decides what it takes at a block.
  using Places = std::vector<std::uint32_t>;

  void tabulate_attention(std::int64_t longest_context, int page_tokens);
  LoadWindows measure_windows() const;
  Station measure(int number, const Token& token, const KvController& kv);
  Places places_of(const Token& token, const KvController& kv) const;
  HeadsAtBlock measure_heads(int qkv, const Token& token, const KvController& kv);

  const PipelinePlan& plan_;
  std::optional<Calibration> calibration_;
  LoneToken lone_;
  std::vector<Station> stations_;
  std::vector<std::map<ExpertRouting::Choice, Station>> by_choice_;  // by station
  std::vector<std::map<Places, HeadsAtBlock>> by_places_;            // by station
  Passage retirement_;
  Passage embedding_;
  Passage last_credit_;
  std::vector<engine::Duration> home_;
  LoadWindows load_windows_;
  AttentionWork work_of_context_;
  std::vector<std::vector<AttentionTimes>> attention_;  // by crossbars, if a core has as many, and tokens
};

}  // namespace ouro::llm
