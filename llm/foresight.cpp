#include "llm/foresight.hpp"

#include <algorithm>
#include <cstdlib>

#include "llm/foresight_builder.hpp"
#include "wafer/die_network.hpp"

namespace ouro::llm {

using engine::Duration;
using wafer::Coordinate;
using wafer::CoreId;

Foresight::Foresight(const PipelinePlan& plan, Duration control_latency, const std::vector<int>& rank_of_die,
                     int rank)
    : plan_{plan}, control_latency_{control_latency}, rank_of_die_{rank_of_die}, rank_{rank} {
  const auto& geometry = plan.wafer().geometry;
  const auto& noc = plan.wafer().noc;
  for (int x = 0; x < geometry.columns(); ++x)
    die_column_of_x_.push_back(static_cast<std::uint8_t>(x / geometry.core_columns));
  for (int y = 0; y < geometry.rows(); ++y)
    die_row_of_y_.push_back(static_cast<std::uint8_t>(y / geometry.core_rows));
  hop_ = noc.router_latency() + noc.wire_latency;
  crossing_ = noc.die_crossing_latency;
  ejection_ = noc.router_latency() + noc.wire_latency + noc.cycle;
}

void Foresight::meet(const engine::Border& border, engine::Lookahead lookahead) {
  knows_what_waits_ = lookahead == engine::Lookahead::held;
  targets_ = border.targets;
  if (knows_what_waits_) targets_.insert(targets_.end(), border.targets.begin(), border.targets.end());
  if (!targets_.empty() && knows_the_model()) ForesightBuilder{*this}.build();
}

/// Along x, then along y, die by die. See wafer::DieNetwork.
Foresight::Way Foresight::way(Coordinate from, Coordinate to) const {
  const auto& geometry = plan_.wafer().geometry;
  int column = die_column_of_x_[static_cast<std::size_t>(from.x)];
  int row = die_row_of_y_[static_cast<std::size_t>(from.y)];
  const int to_column = die_column_of_x_[static_cast<std::size_t>(to.x)];
  const int to_row = die_row_of_y_[static_cast<std::size_t>(to.y)];
  Duration crossings{};
  while (column != to_column) {
    const bool east = to_column > column;
    column += east ? 1 : -1;
    crossings += crossing_;
    if (const int rank = rank_at(column, row); rank != rank_) {
      const int entry = east ? column * geometry.core_columns : (column + 1) * geometry.core_columns - 1;
      return {rank, std::abs(entry - from.x) * hop_ + crossings};
    }
  }
  const Duration along_x = std::abs(to.x - from.x) * hop_;
  while (row != to_row) {
    const bool south = to_row > row;
    row += south ? 1 : -1;
    crossings += crossing_;
    if (const int rank = rank_at(column, row); rank != rank_) {
      const int entry = south ? row * geometry.core_rows : (row + 1) * geometry.core_rows - 1;
      return {rank, along_x + std::abs(entry - from.y) * hop_ + crossings};
    }
  }
  return {rank_, along_x + std::abs(to.y - from.y) * hop_ + crossings};
}

/// To the last columns, as many as are wanted: those without what is held, or all.
void Foresight::add(Duration time, Reach row, std::span<Duration> least) const {
  const auto reach = row.last(least.size());
  for (std::size_t i = 0; i < least.size(); ++i)
    least[i] = reach[i] == kNotAtAll ? engine::kForever : time + Duration{reach[i]};
}

Foresight::Reach Foresight::at_destination(Cargo cargo, std::uint32_t core) const {
  const bool to_host = CoreId{core} == plan_.wafer().geometry.host_id();
  const auto station = [&] { return static_cast<std::size_t>(plan_.role(CoreId{core}).home_of); };
  switch (cargo) {
    case Cargo::activations:
    case Cargo::residual:
      return row(arrivals_, station());
    case Cargo::head_input:
      return at_core(core, head_input);
    case Cargo::attention_partial:
      return at_core(core, attention_partial);
    case Cargo::partial_sum:
      return at_core(core, partial_sum);
    case Cargo::credit:
      return to_host ? row(host_, credit) : row(credits_, station());
    case Cargo::candidates:
    case Cargo::weights:       // only where something fails, and there only channels promise
    case Cargo::announcement:  // of models that are foreseen by channels
    case Cargo::call:
    case Cargo::tile_input:  // at `flit`, where only channels promise
      break;
  }
  return row(host_, candidates);
}

void Foresight::foresee_packet(const Message& message, std::span<Duration> least) const {
  const auto& wafer = plan_.wafer();
  const CoreId target{message.target};
  const bool to_host = target == wafer.geometry.host_id();
  const auto to = to_host ? wafer.noc.host : wafer.geometry.coordinate(target);
  const auto [rank, time] = way(wafer.geometry.coordinate(CoreId{message.at}), to);
  if (rank != rank_) {
    for (std::size_t i = 0; i < least.size(); ++i) least[i] = targets_[i] == rank ? time : engine::kForever;
    return;
  }
  const Duration tail = (message.flits - 1) * wafer.noc.cycle;
  add(time + tail + (to_host ? hop_ + crossing_ : ejection_), at_destination(message.cargo, message.target),
      least);
}

void Foresight::foresee(const Message& message, std::span<Duration> least) const {
  const auto now = [&](Reach reach) { add(Duration::zero(), reach, least); };
  switch (message.kind) {
    case MessageKind::packet:
      return foresee_packet(message, least);
    case MessageKind::multicast:
      return now(at_segment(message));
    case MessageKind::tile_pass_end:
      return now(at_core(message.at, tile_pass_end));
    case MessageKind::tile_summed:
      return now(at_core(message.at, partial_sum));
    case MessageKind::tile_done:
      return now(at_core(message.at, tile_done));
    case MessageKind::head_done:
      return now(at_core(message.at, head_done));
    case MessageKind::station_ready:
      return now(row(launches_, static_cast<std::size_t>(plan_.role(CoreId{message.at}).home_of)));
    case MessageKind::credit:
      return now(row(credits_, static_cast<std::size_t>(plan_.role(CoreId{message.at}).home_of)));
    case MessageKind::issue:
      return now(row(host_, issue));
    case MessageKind::host_packet:
      return now(row(host_, message.cargo == Cargo::credit ? credit : candidates));
    case MessageKind::inject:
      return now(row(host_, inject));
    case MessageKind::sample:
      return now(row(host_, sample));
    case MessageKind::release:
    case MessageKind::keep:
    case MessageKind::adopt:
    case MessageKind::drop:
    case MessageKind::arrival:
    case MessageKind::entered:
    case MessageKind::retired:
    case MessageKind::announced:  // foreseen by channels
    case MessageKind::stage_coming:
    case MessageKind::stage_late:
    case MessageKind::stage_ready:
    case MessageKind::stage_wake:
    case MessageKind::stage_credit:
    case MessageKind::failure:  // where something fails, only channels promise
    case MessageKind::ready:
    case MessageKind::flush:
    case MessageKind::rewind:
    case MessageKind::move:
    case MessageKind::remapped:
    case MessageKind::flit:  // foreseen by channels
      break;
  }
  std::fill(least.begin(), least.end(), engine::kForever);  // a change of KV leads to nothing
}

void Foresight::lower_by_held(Reach reach, std::span<Duration> least) {
  const auto led = reach.last(least.size());
  for (std::size_t i = 0; i < least.size(); ++i) {
    if (led[i] != kNotAtAll) least[i] = std::min(least[i], Duration{led[i]});
  }
}

void Foresight::lower_to_launch(std::size_t station, std::span<Duration> least) const {
  lower_by_held(row(launches_, station), least);
}

void Foresight::lower_to_entry(std::span<Duration> least) const {
  lower_by_held(row(host_, issue), least);
}

void Foresight::foresee_controllers(std::span<Duration> least) const {
  add(Duration::zero(), controllers_, least);
}

void Foresight::foresee_arrivals(std::span<Duration> least) const {
  add(Duration::zero(), Reach{from_elsewhere_}.first(least.size()), least);
}

}  // namespace ouro::llm
