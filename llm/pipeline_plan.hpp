#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "llm/core_work.hpp"
#include "llm/expert_routing.hpp"
#include "llm/kv_ring.hpp"
#include "llm/mapping.hpp"
#include "llm/message.hpp"
#include "llm/model.hpp"
#include "llm/stage.hpp"
#include "llm/tiling.hpp"
#include "wafer/multicast.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::llm {

/// A home core in the chain that every token passes: four stations a block (QKV, O, gate and up, down), with
/// experts one more (the router before gate and up), with latent attention two or three more (the queries of
/// their compressed vector, the matrices of the heads before and behind attention), with cross attention two
/// more (its queries, its O), one for the LM head. A station gathers a token's vector, normalises it where
/// the model says so, and multicasts it to the tiles of its group of matrices, whose outputs go on to the
/// next station. Of an encoder-decoder the stations of the encoder's chain are first: those of its blocks,
/// and one for K and V of each block's cross attention, through which the encoder's outputs pass.
struct StationPlan {
  wafer::CoreId home{};
  const TiledGroup* group = nullptr;                  ///< what its tiles compute
  const std::vector<wafer::CoreId>* cores = nullptr;  ///< of its tiles
  int block = 0;                                      ///< number of blocks for the LM head
  Matrix matrix = Matrix::qkv;                        ///< meaningless for the LM head, which has this
  bool is_lm_head = false;
  int residual_from = 0;  ///< stations back, the one whose residual is added here; 0 for none
  int residual_to = 0;    ///< stations ahead, the one that adds the vector again; 0 for none
  /// Bytes that go to the next station as they are: the router's vector, or a latent vector.
  std::int64_t passes_on = 0;
  std::int64_t latent = 0;  ///< bytes of a latent vector that is gathered here beside the other
  bool attends = false;     ///< what its tiles make goes to KV cores, and its latent vector, too
  bool normalises = false;
  bool combines = false;  ///< the outputs of the experts of the station before
  bool routes = false;    ///< chooses the experts
  /// Tiles that make K and V for queries that come later: the station's credits come back when they have
  /// announced a token, so many parts of it, to the next station, or at the end of a chain to this one.
  int announcements = 0;
  bool calls_queries = false;  ///< O behind attention in both directions
  bool begins_chain = false;
  bool ends_chain = false;
  int expected_packets = 0;              ///< until a token is complete here, with the residual
  Stage home_stage = Stage::layer_norm;  ///< of gathering and normalising
  Stage tile_stage = Stage::qkv;         ///< of its tiles
  engine::Duration gather_time{};        ///< in which the vector passes the link to the home core
  engine::Duration pass_time{};          ///< longest of its tiles' crossbar passes
  /// One, or one for each tile where multicast is by unicast. Of experts one after another.
  std::vector<wafer::MulticastTree> trees{};

  /// Trees of one expert, or all.
  std::size_t trees_at_once() const {
    return trees.size() / static_cast<std::size_t>(std::max(group->experts, 1));
  }
  bool announces() const { return announcements > 0; }
  /// Whose tiles make queries, or K and V, of cross attention.
  bool attends_across() const { return matrix == Matrix::cross_query || matrix == Matrix::cross_kv; }
  /// Vectors that a token has here: those of its experts in front of their down matrices.
  int vectors() const { return group->experts > 0 && matrix == Matrix::down ? group->active : 1; }
  /// Of a token in the home core's buffer: what it gathers, and the residual that it adds.
  std::int64_t bytes_of_token() const {
    return (vectors() + (residual_from > 0 ? 1 : 0)) * std::int64_t{group->rows} + latent;
  }
};

/// What moves from station to station as a whole.
enum class Pipelining {
  token,
  sequence,  ///< all that enters of a sequence at once: its prompt, or one decoded token
};

/// A core's buffers, of which the smaller one bounds the tokens between two stations.
enum class Buffer { input, output };

/// What a core is used for. Numbers index the plan; -1 for none. A weight core may hold KV, too.
struct CoreRole {
  std::int32_t tile_station = -1;
  std::int32_t tile = -1;
  std::int32_t home_of = -1;
  std::int32_t kv_block = -1;
  std::int32_t kv_ring = -1;

  bool is_home() const { return home_of >= 0; }
};

/// Everything that a token's way through the wafer needs to know. Shared by all LPs of a rank; it changes
/// only when something fails and no token is under way.
class PipelinePlan {
 public:
  /// @throws InputError  if a core's buffers are too small for the model's vectors
  PipelinePlan(const wafer::WaferModel& wafer, const ModelDescription& model, TiledModel tiled,
               Mapping mapping, const RoutingOptions& routing,
               KvCrossbars kv_crossbars = KvCrossbars::of_kv_cores,
               Pipelining pipelining = Pipelining::token);
  PipelinePlan(const PipelinePlan&) = delete;
  PipelinePlan& operator=(const PipelinePlan&) = delete;

