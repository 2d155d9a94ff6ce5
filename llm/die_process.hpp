#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/logical_process.hpp"
#include "engine/region.hpp"
#include "llm/core_work.hpp"
#include "llm/die.hpp"
#include "llm/foresight.hpp"
#include "llm/gather.hpp"
#include "llm/held_queries.hpp"
#include "llm/kv_controller.hpp"
#include "llm/kv_core.hpp"
#include "llm/message.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/ready_tokens.hpp"
#include "wafer/die_network.hpp"
#include "wafer/flit_die.hpp"
#include "wafer/packet_record.hpp"

namespace ouro::llm {

/// What a core was used for; integers, one row of the result file.
struct CoreUse {
  engine::Duration crossbars_busy{};
  engine::Duration sfu_busy{};
  wafer::EnergyCounts counts;  ///< but for what its router's links carry
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::CoreUse);

namespace ouro::llm {

/// One die at `packet` or `flit` fidelity: its cores, its links, and the K and V in its crossbars.
///
/// Data drives it: what arrives at a core makes the core work, and what the core makes goes on over the
/// network. See docs/design.md for a token's way.
class DieProcess final : public Die {
 public:
  /// @param kv  the page tables of this rank's copy of the controllers. A die reads them when it handles an
  ///            event; the controllers have the lowest LP number, so it sees all control events up to its own
  ///            time on any rank.
  /// @param encoder_kv  the same of the encoder's blocks; of an encoder alone it is `kv` again
  /// @param foresight  of this rank's region
  /// @param recorded   when sent packets are recorded
  DieProcess(const PipelinePlan& plan, wafer::DieId die, const KvController& kv,
             const KvController& encoder_kv, const Foresight& foresight, engine::Duration control_latency,
             StationLog log, wafer::RecordWindow recorded);

  engine::Channels channels() const override;
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override;

  bool has_foresight() const override { return foresight_.knows_the_model(); }
  void foresee(const engine::Event& event, std::span<engine::Duration> least) const override {
    foresight_.foresee(event.as<Message>(), least);
  }
  void foresee_arrivals(std::span<engine::Duration> least) const override {
    foresight_.foresee_arrivals(least);
  }
  void foresee_held(std::span<engine::Duration> least) const override;

  void save(engine::StateWriter& archive) const override;
  void load(engine::StateReader& archive) override;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [plan, geometry, core_model, die, head, kv, encoder_kv, foresight, control_latency, network,
           routers, collisions, flits, ledger, log, cores, traffic, record, first_number, past_use,
           scheduler] = *this;
    if constexpr (Archive::is_loading::value) take_roles();  // of the plan that the controllers came to
    if (network) archive&* network;
    if (routers) archive&* routers;
    engine::archive_fields(archive, collisions, flits, ledger, log, traffic, record, first_number, past_use);
    for (auto& core : cores) archive& core;
  }

  wafer::DieId die() const override { return die_; }
  WorkLedger ledger() const override { return ledger_; }
  Traffic traffic() const override { return traffic_; }
  const wafer::PacketRecord& packet_record() const { return packet_record_; }
  /// By core of the die and port.
  wafer::LinkUse link_use(int core, int port) const;
  const CoreUse& core_use(int core) const { return cores_[static_cast<std::size_t>(core)].use; }
  /// All that cost energy at a core of this die, with the links that leave its router.
  wafer::EnergyCounts energy_counts(int core) const;
  const KvCore* kv_core(int core) const;
  /// Most bytes of queries that a core held for the rest of their sequences.
  std::int64_t most_query_bytes() const;
  /// K of heads that came while their core's K crossbars were busy with another token or head.
  const engine::Timeline& kv_collisions() const { return kv_collisions_; }
  /// Flits over the links between routers that begin in this die, when their packets entered it.
  const engine::Timeline& link_flits() const { return link_flits_; }

  const StationUse* station_use(int station) const override;
  StationLog& station_log() override { return station_log_; }
  bool is_idle() const override;

