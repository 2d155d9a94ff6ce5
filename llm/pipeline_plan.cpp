#include "llm/pipeline_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "engine/error.hpp"
#include "llm/message.hpp"

namespace ouro::llm {
namespace {

using wafer::CoreId;
using wafer::MulticastTree;

constexpr int kLeastWindow = 1;  // vectors that are gathered and those that tiles work on both count
constexpr int kLargestWindow = 64;

HeadShape head_of(const ModelDescription& model) {
  const auto kept = kv_shape(model);
  return {model.attention_heads / kept.heads, kept.key_dim, kept.value_dim};
}

int latent_bytes(const ModelDescription& model) {
  return model.latent.kv_rank + model.latent.rope_dim;
}

bool is_latent(const ModelDescription& model) {
  return model.latent.kv_rank > 0;
}

/// Stations between the first one of a block and that of its FFN.
int stations_of_attention(const ModelDescription& model) {
  if (!is_latent(model)) return 2;
  return model.latent.query_rank > 0 ? 5 : 4;
}

/// And behind it, those of cross attention.
constexpr int kStationsOfCrossAttention = 2;

/// How far behind the first station of the FFN the block ends.
int stations_of_ffn(const ModelDescription& model, int block) {
  return has_experts(model, block) ? 3 : 2;
}

void add_trees(std::vector<MulticastTree>& trees, const wafer::WaferModel& wafer, CoreId home,
               std::span<const CoreId> cores) {
  if (wafer.noc.multicast == wafer::MulticastMode::tree) {
    trees.emplace_back(wafer.geometry, home, cores, wafer.noc.routing);
    return;
  }
  for (const auto& core : cores)
    trees.emplace_back(wafer.geometry, home, std::span{&core, 1}, wafer.noc.routing);
}

}  // namespace

PipelinePlan::PipelinePlan(const wafer::WaferModel& wafer, const ModelDescription& model, TiledModel tiled,
                           Mapping mapping, const RoutingOptions& routing, KvCrossbars kv_crossbars,
                           Pipelining pipelining)
    : wafer_{wafer},
      model_{model},
      head_{head_of(model)},
      tiled_{std::move(tiled)},
      mapping_{std::move(mapping)},
      ring_{mapping_, tiled_, wafer.core, kv_crossbars},
      routing_{model, routing},
      pipelining_{pipelining} {
  lay_out();
  const auto& senders = tiled_.of(is_latent(model_) ? Matrix::head_key : Matrix::qkv);
  const int latent = is_latent(model_) ? 1 : 0;
  for (int head = 0; head < kv_heads(); ++head) {
    head_input_senders_.push_back(senders.senders_to(head) + latent);
    query_senders_.push_back(senders.query_senders_to(head));
    cross_kv_senders_.push_back(tiled_.of(Matrix::cross_kv).senders_to(head));
    cross_query_senders_.push_back(tiled_.of(Matrix::cross_query).senders_to(head));
  }
  check_packets();
  find_window();
  if (window_ < kLeastWindow) {
    throw engine::InputError{
        "wafer.core",
        fmt::format("the buffers of a core hold the vectors of {} tokens of '{}'", window_, model_.name),
        fmt::format("at least {} are needed: enlarge input_buffer or output_buffer", kLeastWindow)};
  }
}

void PipelinePlan::remap(Mapping mapping) {
  mapping_ = std::move(mapping);
  ring_ = {mapping_, tiled_, wafer_.core, KvCrossbars::of_kv_cores};  // failures are refused with fragments
  lay_out();
}

/// Stations and roles as the mapping says.
void PipelinePlan::lay_out() {
  stations_.clear();
  const bool two_chains = is_encoder_decoder(model_);
  const int first_of_second = two_chains ? model_.encoder_layers : blocks();
  for (int block = 0; block < first_of_second; ++block) add_block(block);
  for (int block = first_of_second; block < blocks(); ++block) add_cross_kv(block);
  first_of_decoder_ = stations_.size();
  for (int block = first_of_second; block < blocks(); ++block) add_block(block);
  const int last = blocks() - 1;
  add_station({.group = &tiled_.lm_head,
               .cores = &mapping_.lm_head,
               .block = blocks(),
               .is_lm_head = true,
               .residual_from = stations_of_ffn(model_, last),
               .normalises = true,
               .combines = has_experts(model_, last),
               .expected_packets = tiled_.of(last, Matrix::down).senders() + 1,
               .home_stage = Stage::head,
               .tile_stage = Stage::head});
  stations_.front().begins_chain = stations_.back().ends_chain = true;
  if (two_chains) stations_[first_of_decoder_].begins_chain = true;
  if (two_chains) stations_[first_of_decoder_ - 1].ends_chain = true;
  if (!two_chains) first_of_decoder_ = stations_.size();
  assign_roles();
  time_stations();
}

bool PipelinePlan::ends_at(wafer::DieId die) const {
  return std::any_of(stations_.begin(), stations_.end(), [&](const StationPlan& station) {
    return station.ends_chain && wafer_.geometry.die_of(station.home) == die;
  });
}

StationPlan PipelinePlan::station_of(int block, Matrix matrix) const {
  const auto& mapped = mapping_.blocks[static_cast<std::size_t>(block)];
  return {.group = &tiled_.of(block, matrix),
          .cores = &mapped.tiles[static_cast<std::size_t>(matrix)],
          .block = block,
          .matrix = matrix};
}

void PipelinePlan::add_block(int block) {
  const bool first = block == 0 || (is_encoder_decoder(model_) && block == model_.encoder_layers);
  auto qkv = station_of(block, Matrix::qkv);
  qkv.residual_from = first ? 0 : stations_of_ffn(model_, block - 1);
  qkv.residual_to = stations_of_attention(model_);
  qkv.normalises = true;
  qkv.combines = !first && has_experts(model_, block - 1);
  qkv.attends = !is_latent(model_);
  qkv.expected_packets = first ? 1 : tiled_.of(block - 1, Matrix::down).senders() + 1;
  qkv.home_stage = Stage::layer_norm;
  qkv.tile_stage = Stage::qkv;
  if (is_encoder_block(model_, block)) qkv.announcements = qkv.group->senders();
  add_station(std::move(qkv));
  if (is_latent(model_)) add_latent_attention(block);

  auto output = station_of(block, Matrix::output);
  output.expected_packets = is_latent(model_) ? tiled_.of(Matrix::head_value).senders() : kv_heads();
  output.home_stage = output.tile_stage = Stage::projection;
  output.calls_queries = is_encoder_block(model_, block);
  add_station(std::move(output));
  if (has_cross_attention(model_, block)) add_cross_attention(block);
  add_ffn(block);
}

/// The encoder's outputs, normalised at the first of these stations, go from one to the next.
void PipelinePlan::add_cross_kv(int block) {
  const bool first = block == model_.encoder_layers;
  const bool last = block + 1 == blocks();
  auto kept = station_of(block, Matrix::cross_kv);
  kept.residual_from = first ? stations_of_ffn(model_, block - 1) : 0;
  kept.normalises = first;
  kept.attends = true;
  kept.passes_on = last ? 0 : model_.hidden_size;
  kept.expected_packets = first ? tiled_.of(block - 1, Matrix::down).senders() + 1 : 1;
  kept.announcements = kept.group->senders() + (last ? 0 : 1);  // and the next station sends the vector on
  kept.home_stage = first ? Stage::layer_norm : Stage::qkv;
  kept.tile_stage = Stage::qkv;
  add_station(std::move(kept));
}

void PipelinePlan::add_cross_attention(int block) {
  auto query = station_of(block, Matrix::cross_query);
  query.residual_from = stations_of_attention(model_);
  query.residual_to = kStationsOfCrossAttention;
  query.normalises = true;
  query.attends = true;
  query.expected_packets = tiled_.of(Matrix::output).senders() + 1;
  query.home_stage = Stage::layer_norm;
  query.tile_stage = Stage::qkv;
  add_station(std::move(query));

  auto output = station_of(block, Matrix::cross_output);
  output.expected_packets = kv_heads();
  output.home_stage = output.tile_stage = Stage::projection;
  add_station(std::move(output));
}

/// The compressed vectors of queries, of keys and values are gathered and normalised where they are used. The
/// one of keys and values goes along with the queries, so that both come to the KV core from one station.
void PipelinePlan::add_latent_attention(int block) {
  const bool compressed_queries = model_.latent.query_rank > 0;
  if (compressed_queries) {
    auto query = station_of(block, Matrix::query);
    query.normalises = true;
    query.latent = query.passes_on = latent_bytes(model_);
    query.expected_packets = tiled_.of(Matrix::qkv).senders();
    query.home_stage = query.tile_stage = Stage::qkv;
    add_station(std::move(query));
  }
  auto key = station_of(block, Matrix::head_key);
  key.latent = latent_bytes(model_);
  key.attends = true;
  key.expected_packets =
      compressed_queries ? tiled_.of(Matrix::query).senders() + 1 : tiled_.of(Matrix::qkv).senders();
  key.home_stage = key.tile_stage = Stage::qkv;
  add_station(std::move(key));

  auto value = station_of(block, Matrix::head_value);
  value.expected_packets = kv_heads();
  value.home_stage = value.tile_stage = Stage::projection;
  add_station(std::move(value));
}

/// The station that gathers the attention's output adds the residual and normalises: gate and up, or the
/// router before it, which hands the vector on.
void PipelinePlan::add_ffn(int block) {
  const bool routed = has_experts(model_, block);
  auto first = station_of(block, routed ? Matrix::router : Matrix::gate_up);
  const bool crosses = has_cross_attention(model_, block);
  first.residual_from = crosses ? kStationsOfCrossAttention : stations_of_attention(model_);
  first.residual_to = stations_of_ffn(model_, block);
  first.passes_on = routed ? model_.hidden_size : 0;
  first.normalises = true;
  first.expected_packets = tiled_.of(crosses ? Matrix::cross_output : Matrix::output).senders() + 1;
  first.home_stage = first.tile_stage = Stage::ffn;
  add_station(std::move(first));
  if (routed) {
    auto up = station_of(block, Matrix::gate_up);
    up.routes = true;
    up.expected_packets = tiled_.of(Matrix::router).senders() + 1;
    up.home_stage = up.tile_stage = Stage::ffn;
    add_station(std::move(up));
  }
  auto down = station_of(block, Matrix::down);
  down.expected_packets = tiled_.of(block, Matrix::gate_up).senders();
  down.home_stage = down.tile_stage = Stage::ffn;
  add_station(std::move(down));
}

void PipelinePlan::add_station(StationPlan station) {
  station.home = station.cores->front();
  const std::span cores{*station.cores};
  const auto at_once = station.group->experts > 0 ? station.group->tiles_of_expert() : std::ssize(cores);
  for (std::ptrdiff_t first = 0; first < std::ssize(cores); first += at_once) {
    add_trees(station.trees, wafer_, station.home,
              cores.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(at_once)));
  }
  stations_.push_back(std::move(station));
}

