#pragma once

#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "llm/die.hpp"
#include "llm/kv_controller.hpp"
#include "llm/ready_tokens.hpp"
#include "llm/stage_timing.hpp"

namespace ouro::llm {

/// One die at `stage` fidelity: the stations whose home cores lie in it, and tokens that move from one to the
/// next in the time that a lone token takes.
///
/// What a station's tokens share is followed: the link to its home core, which carries what is gathered and
/// what the home core sends to its own tile; its SFU; the KV cores; its buffers, by credits. An event is a
/// token that is ready at a station. See docs/design.md.
class StageProcess final : public Die {
 public:
  /// @param timing  of this rank
  /// @param kv      the page tables of this rank's copy of the controllers; those of a token that is
  ///                under way do not change
  StageProcess(const PipelinePlan& plan, wafer::DieId die, StageTiming& timing, const KvController& kv,
               engine::Duration control_latency, StationLog log);

  engine::Channels channels() const override;
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override;

  void save(engine::StateWriter& archive) const override;
  void load(engine::StateReader& archive) override;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [plan, die, timing, kv, control_latency, stations, by_number, everything, ledger, tallied_from,
           tallied_until, log, traffic, scheduler] = *this;
    engine::archive_fields(archive, ledger, tallied_from, tallied_until, log, traffic);
    for (auto& station : stations) archive& station;
  }

  wafer::DieId die() const override { return die_; }
  WorkLedger ledger() const override;
  Traffic traffic() const override;
  const StationUse* station_use(int station) const override;
  StationLog& station_log() override { return station_log_; }
  bool is_idle() const override;

