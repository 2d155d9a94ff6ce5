#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/logical_process.hpp"
#include "engine/region.hpp"
#include "engine/timeline.hpp"
#include "llm/fault_recovery.hpp"
#include "llm/foresight.hpp"
#include "llm/kv_controller.hpp"
#include "llm/message.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/waiting_requests.hpp"
#include "llm/workload.hpp"

namespace ouro::llm {

/// What became of a request.
struct RequestRecord {
  Request request;
  engine::Time admitted{};     ///< first time that it got KV memory
  engine::Time first_token{};  ///< its first output token is sampled, if it has any
  engine::Time done{};         ///< its last output token is sampled; without, its last token has left
  std::int32_t preemptions = 0;
  std::int64_t recomputed_tokens = 0;  ///< that were lost to preemptions
  std::int64_t cached_tokens = 0;      ///< found in the prefix cache, at each admission

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [of, since, first, last, evicted, recomputed, cached] = *this;
    engine::archive_fields(archive, of, since, first, last, evicted, recomputed, cached);
  }
};

/// The way of one token through the pipeline.
struct TokenRecord {
  std::uint64_t request = 0;
  std::uint32_t number = 0;    ///< of all tokens, in the order of entering
  std::uint32_t position = 0;  ///< in its sequence
  Phase phase = Phase::prefill;
  engine::Time issued{};   ///< the controllers let it go to the host interface
  engine::Time retired{};  ///< it left the last block or was sampled

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [of, token, place, kind, entered, left] = *this;
    engine::archive_fields(archive, of, token, place, kind, entered, left);
  }
};

/// Whether a sampled token or a prompt token enters next, where both could.
enum class Mix {
  decode_first,
  prefill_first,
  ratio,  ///< `prefill_permille` of the tokens are of prompts
};

struct ServingOptions {
  double admission_threshold = 0.1;  ///< share of the KV pages that admission leaves free for growth
  bool prefix_cache = false;
  std::int32_t prefix_block_tokens = 512;
  bool static_kv = false;  ///< each sequence gets the pages of `reserved_context` and no more
  std::int64_t reserved_context = 0;
  bool generates = true;   ///< tokens; else a sequence is its prompt, and attends in both directions
  bool encodes = false;    ///< prompts, for the sequences of a decoder, which begin with a token of their own
  int max_running = 1024;  ///< sequences that hold KV at a time
  int entry_queue = 8;     ///< tokens that may wait at the host interface
  Pipelining pipelining = Pipelining::token;
  Mix mix = Mix::decode_first;
  int prefill_permille = 500;
  int prefill_window = 0;  ///< prompt tokens of one sequence in the pipeline; 0 for no limit
  int prefill_chunk = 0;   ///< prompt tokens of one sequence before the next one's turn; 0 for all
  engine::Duration ttft_limit = engine::Duration::max();
  engine::Duration tpot_limit = engine::Duration::max();
  LoadOptions load{};
  std::uint32_t record_every = 0;  ///< tokens whose number is a multiple get a TokenRecord; 0 for none
  std::uint32_t record_stations_every = 0;  ///< the same of StationRecord, which the dies write
};

/// Sums over all that has happened; the same on every rank.
struct ServingTotals {
  std::int64_t requests_admitted = 0;
  std::int64_t requests_done = 0;
  std::int64_t preemptions = 0;
  std::int64_t tokens_issued = 0;     ///< entered the pipeline, recomputed ones included
  std::int64_t tokens_retired = 0;    ///< left it
  std::int64_t tokens_discarded = 0;  ///< were in it when something failed
  std::int64_t tokens_recomputed = 0;
  std::int64_t tokens_cached = 0;  ///< did not enter, since the prefix cache held their KV
  std::int64_t prompt_tokens = 0;  ///< of requests done
  std::int64_t output_tokens = 0;  ///< sampled, each once
  std::int64_t within_ttft = 0;    ///< requests done within the limit
  std::int64_t within_tpot = 0;    ///< the same; one output has no TPOT and meets any
  std::int64_t within_both = 0;
  std::int64_t output_tokens_within_both = 0;
  engine::Time first_arrival = engine::kNever;
  engine::Time last_done{};
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::ServingTotals);