void PipelinePlan::assign_roles() {
  const auto cores_of_wafer = static_cast<std::uint32_t>(wafer_.geometry.cores());
  roles_.assign(cores_of_wafer, {});
  index_in_die_.clear();
  for (std::uint32_t core = 0; core < cores_of_wafer; ++core) {
    index_in_die_.push_back(static_cast<std::uint16_t>(wafer_.geometry.index_in_die(CoreId{core})));
  }
  for (std::size_t s = 0; s < stations_.size(); ++s) {
    const auto& cores = *stations_[s].cores;
    for (std::size_t i = 0; i < cores.size(); ++i) {
      roles_[cores[i].value()].tile_station = static_cast<std::int32_t>(s);
      roles_[cores[i].value()].tile = static_cast<std::int32_t>(i);
    }
    roles_[stations_[s].home.value()].home_of = static_cast<std::int32_t>(s);
  }
  for (int block = 0; block < blocks(); ++block) {
    const auto& cores = ring(block);
    for (std::size_t i = 0; i < cores.size(); ++i) {
      if (cores[i] == kNoCore) continue;
      roles_[cores[i].value()].kv_block = block;
      roles_[cores[i].value()].kv_ring = static_cast<std::int32_t>(i);
    }
  }
}

void PipelinePlan::check_packets() const {
  constexpr std::int64_t kMostFlits = std::numeric_limits<decltype(Message::flits)>::max();
  for (const auto& station : stations_) {
    const std::int64_t flits = wafer_.noc.flits(station.group->rows);
    if (flits <= kMostFlits) continue;
    throw engine::InputError{
        "wafer.noc.link_width",
        fmt::format("a vector of '{}' would be a packet of {} flits", model_.name, flits),
        fmt::format("a packet has at most {}: widen the links", kMostFlits)};
  }
}

