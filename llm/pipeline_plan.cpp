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

constexpr int kLeastWindow = 2;  // double buffering
constexpr int kLargestWindow = 64;

std::vector<MulticastTree> make_trees(const wafer::WaferModel& wafer, CoreId home,
                                      const std::vector<CoreId>& cores) {
  std::vector<MulticastTree> trees;
  if (wafer.noc.multicast == wafer::MulticastMode::tree) {
    trees.emplace_back(wafer.geometry, home, cores, wafer.noc.routing);
    return trees;
  }
  trees.reserve(cores.size());
  for (const auto& core : cores)
    trees.emplace_back(wafer.geometry, home, std::span{&core, 1}, wafer.noc.routing);
  return trees;
}

}  // namespace

PipelinePlan::PipelinePlan(const wafer::WaferModel& wafer, const ModelDescription& model, TiledModel tiled,
                           Mapping mapping)
    : wafer_{wafer}, model_{model}, tiled_{std::move(tiled)}, mapping_{std::move(mapping)} {
  for (int block = 0; block < blocks(); ++block) add_block(block);
  const int lm_senders = tiled_.block[static_cast<std::size_t>(Matrix::down)].senders();
  add_station({.group = &tiled_.lm_head,
               .cores = &mapping_.lm_head,
               .block = blocks(),
               .is_lm_head = true,
               .adds_residual = true,
               .normalises = true,
               .expected_packets = lm_senders + 1,
               .home_stage = Stage::head,
               .tile_stage = Stage::head});
  assign_roles();
  const auto& qkv = tiled_.block[static_cast<std::size_t>(Matrix::qkv)];
  for (int head = 0; head < model_.kv_heads; ++head) {
    head_input_senders_.push_back(qkv.senders_to(head));
    query_senders_.push_back(qkv.query_senders_to(head));
  }
  check_packets();
  window_ = largest_window();
  if (window_ < kLeastWindow) {
    throw engine::InputError{
        "wafer.core",
        fmt::format("the buffers of a core hold the vectors of {} tokens of '{}'", window_, model_.name),
        fmt::format("at least {} are needed: enlarge input_buffer or output_buffer", kLeastWindow)};
  }
}

void PipelinePlan::add_block(int block) {
  const auto& cores = mapping_.blocks[static_cast<std::size_t>(block)].tiles;
  const auto group = [&](Matrix m) { return &tiled_.block[static_cast<std::size_t>(m)]; };
  const auto cores_of = [&](Matrix m) { return &cores[static_cast<std::size_t>(m)]; };
  const bool first = block == 0;
  add_station({.group = group(Matrix::qkv),
               .cores = cores_of(Matrix::qkv),
               .block = block,
               .matrix = Matrix::qkv,
               .adds_residual = !first,
               .normalises = true,
               .sends_residual = true,
               .expected_packets = first ? 1 : group(Matrix::down)->senders() + 1,
               .home_stage = Stage::layer_norm,
               .tile_stage = Stage::qkv});
  add_station({.group = group(Matrix::output),
               .cores = cores_of(Matrix::output),
               .block = block,
               .matrix = Matrix::output,
               .expected_packets = model_.kv_heads,
               .home_stage = Stage::projection,
               .tile_stage = Stage::projection});
  add_station({.group = group(Matrix::gate_up),
               .cores = cores_of(Matrix::gate_up),
               .block = block,
               .matrix = Matrix::gate_up,
               .adds_residual = true,
               .normalises = true,
               .sends_residual = true,
               .expected_packets = group(Matrix::output)->senders() + 1,
               .home_stage = Stage::ffn,
               .tile_stage = Stage::ffn});
  add_station({.group = group(Matrix::down),
               .cores = cores_of(Matrix::down),
               .block = block,
               .matrix = Matrix::down,
               .expected_packets = group(Matrix::gate_up)->senders(),
               .home_stage = Stage::ffn,
               .tile_stage = Stage::ffn});
}

void PipelinePlan::add_station(StationPlan station) {
  station.home = station.cores->front();
  station.trees = make_trees(wafer_, station.home, *station.cores);
  stations_.push_back(std::move(station));
}

void PipelinePlan::assign_roles() {
  const auto cores_of_wafer = static_cast<std::uint32_t>(wafer_.geometry.cores());
  roles_.resize(cores_of_wafer);
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
  for (std::size_t b = 0; b < mapping_.blocks.size(); ++b) {
    const auto& ring = mapping_.blocks[b].kv;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      roles_[ring[i].value()].kv_block = static_cast<std::int32_t>(b);
      roles_[ring[i].value()].kv_ring = static_cast<std::int32_t>(i);
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

/// With w credits between neighbouring stations, a station's input buffer holds at most the gathered vectors
/// of w tokens, the residuals of the 2 w that are under way from two stations before, and, since it is its
/// own first tile, the vectors of w tokens that it works on; a tile's output buffer holds what it makes of
/// them. Partial sums and the inputs of KV cores are small beside these and are left out.
int PipelinePlan::largest_window() const {
  const auto& core = wafer_.core;
  std::int64_t window = kLargestWindow;
  for (const auto& station : stations_) {
    const std::int64_t input = station.group->rows;
    const std::int64_t residual = station.adds_residual ? 2 * input : 0;
    window = std::min(window, core.input_buffer_bytes / (2 * input + residual));
    for (const auto& tile : station.group->tiles) {
      std::int64_t output = 4 * std::int64_t{tile.partial_columns};
      for (const auto& slice : tile.slices) output += slice.bytes;
      if (output > 0) window = std::min(window, core.output_buffer_bytes / output);
    }
  }
  return static_cast<int>(window);
}

int PipelinePlan::pages_of_core() const {
  const auto& core = wafer_.core;
  const int blocks_for_k = core.crossbars / 2 * core.kv_blocks_of_crossbar();
  return blocks_for_k / blocks_of_page();
}

}  // namespace ouro::llm