 private:
  /// A token that is gathered at a station.
  struct Coming {
    Token token{};
    engine::Time first{};  ///< when its first part takes the link to the home core
    engine::Time last{};   ///< when its last part is there; once placed, when it is ready
    engine::Time whole{};  ///< once placed: when its last part has passed that link

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, begin, end, all] = *this;
      engine::archive_fields(archive, of, begin, end, all);
    }
  };
  /// A token whose outputs the home core's tile has still to send.
  struct Launched {
    Token token;
    engine::Time home_output{};
    engine::Duration slack{};  ///< by which they may still be late with no effect
    engine::Time last{};       ///< when its last part was to be at the next station
    engine::Duration late{};   ///< by which it will be there later

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, output, spare, end, later] = *this;
      engine::archive_fields(archive, of, output, spare, end, later);
    }
  };
  struct Late {
    std::uint32_t number;
    engine::Duration by;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, later] = *this;
      engine::archive_fields(archive, of, later);
    }
  };
  struct Credit {
    engine::Time from{};   ///< it may be used
    engine::Time whole{};  ///< the token that gives it back was whole at the next station

    friend auto operator<=>(const Credit&, const Credit&) = default;
    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [usable, ahead] = *this;
      engine::archive_fields(archive, usable, ahead);
    }
  };
  struct Station {
    int number;
    bool attends;                            ///< QKV, but with latent attention
    engine::LpId before;                     ///< where the station before is, or the host
    engine::LpId after;                      ///< where the next station is, or the host
    std::vector<Coming> coming{};            ///< few, in the order of their first parts
    boost::circular_buffer<Credit> credits;  ///< in the order in which they may be used
    LaunchHistory launches{};                ///< where there is a calibration
    std::size_t placed = 0;                  ///< so many of the first of `coming` have their turn on the link
    ReadyTokens ready{};
    engine::Time link_free{};                 ///< to the home core
    engine::Time sfu_free{};                  ///< of the home core
    engine::Time sends_free{};                ///< the link from the home core, of what launches send
    std::vector<engine::Time> passes_free{};  ///< the crossbars of its tiles, by expert
    engine::Time woken_at{};                  ///< a wake-up is under way
    engine::Time last_first{};                ///< when the last token's first part is at the next station
    std::uint32_t next_number = 0;            ///< of the token that is to come next
    StationTimes::Waits waits{};              ///< of the token that leaves next
    std::vector<Launched> launched{};
    std::vector<Late> late{};  ///< of tokens that do not come yet
    StationUse use{};
    PassageTally tally{};
    std::vector<HeadsAtBlock> heads{};  ///< where it attends: by slot
    RingUse ring{};                     ///< where it attends

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, at_heads, previous, following, gathered, may_use, left, with_turn, gathered_whole, link, sfu,
             sends, passes, woken, first, next, missing, sent, delayed, used, counted, by_slot, kv] = *this;
      engine::archive_fields(archive, gathered, may_use, left, with_turn, gathered_whole, link, sfu, sends,
                             passes, woken, first, next, missing, sent, delayed, used, counted, by_slot, kv);
    }
  };

  void receive_from_host(const Message& message);
  /// nullptr if it is not here
  Station* find(int number) { return by_number_[static_cast<std::size_t>(number + 1)]; }
  engine::LpId lp_of(int station) const;

  void expect(Station& station, const Coming& coming);
  void announce_ready(Station& station);
  void make_late(Station& station, const Late& late);
  void hold_up_home_outputs(Station& station, engine::Time until);
  void say_later(Station& station, const Launched& launched, engine::Duration by);
  void place_on_link(Station& station, engine::Time before);
  void take_ready(Station& station);
  void wake(Station& station, engine::Time when);
  void launch_ready_tokens(Station& station);
  bool needs_credit(const Station& station, const Token& token) const;
  std::optional<Credit> find_credit(const Station& station, const Token& token) const;
  bool waits_for_credit(Station& station, const Token& token);
  void take_credit_back(Station& station, const Credit& credit);
  void count_launch(Station& station, const ReadyToken& next);
  void launch(Station& station, const Token& token, engine::Time whole);
  engine::Duration contention(Station& station, const Token& token);
  engine::Time send_to_home_tile(Station& station, const StageTiming::Station& timing, engine::Time sent);
  void hold_up_gathered(Station& station, engine::Duration by);
  void use_kv_cores(Station& station, const HeadsAtBlock& heads, const AttentionTimes& newest);
  const HeadsAtBlock& place(Station& station, const Token& token);
  ExpertRouting::Choice choose_experts(Station& station, const Token& token);
  bool goes_on_elsewhere(const Token& token) const;
  void hand_on(Station& station, const Token& token, engine::Time first, engine::Time last);
  void send_candidates(const Token& token, engine::Duration last);
  void give_credit_back(const Station& station, const Token& token, engine::Time whole,
                        engine::Duration delay);
  void retire(const Token& token);

  void count_from_host(const Passage& way, Phase phase);
  void count_attention(Station& station, const HeadsAtBlock& heads, const AttentionTimes& newest,
                       const Token& token);
  void settle_tallies();
  template <class Take>
  void for_each_tallied(const Station& station, const Take& take) const;
  void settle(WorkLedger& ledger) const;
  void settle(Traffic& traffic) const;
  void settle_passages(const Station& station, WorkLedger& ledger) const;
  void settle_attention(const Station& station, WorkLedger& ledger) const;

  const StationPlan& station_plan(int number) const {
    return plan_.stations()[static_cast<std::size_t>(number)];
  }

  const PipelinePlan& plan_;
  wafer::DieId die_;
  StageTiming& timing_;
  const KvController& kv_;
  engine::Duration control_latency_;
  std::vector<Station> stations_;              // in their order
  std::vector<Station*> by_number_;            // of them, from -1 to the one after the last
  const ExpertRouting::Choice everything_{0};  ///< expert 0 stands for tiles that all work for every token
  WorkLedger ledger_;                          // without what is in tallies
  engine::Time tallied_from_{};                // a time in the window of the ledger that tallies are of
  engine::Time tallied_until_{};
  StationLog station_log_;
  Traffic traffic_;
  engine::Scheduler* scheduler_ = nullptr;  ///< of the event being handled
};

}  // namespace ouro::llm