 private:
  /// A home core's state.
  struct Station {
    int number = 0;
    Gather gather;
    /// Tokens that are whole, or are known to be at a later time, and not normalised.
    std::vector<ReadyToken> normalising;
    ReadyTokens ready;
    int credits = 0;
    StationTimes::Waits waits;   ///< of the token that leaves next
    Gather announcements;        ///< by token and station
    std::vector<Token> to_call;  ///< announced tokens, in their order, of O that calls queries
    int called = 0;              ///< tokens whose queries are called, and that are not launched yet
    StationUse use;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, gathered, at_work, normalised, free, missing, announced, waiting, on_call, used] = *this;
      engine::archive_fields(archive, gathered, at_work, normalised, free, missing, announced, waiting,
                             on_call, used);
    }
  };

  /// The attention part of a core.
  struct Attention {
    explicit Attention(KvCore core) : kv{std::move(core)} {}
    KvCore kv;
    Gather inputs;
    Gather partials;
    /// Queries that overtook K and V of a token before theirs, perhaps with K and V of their own.
    struct EarlyQuery {
      Message message;
      engine::Time ready;

      template <class Archive>
      void serialize(Archive& archive, unsigned /*version*/) {
        auto& [query, since] = *this;
        engine::archive_fields(archive, query, since);
      }
    };
    std::vector<EarlyQuery> early;
    HeldQueries held;
    engine::Time k_free{};
    engine::Time v_free{};

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [stored, gathered, parts, waiting, queries, k, v] = *this;
      engine::archive_fields(archive, stored, gathered, parts, waiting, queries, k, v);
    }
  };

  struct Core {
    CoreRole role;  // a copy: the plan's would be one more place in memory for each event
    engine::Time crossbars_free{};
    engine::Time sfu_free{};
    Gather tile_parts;
    std::unique_ptr<Station> station;
    std::unique_ptr<Attention> attention;
    CoreUse use;

    /// What the core has follows from its role.
    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [has, crossbars, sfu, parts, home, kv, used] = *this;
      engine::archive_fields(archive, crossbars, sfu, parts, used);
      if (home) archive&* home;
      if (kv) archive&* kv;
    }
  };

  /// At `flit` fidelity.
  struct Routers {
    Routers(const wafer::Geometry& geometry, const wafer::NocModel& model, wafer::DieId die)
        : flits{geometry, model, die} {}
    wafer::FlitDie flits;
    wafer::PacketSlots<Message> packets;  ///< of which something is in this die

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [network, under_way] = *this;
      engine::archive_fields(archive, network, under_way);
    }
  };

  // the network
  void send(Message message, wafer::CoreId from, wafer::CoreId to, std::int64_t bytes);
  void enter(const Message& message);
  void enter_along_tree(const Message& message);
  void forward(Message message, const wafer::Onward& onward);
  void multicast_to_experts(const Message& message, Station& station);
  void send_along_trees(Message message, const StationPlan& station, std::size_t first);
  void forward_multicast(Message message, std::span<const wafer::Onward> onward);
  void count_buffer(const Message& message, Core& core);
  void count_travel(const Message& message, const wafer::Travel& travel);
  void arrive(const Message& message, wafer::CoreId core, engine::Time tail);

  // the network, flit by flit
  void inject_flits(Message message, wafer::CoreId from);
  void send_flits_along(Message message, const wafer::MulticastTree& tree);
  void inject_flits_from_host(const Message& message);
  void handle_flits(const Message& message);
  void step_routers();
  void send_alarm();
  void send_over_border(const wafer::FlitDie::Crossing& crossing);
  void arrive_at_host(const wafer::FlitDie::Arrival& packet);
  void arrive_at_core(const wafer::FlitDie::Arrival& packet);
  Message take_packet(wafer::PacketSlot slot, bool crosses_border);

  // stations
  void gather_at_station(const Message& message, wafer::CoreId core, engine::Time tail);
  void station_ready(const Message& message);
  void take_credit(const Message& message);
  void launch_ready_tokens(Station& station);
  bool needs_credit(const Station& station, const Token& token) const;
  void count_launch(Station& station, const ReadyToken& next);
  void launch(Station& station, const Token& token, engine::Time whole);
  void free_room(Station& station, const Token& token, engine::Time whole);
  void return_credit(const Station& station, const Token& token, engine::Time whole);
  void get_credit(Station& station, engine::Time whole);
  void retire(const Token& token);

  // tiles
  void start_pass(const Message& message, wafer::CoreId core, engine::Time tail);
  void add_tile_part(const Message& message, wafer::CoreId core, engine::Time at);
  void finish_tile(const Message& message, engine::Time summed);
  void tile_done(const Message& message);
  void send_partial_sums(const Message& message);
  void send_head_inputs(const Message& message, wafer::CoreId from, const StationPlan& station,
                        const Tile& tile);
  void send_latent(const StationPlan& station, const Token& token);
  void send_outputs(const Message& message, wafer::CoreId from, const StationPlan& station, const Tile& tile);

  // attention
  void change_kv(const Message& message);
  static void change_kv(KvCore& kv, const Message& message);
  std::int32_t page_of(const Token& token) const {
    return static_cast<std::int32_t>(token.position) / kv_.page_tokens();
  }
  /// Of the KV cores of a block.
  const KvController& kv_of(int block) const {
    return is_encoder_block(plan_.model(), block) ? encoder_kv_ : kv_;
  }
  /// Whether a message is of a query for what an encoder gave; its `slot` is then a cross_entry.
  static bool attends_across(const Token& token) {
    return token.chain() == Chain::decoder && token.slot == cross_entry(token.slot);
  }
  /// The last position that a token attends to.
  int last_position(const Token& token) const {
    return attends_across(token) ? kv_.length(token.slot) - 1 : static_cast<int>(token.position);
  }
  KvController::RingCores cores_of_head(const Token& token, int head, int block) const {
    return kv_of(block).cores_of_head(token.slot, head, last_position(token));
  }
  void gather_head_input(const Message& message, wafer::CoreId core, engine::Time tail);
  void attend(const Message& message, wafer::CoreId core, engine::Time ready);
  void attend_early_queries(std::uint16_t slot, std::uint16_t head, wafer::CoreId core, engine::Time written);
  void store_kv(const Message& message, wafer::CoreId core, engine::Time ready);
  void store_cross_kv(const Message& message, wafer::CoreId core, engine::Time ready);
  SfuWork weighing_work(std::int64_t tokens, const Token& token) const;
  void use_kv(Core& core, const KvCore::Entry& stored, std::int64_t tokens, engine::Time from,
              const Token& token, engine::Duration write_v);
  void add_attention_partial(const Message& message, wafer::CoreId core, engine::Time at);
  void head_done(const Message& message);
  bool is_newest(const Token& token, int head, wafer::CoreId core) const;
  static bool comes_early(const Message& message, const KvCore& kv, int needed);
  bool is_of_cross_kv(const Message& message, wafer::CoreId core) const;
  int senders_of_head_input(const Message& message, wafer::CoreId core) const;

  // attention in both directions
  void announce(const Message& message, wafer::CoreId from, int station);
  void announce_launch(const Station& station, const Token& token);
  void gather_announcement(const Message& message, wafer::CoreId core, engine::Time tail);
  void announced(const Message& message);
  void end_encoding(Station& station, const Token& token);
  void call_queries(Station& station);
  void hold_query(const Message& message, wafer::CoreId core, engine::Time ready);
  void receive_call(const Message& message, wafer::CoreId core, engine::Time tail);
  void attend_called_queries(const Message& message, wafer::CoreId core);

  // after a failure
  void discard(const Message& message);
  void flush(std::uint32_t first_number);
  void empty(Station& station) const;
  void answer_controllers(engine::Time from);
  void rewind_kv(const Message& message);
  void move_weights(const Message& message);
  void take_weights(const Message& message, wafer::CoreId core, engine::Time tail);
  void take_roles();
  std::unique_ptr<Attention> make_attention(const CoreRole& role) const;
  void take_role(Core& core, wafer::CoreId id);

  void count(Core& core, Stage stage, Phase phase, wafer::Component component, std::int64_t amount) {
    ledger_.count(stage, phase, component, amount);
    core.use.counts[component] += amount;
  }
  engine::Time use_sfu(Core& core, engine::Time from, const SfuWork& work, int block, Stage stage,
                       Phase phase);
  static wafer::CoreId at_core(const Message& message) { return wafer::CoreId{message.at}; }
  Core& core(wafer::CoreId id) { return cores_[plan_.index_in_die(id)]; }
  const Core& core(wafer::CoreId id) const { return cores_[plan_.index_in_die(id)]; }
  const StationPlan& station_plan(int number) const {
    return plan_.stations()[static_cast<std::size_t>(number)];
  }
  const StationPlan& station_plan(const Station& station) const { return station_plan(station.number); }

  const PipelinePlan& plan_;
  const wafer::Geometry& geometry_;
  const wafer::CoreModel& core_model_;
  wafer::DieId die_;
  HeadShape head_;
  const KvController& kv_;
  const KvController& encoder_kv_;
  const Foresight& foresight_;
  engine::Duration control_latency_;
  std::optional<wafer::DieNetwork> network_;  ///< at `packet` fidelity
  std::optional<Routers> routers_;            ///< at `flit` fidelity
  engine::Timeline kv_collisions_;
  engine::Timeline link_flits_;
  WorkLedger ledger_;
  StationLog station_log_;
  std::vector<Core> cores_;
  Traffic traffic_;
  wafer::PacketRecord packet_record_;
  std::uint32_t first_number_ = 0;          ///< of the tokens that were not given up
  std::map<int, StationUse> past_use_;      ///< of stations that went to another die
  engine::Scheduler* scheduler_ = nullptr;  ///< of the event being handled
};

}  // namespace ouro::llm