namespace ouro::llm {

/// The pipeline controller and the KV controller of docs/design.md, replicated on every rank.
///
/// Which token enters next: a sampled one or a prompt's, as the mix says; of either the first class first,
/// then in the order of sampling or of admission, where prompts may take turns. Requests are admitted by
/// class, then first come, first served, while the KV pages that stay free do not fall below the threshold. A
/// sequence that must grow when no page is free takes the pages of the newest running sequence of the last
/// class, whose tokens are computed again later; so does a request that is not admitted, from sequences of
/// later classes.
///
/// With an encoder-decoder a prompt passes the encoder's chain of stations; when its last token has left
/// that, the sequence begins in the decoder's. It has the pages of the prompt's K and V from its admission:
/// in the encoder's blocks until then, in the decoder's to its end.
///
/// Source: docs/design.md; decode before prefill and the newest as victim are assumptions.
class ServingController final : public engine::LogicalProcess {
 public:
  /// @param source  requests in the order of their arrival; every rank has a source of its own that gives
  ///                the same
  /// @param dies    each is told when a sequence gives its KV back; 0 if none needs to know
  /// @param foresight  of this rank's region
  /// @param encoder_kv  page tables of the encoder's blocks, where prompts are encoded for a decoder
  /// @param recovery  from what fails
  /// @param work      what is asked for in all
  ServingController(const ServingOptions& options, KvController kv, std::optional<KvController> encoder_kv,
                    std::unique_ptr<RequestSource> source, int dies, const Foresight& foresight,
                    FaultRecovery recovery = {nullptr, {}}, const WorkloadSummary& work = {});

  std::string name() const override { return "serving controller"; }
  engine::Channels channels() const override { return {}; }
  void start(engine::Scheduler& scheduler) override;
  void handle(const engine::Event& event, engine::Scheduler& scheduler) override;

  bool has_foresight() const override { return foresight_.knows_the_model(); }
  void foresee(const engine::Event& /*event*/, std::span<engine::Duration> least) const override {
    foresight_.foresee_controllers(least);
  }
  void foresee_arrivals(std::span<engine::Duration> least) const override {
    foresight_.foresee_arrivals(least);
  }

  void save(engine::StateWriter& archive) const override;
  void load(engine::StateReader& archive) override;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [options, kv, encoder_kv, waiting, dies, foresight, recovery, requests, longest_context, preempted,
           sequences, unused_slots, keys_of, keys, running, decoding, prefilling, entering, prefill_credit,
           draining, entries, finished, recorded_in_flight, recorded, kv_tokens_held, totals, timelines] =
        *this;
    if (encoder_kv) archive&* encoder_kv;
    engine::archive_fields(archive, kv, waiting, recovery, preempted, sequences, unused_slots, keys_of, keys,
                           running, decoding, prefilling, entering, prefill_credit, draining, entries,
                           finished, recorded_in_flight, recorded, kv_tokens_held, totals, timelines);
  }

  const KvController& kv() const { return kv_; }
  /// Of the encoder's blocks: of an encoder alone the same.
  const KvController& encoder_kv() const { return encoder_kv_ ? *encoder_kv_ : kv_; }
  const FaultRecovery& recovery() const { return recovery_; }
  const ServingTotals& totals() const { return totals_; }
  std::int64_t running() const { return static_cast<std::int64_t>(running_.size()); }

  /// Requests that ended since the last call, in the order in which they ended.
  std::vector<RequestRecord> take_finished();
  /// Recorded tokens that left the pipeline since the last call.
  std::vector<TokenRecord> take_token_records();

