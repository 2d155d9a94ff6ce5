#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/border.hpp"
#include "engine/time.hpp"
#include "llm/message.hpp"
#include "llm/pipeline_plan.hpp"

namespace ouro::llm {

/// Whether a model is simulated as Foresight has it: packet by packet, and without an encoder.
inline bool is_foreseen(const PipelinePlan& plan) {
  return plan.wafer().noc.fidelity == wafer::Fidelity::packet && plan.model().encoder_layers == 0;
}

/// How soon what is under way in one region can reach beyond its border: the promises of its events.
///
/// Everything that an event can lead to is known in advance: a packet's route; the passes, H-trees and SFU
/// operations between what a core gets and what it sends; and the order of the stations. So the least time
/// from each kind of event at each core to each target of the border is a shortest way in a graph that never
/// changes. Waiting is left out: it only makes things later. What depends on where the pages of a sequence
/// lie is taken as the best of all KV cores of the block.
///
/// A credit leads on to the token that may wait for it. With engine::Lookahead::held each least time is found
/// twice: with that, which bounds what comes from elsewhere, and without, for the events of this region: what
/// waits for a credit is then what the LPs hold, and promised by them.
class Foresight {
 public:
  /// Keeps `plan`.
  Foresight(const PipelinePlan& plan, engine::Duration control_latency, const std::vector<int>& rank_of_die,
            int rank);

  bool knows_the_model() const { return is_foreseen(plan_); }

  /// Before all else: finds the ways to these targets.
  void meet(const engine::Border& border, engine::Lookahead lookahead);

  /// Whether LPs promise what they hold; else events do.
  bool knows_what_waits() const { return knows_what_waits_; }

  /// Of an event of a die or of the host interface.
  /// @param least  by target of the border, without what LPs hold if they promise that
  void foresee(const Message& message, std::span<engine::Duration> least) const;

  /// Of any event of the controllers.
  void foresee_controllers(std::span<engine::Duration> least) const;

  /// The least over all events that other regions can send to this one, with what may be held.
  void foresee_arrivals(std::span<engine::Duration> least) const;

  /// From the credit that lets a waiting token leave a station, and enter the first one.
  /// @param least  by target of the border, lowered
  void lower_to_launch(std::size_t station, std::span<engine::Duration> least) const;
  void lower_to_entry(std::span<engine::Duration> least) const;

 private:
  friend class ForesightBuilder;

  /// Least times by column: whole picoseconds, saturated just below kNotAtAll.
  using Reach = std::span<const std::uint32_t>;
  static constexpr std::uint32_t kNotAtAll = 0xffffffff;

  /// What can happen at a core; times from then. First what concerns its tile, then what concerns its KV.
  enum CoreEvent {
    tile_arrival,
    tile_pass_end,
    tile_done,
    partial_sum,  ///< its tail: all sums of the tile are there
    head_input,
    attention_partial,
    head_done
  };
  static constexpr std::size_t kCoreEvents = 7;

  /// Where a packet's head first leaves this region, or its destination's router.
  struct Way {
    int rank;
    engine::Duration time;
  };
  Way way(wafer::Coordinate from, wafer::Coordinate to) const;
  int rank_at(int die_column, int die_row) const {
    return rank_of_die_[static_cast<std::size_t>(die_row * plan_.wafer().geometry.die_columns + die_column)];
  }

  void foresee_packet(const Message& message, std::span<engine::Duration> least) const;
  Reach at_destination(Cargo cargo, std::uint32_t core) const;
  static void lower_by_held(Reach reach, std::span<engine::Duration> least);
  void add(engine::Duration time, Reach reach, std::span<engine::Duration> least) const;

  Reach row(const std::vector<std::uint32_t>& table, std::size_t index) const {
    return {table.data() + index * targets_.size(), targets_.size()};
  }
  Reach at_core(std::uint32_t core, CoreEvent event) const { return row(cores_, core * kCoreEvents + event); }
  Reach at_segment(const Message& message) const {
    return row(segments_, first_segment_[first_tree_[message.station] + message.head] + message.target);
  }

  const PipelinePlan& plan_;
  engine::Duration control_latency_;
  std::vector<int> rank_of_die_;
  int rank_;
  bool knows_what_waits_ = false;
  /// By column: those of the border; if LPs promise what they hold, once more, without that.
  std::vector<int> targets_;
  std::vector<std::uint8_t> die_column_of_x_;
  std::vector<std::uint8_t> die_row_of_y_;
  engine::Duration hop_{};       // router and wire
  engine::Duration crossing_{};  // of a die border, on top
  engine::Duration ejection_{};  // from the last router, without the tail

  // tables, a row of all columns each
  std::vector<std::uint32_t> cores_;        // by core and CoreEvent
  std::vector<std::uint32_t> arrivals_;     // a part of a token's vector is at a station
  std::vector<std::uint32_t> launches_;     // a station can let a token go
  std::vector<std::uint32_t> credits_;      // a station gets a credit
  std::vector<std::uint32_t> segments_;     // a multicast's head enters a die: by segment of all trees
  std::vector<std::size_t> first_tree_;     // by station
  std::vector<std::size_t> first_segment_;  // by tree
  std::vector<std::uint32_t> host_;         // by HostEvent
  enum HostEvent { issue, inject, candidates, credit, sample };
  static constexpr std::size_t kHostEvents = 5;
  std::vector<std::uint32_t> controllers_;
  std::vector<std::uint32_t> from_elsewhere_;
};

}  // namespace ouro::llm
