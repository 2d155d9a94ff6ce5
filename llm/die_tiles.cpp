#include "llm/die_process.hpp"

// The cores of a die that hold weights.

namespace ouro::llm {

using engine::Time;
using wafer::Component;
using wafer::CoreId;

void DieProcess::start_pass(const Message& message, CoreId core_id, Time tail) {
  traffic_.received(message.flits);
  const auto& station = station_plan(message.station);
  auto& tile_core = core(core_id);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(tile_core.role.tile)];

  const auto work = tile_work(core_model_, *station.group, tile);
  const Time start = std::max(tail + work.input, tile_core.crossbars_free);
  tile_core.crossbars_free = start + work.pass;
  const Time end = start + work.pass + work.output;

  const auto phase = message.token().phase();
  count_buffer(message, tile_core);
  count(tile_core, message.stage, phase, Component::mac, tile.macs);
  count(tile_core, message.stage, phase, Component::htree, tile.htree_bits);
  tile_core.use.crossbars_busy += work.pass;
  ledger_.busy(start, station.block, message.stage, work.pass);

  if (tile.partial_columns > 0 && !tile.partial_waits) {
    Message pass_end = message;
    pass_end.kind = MessageKind::tile_pass_end;
    pass_end.at = core_id.value();
    scheduler_->send_at(scheduler_->self(), end, pass_end);
  }
  add_tile_part(message, core_id, end);
}

void DieProcess::add_tile_part(const Message& message, CoreId core_id, Time at) {
  auto& tile_core = core(core_id);
  const auto& role = tile_core.role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  const auto whole = tile_core.tile_parts.add(message.number, 0, tile.takes_partial ? 2 : 1, at);
  if (!whole || (tile.slices.empty() && !tile.partial_waits)) return;

  Message summed = message;
  summed.kind = MessageKind::tile_summed;
  summed.at = core_id.value();
  summed.station = static_cast<std::uint16_t>(role.tile_station);
  // until the sums are there, the SFU may be wanted for what comes meanwhile
  if (role.is_home() && finishing_work(core_model_, *station.group, tile).time > engine::Duration{}) {
    scheduler_->send_at(scheduler_->self(), *whole, summed);
  } else {
    finish_tile(summed, *whole);
  }
}

/// @param summed  when all sums of the tile are there
void DieProcess::finish_tile(const Message& message, Time summed) {
  auto& tile_core = core(at_core(message));
  const auto& station = station_plan(message.station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(tile_core.role.tile)];
  Message done = message;
  done.kind = MessageKind::tile_done;
  const Time at = use_sfu(tile_core, summed, finishing_work(core_model_, *station.group, tile), station.block,
                          station.tile_stage, message.token().phase());
  scheduler_->send_at(scheduler_->self(), at, done);
}

void DieProcess::send_partial_sums(const Message& message) {
  const auto& role = core(at_core(message)).role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  Message sums{.cargo = Cargo::partial_sum, .stage = station.tile_stage, .station = message.station};
  sums.set_token(message.token());
  send(sums, at_core(message), (*station.cores)[static_cast<std::size_t>(role.tile) + 1],
       4 * std::int64_t{tile.partial_columns});
}

void DieProcess::tile_done(const Message& message) {
  const auto& role = core(at_core(message)).role;
  const auto& station = station_plan(role.tile_station);
  const auto& tile = station.group->tiles[static_cast<std::size_t>(role.tile)];
  if (tile.partial_waits) send_partial_sums(message);
  if (station.attends) {
    send_head_inputs(message, at_core(message), station, tile);
    if (station.announces() && !tile.slices.empty()) announce(message, at_core(message), role.tile_station);
  } else {
    send_outputs(message, at_core(message), station, tile);
  }
}

void DieProcess::send_outputs(const Message& message, CoreId from, const StationPlan& station,
                              const Tile& tile) {
  Message output{.stage = station.tile_stage};
  output.set_token(message.token());
  for (const auto& slice : tile.slices) {
    output.cargo = station.is_lm_head ? Cargo::candidates : Cargo::activations;
    const CoreId to =
        station.is_lm_head ? geometry_.host_id() : station_plan(core(from).role.tile_station + 1).home;
    send(output, from, to, slice.bytes);
  }
}

void DieProcess::send_head_inputs(const Message& message, CoreId from, const StationPlan& station,
                                  const Tile& tile) {
  const auto& ring = plan_.ring(station.block);
  Message input{.cargo = Cargo::head_input, .stage = station.tile_stage};
  input.set_token(message.token());
  if (station.attends_across()) input.slot = static_cast<std::uint16_t>(cross_entry(message.slot));
  for (const auto& slice : tile.slices) {
    input.head = static_cast<std::uint16_t>(slice.consumer);
    const auto cores = cores_of_head(input.token(), slice.consumer, station.block);
    for (const int to : cores) {
      const int bytes =
          to == cores.back() ? slice.bytes : slice.q_bytes;  // K and V go where the newest tokens are
      if (bytes > 0) send(input, from, ring[static_cast<std::size_t>(to)], bytes);
    }
  }
}

/// The vector that all heads share, to the core of the newest tokens.
void DieProcess::send_latent(const StationPlan& station, const Token& token) {
  Message latent{.cargo = Cargo::head_input, .stage = station.home_stage, .head = 0};
  latent.set_token(token);
  const auto newest = static_cast<std::size_t>(cores_of_head(token, 0, station.block).back());
  send(latent, station.home, plan_.ring(station.block)[newest], station.latent);
}

}  // namespace ouro::llm
