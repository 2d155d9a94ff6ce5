#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "engine/event.hpp"
#include "engine/state_archive.hpp"
#include "llm/stage.hpp"
#include "wafer/flit_event.hpp"
#include "wafer/geometry.hpp"

namespace ouro::llm {

/// Stations that a token passes one after another. A model has one chain of them; an encoder-decoder has two,
/// each with an order of its own: that of the encoder, which prompts pass, and that of the decoder.
enum class Chain : std::uint8_t { first, decoder };
inline constexpr std::size_t kChainCount = 2;

/// The numbers of an encoder-decoder's decoded tokens begin here, so that a number tells the chain.
inline constexpr std::uint32_t kFirstOfDecoder = std::uint32_t{1} << 31;

/// A sequence of an encoder-decoder has two entries in the KV memory of the decoder's blocks: `slot`, an even
/// number, for its own tokens, and this one for those of the encoder, which cross attention attends to.
inline constexpr int kEntriesOfSequence = 2;
inline constexpr int cross_entry(int slot) {
  return slot | 1;
}

/// The other one of the two.
inline constexpr int own_entry(int slot) {
  return slot & ~1;
}

/// One token on its way through the pipeline.
struct Token {
  static constexpr std::uint8_t kSampled = 1;      ///< flag: its logits give the sequence's next token
  static constexpr std::uint8_t kDecode = 2;       ///< flag: it was generated, not read from the prompt
  static constexpr std::uint8_t kResumes = 4;      ///< flag: the first of its sequence behind cached ones
  static constexpr std::uint8_t kFollows = 8;      ///< flag: not the first of a batch that moves as a whole
  static constexpr std::uint8_t kIsFollowed = 16;  ///< flag: not the last of it

  std::uint32_t number = 0;    ///< consecutive in its chain over all sequences, in the order of entering
  std::uint32_t position = 0;  ///< in its sequence
  std::uint16_t slot = 0;      ///< of its sequence; in what a KV core gets, the entry that it concerns
  std::uint8_t flags = 0;