SfuWork PipelinePlan::home_work(const StationPlan& station) const {
  const auto& core = wafer_.core;
  const auto elements = station.group->rows;
  SfuWork work;
  if (station.combines) work += combining_work(core, elements, model_.experts);
  if (station.residual_from > 0) work += residual_work(core, elements);
  if (station.normalises) work += norm_work(core, elements, model_.norm);
  if (station.latent > 0 && station.attends) work += norm_work(core, model_.latent.kv_rank, model_.norm);
  if (station.routes) work += routing_work(core, model_.experts);
  return work;
}

/// With w credits between neighbouring stations, a station's input buffer holds at most the gathered vectors
/// of w tokens, the residuals of the n w that are under way from n stations before, and, since it is its own
/// first tile, the vectors of w tokens that it works on; a tile's output buffer holds what it makes of them.
/// What experts give is added up as it comes, in 32 bits. Partial sums and the inputs of KV cores are small
/// beside these and are left out, as are logits.
void PipelinePlan::find_window() {
  constexpr int kBytesOfSum = 4;
  const auto& core = wafer_.core;
  const auto& experts = model_.experts;
  std::int64_t inputs = kLargestWindow, outputs = kLargestWindow;
  for (const auto& station : stations_) {
    const std::int64_t vector = station.group->rows;
    const std::int64_t input = station.vectors() * vector;
    const std::int64_t gathered =
        station.combines ? std::min(experts.per_token + experts.shared, kBytesOfSum) * vector : input;
    const std::int64_t residual = station.residual_from * vector;
    inputs = std::min(inputs, core.input_buffer_bytes / (gathered + input + residual + station.latent));
    for (const auto& tile : station.group->tiles) {
      std::int64_t output = 4 * std::int64_t{tile.partial_columns};
      for (const auto& slice : tile.slices) output += slice.bytes;
      if (output > 0) outputs = std::min(outputs, core.output_buffer_bytes / output);
    }
  }
  window_ = static_cast<int>(std::min(inputs, outputs));
  tightest_buffer_ = inputs <= outputs ? Buffer::input : Buffer::output;
}