  /// Gives the cores other work: as many of each kind, but for KV cores that are kNoCore.
  void remap(Mapping mapping);

  const wafer::WaferModel& wafer() const { return wafer_; }
  const ModelDescription& model() const { return model_; }
  const TiledModel& tiled() const { return tiled_; }
  const Mapping& mapping() const { return mapping_; }
  const std::vector<StationPlan>& stations() const { return stations_; }
  const ExpertRouting& routing() const { return routing_; }
  /// What the home core of a station does with a token between gathering and sending it on.
  SfuWork home_work(const StationPlan& station) const;
  wafer::DieId die_of_home(std::size_t station) const {
    return wafer_.geometry.die_of(stations_[station].home);
  }
  /// The first station of a chain.
  const StationPlan& entry(Chain chain) const {
    return chain == Chain::first ? stations_.front() : stations_[first_of_decoder_];
  }
  /// Number of the first token that a station gets.
  std::uint32_t first_number(std::size_t station) const {
    return station < first_of_decoder_ ? 0 : kFirstOfDecoder;
  }
  /// Whether tokens leave the pipeline at this die.
  bool ends_at(wafer::DieId die) const;
  const CoreRole& role(wafer::CoreId core) const { return roles_[core.value()]; }
  /// Geometry::index_in_die, without its divisions.
  std::size_t index_in_die(wafer::CoreId core) const { return index_in_die_[core.value()]; }

  /// Tokens that a station may have sent on without hearing that the next one has sent them on: the credits
  /// by which no buffer ever overflows.
  int window() const { return window_; }
  /// Which buffer makes it so small.
  Buffer tightest_buffer() const { return tightest_buffer_; }
  Pipelining pipelining() const { return pipelining_; }
  /// Credits that a station needs, of which it takes one, for this token. One sequence at a time: the first
  /// token of the next needs them all, so that nothing of the one before is on its way or waits to be begun.
  int credits_for(const Token& token) const {
    return pipelining_ == Pipelining::sequence && token.opens_batch() ? window_ : 1;
  }

  int blocks() const { return llm::blocks(model_); }
  /// The cores of a block that hold KV: place i of the ring is core i.
  const std::vector<wafer::CoreId>& ring(int block) const { return ring_.cores(block); }
  const KvRing& kv_ring() const { return ring_; }
  /// Pages that the core at each place of the ring holds.
  std::vector<int> pages_of_ring() const;
  /// Of a block with attention in both directions: each page's queries have room in the input buffer, too.
  std::vector<int> pages_of_encoder_ring() const;
  /// Tiles that send something of a KV head, and tiles that send queries for it.
  int head_input_senders(int head) const { return head_input_senders_[static_cast<std::size_t>(head)]; }
  int query_senders(int head) const { return query_senders_[static_cast<std::size_t>(head)]; }
  /// The same of cross attention: of K and V, and of queries.
  int cross_kv_senders(int head) const { return cross_kv_senders_[static_cast<std::size_t>(head)]; }
  int cross_query_senders(int head) const { return cross_query_senders_[static_cast<std::size_t>(head)]; }
  /// The home core that gathers what the heads of a block give.
  wafer::CoreId home_of_heads(int block) const {
    return home_of(block, model_.latent.kv_rank > 0 ? Matrix::head_value : Matrix::output);
  }
  wafer::CoreId home_of_cross_heads(int block) const { return home_of(block, Matrix::cross_output); }
  int kv_heads() const { return kv_shape(model_).heads; }
  /// What a KV core keeps of a head, and asks of it.
  const HeadShape& head() const { return head_; }

 private:
  void lay_out();
  void add_block(int block);
  void add_cross_kv(int block);
  void add_cross_attention(int block);
  void add_latent_attention(int block);
  void add_ffn(int block);
  StationPlan station_of(int block, Matrix matrix) const;
  void add_station(StationPlan station);
  wafer::CoreId home_of(int block, Matrix matrix) const {
    return mapping_.blocks[static_cast<std::size_t>(block)].tiles[static_cast<std::size_t>(matrix)].front();
  }
  void assign_roles();
  void check_packets() const;
  void time_stations();
  std::int64_t gather_flits(std::size_t station) const;
  void find_window();

  const wafer::WaferModel& wafer_;
  const ModelDescription& model_;
  HeadShape head_;
  TiledModel tiled_;
  Mapping mapping_;
  KvRing ring_;
  ExpertRouting routing_;
  std::vector<StationPlan> stations_;
  std::size_t first_of_decoder_ = 0;  // station; behind the last one where there is one chain
  std::vector<CoreRole> roles_;
  std::vector<std::uint16_t> index_in_die_;
  std::vector<int> head_input_senders_;
  std::vector<int> query_senders_;
  std::vector<int> cross_kv_senders_;
  std::vector<int> cross_query_senders_;
  Pipelining pipelining_;
  int window_ = 0;
  Buffer tightest_buffer_ = Buffer::input;
};

}  // namespace ouro::llm