  Chain chain() const { return number < kFirstOfDecoder ? Chain::first : Chain::decoder; }
  bool sampled() const { return (flags & kSampled) != 0; }
  /// The first of its sequence that enters the pipeline.
  bool begins() const { return position == 0 || (flags & kResumes) != 0; }
  /// Token by token, each is a batch of its own.
  bool opens_batch() const { return (flags & kFollows) == 0; }
  bool closes_batch() const { return (flags & kIsFollowed) == 0; }
  Phase phase() const { return (flags & kDecode) != 0 ? Phase::decode : Phase::prefill; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [token_number, token_position, token_slot, token_flags] = *this;
    engine::archive_fields(archive, token_number, token_position, token_slot, token_flags);
  }
};

enum class MessageKind : std::uint8_t {
  // to a die
  packet,         ///< head at the router of core `at`, on its way to core `target`
  multicast,      ///< head at the beginning of segment `target` of the trees of `station`, tree `head`
  tile_pass_end,  ///< a tile's crossbars are done: its partial sums can leave
  tile_summed,    ///< all sums of a tile are there: its SFU has work
  tile_done,      ///< a tile's outputs are complete
  station_ready,  ///< a station has normalised or gathered a token
  head_done,      ///< a KV core has the output of a head
  announced,      ///< what the tiles of `station` make of a token has left them
  credit,         ///< a station may launch one more token
  release,        ///< the KV of a sequence is given back
  // to the host interface
  issue,        ///< a token may enter the pipeline
  host_packet,  ///< a packet's tail is at the host
  inject,       ///< a token's embedding is looked up
  sample,       ///< a token is sampled
  // to the controllers
  arrival,  ///< the next request is due
  entered,  ///< a token left the host
  retired,  ///< a token left the pipeline; `time_ps` says when
  // to a die, at fidelity `stage`
  stage_coming,  ///< the first part of a token comes to `station`; `time_ps` says when the last one will
  stage_late,    ///< the last part of a token comes to `station` later than was said, by `time_ps`
  stage_ready,   ///< the next token of `station` may be ready
  stage_wake,    ///< `station` may launch a token that waited for what it needs
  stage_credit,  ///< `station` may launch one more token
  // to a die, of the prefix cache
  keep,   ///< a stretch of a prompt, `target` pages from `position` on, is cached under `number`
  adopt,  ///< a sequence gets what is cached under `number`
  drop,   ///< what is cached under `number` is given back
  // of failures: to the controllers
  failure,  ///< failure `number` of the wafer's is noticed
  ready,    ///< a die, the host interface, or a core that gets weights has done its part
  // to dies and the host interface
  flush,     ///< tokens with numbers below `number` are given up
  rewind,    ///< of the sequence, the K and V of the first `position` tokens stay
  move,      ///< the weights of core `at` go to core `target`, as packets with that `number`
  remapped,  ///< the plan has changed
  // to a die, at fidelity `flit`
  flit,  ///< a clock edge, or what comes over a border; with a head comes what its packet carries
};

/// What a packet carries.
enum class Cargo : std::uint8_t {
  activations,        ///< part of a token's vector, for the home core of a station
  residual,           ///< the vector that a station two ahead adds
  head_input,         ///< q, k, v of a head, for a KV core
  attention_partial,  ///< output, maximum and sum of a part of a head, for the KV core of its newest tokens
  partial_sum,        ///< 32-bit sums for the next tile
  credit,             ///< for a station or the host
  announcement,       ///< what a tile of `station` makes of a token has left it, for the next home core
  call,               ///< a station has room for the output of a token's head, for a KV core
  candidates,         ///< best logits of an LM head core, for the host
  weights,            ///< of a crossbar, for a core that takes over from another
  tile_input,         ///< at fidelity `flit`, where nothing is multicast: a token's vector, for a tile
};

/// The payload of every event of the model.
struct Message {
  std::uint32_t number = 0;
  std::uint32_t position = 0;
  std::uint16_t slot = 0;
  std::uint8_t token_flags = 0;
  MessageKind kind{};
  Cargo cargo{};
  Stage stage{};  ///< to whose account the energy goes
  std::uint16_t station = 0;
  std::uint32_t at = 0;      ///< core
  std::uint32_t target = 0;  ///< core, or segment of a multicast
  std::uint16_t flits = 0;
  std::uint16_t head = 0;    ///< KV head, or tree of a multicast
  std::uint32_t via = 0;     ///< packet: code of the wafer::Waypoint that it is on its way to
  std::int64_t time_ps = 0;  ///< flit: the bits of a wafer::FlitEvent instead

  Token token() const { return {number, position, slot, token_flags}; }
  void set_token(const Token& token) {
    number = token.number;
    position = token.position;
    slot = token.slot;
    token_flags = token.flags;
  }
  /// Of a credit: when its token was whole at the station that gives it back, or had left the tiles there as
  /// far as announcements say. It takes the place of what a credit need not know of the token: position, slot
  /// and head. `time_ps` is not free, at fidelity `flit`.
  void set_whole(engine::Time when) {
    const auto bits = static_cast<std::uint64_t>(engine::picoseconds(when));
    position = static_cast<std::uint32_t>(bits >> 32U);
    slot = static_cast<std::uint16_t>(bits >> 16U);
    head = static_cast<std::uint16_t>(bits);
  }
  engine::Time whole() const {
    const auto bits = std::uint64_t{position} << 32U | std::uint64_t{slot} << 16U | head;
    return engine::from_picoseconds(static_cast<std::int64_t>(bits));
  }
  wafer::FlitEvent flit_event() const { return std::bit_cast<wafer::FlitEvent>(time_ps); }
  void set_flit_event(const wafer::FlitEvent& event) { time_ps = std::bit_cast<std::int64_t>(event); }
};

static_assert(sizeof(Message) == engine::Event::kPayloadBytes);
static_assert(std::has_unique_object_representations_v<Message>);  // no padding: digests read every byte

/// Of an event: what decides what can follow from it, and how soon at least, whatever the token; see
/// Foresight.
std::uint32_t kind_of(const engine::Event& event);

inline constexpr engine::LpId kControllerLp{0};
inline constexpr engine::LpId kHostLp{1};
inline constexpr std::uint32_t kFirstDieLp = 2;

inline engine::LpId die_lp(wafer::DieId die) {
  return engine::LpId{kFirstDieLp + die.value()};
}

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::Message);