void PipelinePlan::time_stations() {
  for (std::size_t number = 0; number < stations_.size(); ++number) {
    auto& station = stations_[number];
    station.gather_time = gather_flits(number) * wafer_.noc.cycle;
    for (const auto& tile : station.group->tiles)
      station.pass_time = std::max(station.pass_time, wafer_.core.crossbar_pass(tile.busiest_rows));
  }
}

/// Of what the tiles before send to a station's home core.
std::int64_t PipelinePlan::gather_flits(std::size_t number) const {
  if (stations_[number].begins_chain) return wafer_.noc.flits(model_.hidden_size);
  const auto& before = stations_[number - 1];
  if (before.matrix == Matrix::cross_kv) return wafer_.noc.flits(before.passes_on);
  if (before.attends) {
    return std::int64_t{kv_heads()} * wafer_.noc.flits(head_output_bytes(head()));
  }
  std::int64_t flits = 0;
  for (const auto& tile : before.group->tiles) {
    for (const auto& slice : tile.slices) flits += wafer_.noc.flits(slice.bytes);
  }
  if (before.group->experts > 0) flits = flits / before.group->experts * before.group->active;
  flits += wafer_.noc.flits(before.passes_on);
  return flits;
}

std::vector<int> PipelinePlan::pages_of_ring() const {
  const int blocks_of_page = std::max(head_.key_blocks(wafer_.core), head_.value_blocks(wafer_.core));
  std::vector<int> pages;
  for (int place = 0; place < ring_.places(); ++place) {
    const int blocks_of_half = ring_.crossbars(place) / 2 * wafer_.core.kv_blocks_of_crossbar();
    pages.push_back(blocks_of_half / blocks_of_page);
  }
  return pages;
}

std::vector<int> PipelinePlan::pages_of_encoder_ring() const {
  const auto& core = wafer_.core;
  const auto query_bytes = head_.queries * head_.key_dim;
  const auto most = static_cast<int>(core.input_buffer_bytes / (core.kv_block_columns * query_bytes));
  auto pages = pages_of_ring();
  for (int& of_core : pages) of_core = std::min(of_core, most);
  return pages;
}

}  // namespace ouro::llm