  /// In windows of simulated time.
  struct Timelines {
    engine::Timeline tokens_retired;
    engine::Timeline tokens_sampled;
    engine::Timeline sequences_running{engine::Timeline::Merge::maximum};
    engine::Timeline kv_pages_used{engine::Timeline::Merge::maximum};
    engine::Timeline kv_tokens_held{engine::Timeline::Merge::maximum};
    engine::Timeline kv_tokens_unused{engine::Timeline::Merge::maximum};  ///< room in pages that are given
    engine::Timeline kv_pages_cached{engine::Timeline::Merge::maximum};
    engine::Timeline encoder_pages_used{engine::Timeline::Merge::maximum};  ///< where a decoder follows
    engine::Timeline preemptions;
    engine::Timeline tokens_recomputed;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [retired, sampled, sequences, pages, tokens, unused, cached, encoding, evictions, recomputed] =
          *this;
      engine::archive_fields(archive, retired, sampled, sequences, pages, tokens, unused, cached, encoding,
                             evictions, recomputed);
    }
  };
  const Timelines& timelines() const { return timelines_; }

 private:
  struct Sequence {
    RequestRecord record;
    std::int32_t generated = 0;  ///< output tokens sampled
    std::int32_t issued = 0;     ///< positions sent into the pipeline since admission
    std::int32_t known = 0;      ///< positions whose token is known: prompt and sampled ones
    std::int32_t in_flight = 0;
    std::int32_t to_encode = 0;         ///< prompt tokens that have not entered the encoder,
    std::int32_t in_encoder = 0;        ///< and those that have not left it, with them
    std::int32_t prefill_until = 0;     ///< positions below count as prefill
    std::int32_t resumes_at = 0;        ///< positions below were cached at admission
    std::vector<std::uint64_t> keys{};  ///< of the stretches of its prompt
    std::size_t kept = 0;               ///< of them, those that are computed or were cached
    std::int32_t of_chunk = 0;          ///< prompt tokens issued in this turn
    bool draining = false;              ///< preempted, waits for its tokens in the pipeline

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, outputs, sent, positions, flying, to_enter, to_leave, prompt, resumes, stretches, done, turn,
             leaves] = *this;
      engine::archive_fields(archive, of, outputs, sent, positions, flying, to_enter, to_leave, prompt,
                             resumes, stretches, done, turn, leaves);
    }
  };

  void admit(engine::Scheduler& scheduler);
  /// What a sequence needs K and V of when it is admitted.
  struct Demand {
    std::int32_t known = 0;    ///< its own positions whose token is known
    std::int32_t encoded = 0;  ///< tokens of the encoder
  };
  Demand demand_of(const Request& request, std::int32_t generated) const;
  bool fits(const Demand& demand) const;
  std::int64_t tokens_to_admit(std::int32_t known) const;
  void open_sequence(RequestRecord record, std::int32_t generated, engine::Scheduler& scheduler);
  void open_encoding(int slot);
  /// Pages that a request takes of those that are available.
  std::int64_t pages_to_admit(const Demand& demand) const;
  /// Of the prompt's stretches, those that are in the cache; one token is left to be computed.
  std::span<const std::uint64_t> cached_keys(std::int32_t known) const;
  void find_keys(const Request& request);
  void adopt_cached(int slot, std::span<const std::uint64_t> cached, engine::Scheduler& scheduler);
  void keep_computed(int slot, std::int32_t position, engine::Scheduler& scheduler);
  bool grow(int slot, std::int64_t tokens, engine::Scheduler& scheduler);
  void tell_dies(const Message& message, engine::Scheduler& scheduler);
  std::int64_t pages_to_leave() const;
  /// Preempts a sequence of a later class, if a request of this class can be admitted thereby.
  bool preempt_later_class(const Request& request, const Demand& demand, engine::Scheduler& scheduler);
  void issue(engine::Scheduler& scheduler);
  bool issue_one(engine::Scheduler& scheduler);
  bool issue_decode(engine::Scheduler& scheduler);
  bool issue_prefill(engine::Scheduler& scheduler);
  bool issue_batch(engine::Scheduler& scheduler);
  void wait_to_decode(int slot);
  void wait_to_prefill(int slot);
  void end_turn_of_prefill(int slot);
  std::uint8_t flags_of(int slot, std::int32_t position) const;
  /// What is issued of a prompt that moves as a whole.
  std::uint8_t batch_flags(int slot, std::int32_t position) const;
  /// The newest running sequence of the last class.
  int victim() const;
  /// Pages for the sequence's next token, taken from the victim if need be.
  bool make_room(int slot, engine::Scheduler& scheduler);
  void send_next_token(int slot, engine::Scheduler& scheduler);
  void preempt(int slot, engine::Scheduler& scheduler);
  void finish_preemption(int slot, engine::Scheduler& scheduler);
  /// Preempted, and nothing of it is under way, or would be waited for.
  bool has_drained(int slot) const;
  // an encoder's prompts
  bool is_encoding(int slot) const { return at(slot).to_encode > 0; }
  /// Tokens of a prompt leave the encoder together, and all their K and V are known to be written when the
  /// first token behind them has left the decoder: so a sequence that gives way goes on until then.
  bool must_begin(int slot) const { return options_.encodes && at(slot).issued == 0; }
  bool has_entered(int slot) const;
  Chain next_chain(int slot) const;
  bool has_room_at_host(Chain chain) const { return entry(chain).at_host < options_.entry_queue; }
  void leave_encoder(int slot, engine::Scheduler& scheduler);
  std::int32_t tokens_entered(int slot) const;
  void tell_dies_of_release(int entry_of_kv, engine::Scheduler& scheduler);
  void record_issue(const Token& token, engine::Time now);
  void record_retirement(const Token& token, engine::Time when);
  void retire(const Message& message, engine::Scheduler& scheduler);
  void sampled(int slot, engine::Time when, engine::Scheduler& scheduler);
  void finish(int slot, engine::Scheduler& scheduler);
  // after a failure
  void recover(engine::Scheduler& scheduler);
  FailureEffect effect_of(const Repair& repair) const;
  void empty_pipeline(engine::Scheduler& scheduler);
  void give_up_tokens_of(int slot, engine::Scheduler& scheduler);
  void lose_kv(const Repair& repair, engine::Scheduler& scheduler);
  std::string why_kv_is_too_small() const;
  void halt(std::string why, engine::Scheduler& scheduler);
  void resume(engine::Scheduler& scheduler);
  void count_limits(const RequestRecord& record);
  void leave(int slot, engine::Scheduler& scheduler);
  std::int32_t class_of(int slot) const { return at(slot).record.request.priority; }
  const Sequence& at(int slot) const { return sequences_[static_cast<std::size_t>(slot)]; }
  Sequence& at(int slot) { return sequences_[static_cast<std::size_t>(slot)]; }

  /// Of a chain of stations.
  struct Entry {
    int at_host = 0;                ///< tokens issued and not yet entered
    std::uint32_t next_number = 0;  ///< of its tokens

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [waiting, number] = *this;
      engine::archive_fields(archive, waiting, number);
    }
  };
  Entry& entry(Chain chain) { return entries_[static_cast<std::size_t>(chain)]; }
  const Entry& entry(Chain chain) const { return entries_[static_cast<std::size_t>(chain)]; }

  ServingOptions options_;
  KvController kv_;
  std::optional<KvController> encoder_kv_;
  WaitingRequests waiting_;
  int dies_;
  const Foresight& foresight_;
  FaultRecovery recovery_;
  std::int64_t requests_;
  std::int64_t longest_context_;

  struct Preempted {
    RequestRecord record;
    std::int32_t generated = 0;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, outputs] = *this;
      engine::archive_fields(archive, of, outputs);
    }
  };
  std::deque<Preempted> preempted_;  ///< by class and request index
  std::vector<Sequence> sequences_;  ///< by slot
  std::vector<int> unused_slots_;
  std::optional<std::uint64_t> keys_of_;  ///< index of the request that was last to be admitted,
  std::vector<std::uint64_t> keys_;       ///< and the keys of its prompt's stretches
  std::vector<int> running_;              ///< slots in the order of admission
  std::deque<int> decoding_;              ///< slots with a sampled token that has not entered, by class
  std::deque<int> prefilling_;            ///< slots with prompt tokens that have not entered, by class
  std::optional<int> entering_;           ///< slot of a batch that has entered in part
  int prefill_credit_ = 0;                ///< of Mix::ratio, in thousandths of a token
  int draining_ = 0;
  std::array<Entry, kChainCount> entries_{Entry{}, Entry{.next_number = kFirstOfDecoder}};

  std::vector<RequestRecord> finished_;
  std::vector<TokenRecord> recorded_in_flight_;
  std::vector<TokenRecord> recorded_;
  std::int64_t kv_tokens_held_ = 0;
  ServingTotals totals_;
  Timelines timelines_;
};

}  // namespace ouro::llm
