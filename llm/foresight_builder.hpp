#pragma once

#include <functional>
#include <vector>

#include "llm/foresight.hpp"

namespace ouro::llm {

/// Fills the tables of a Foresight: shortest ways through the plan, backwards from the border.
///
/// Between two stations a token's way is a tree without circles; it is walked once, to the border and to the
/// next station. Then the chain of the stations, in which credits lead back, is relaxed until nothing
/// changes.
class ForesightBuilder {
 public:
  explicit ForesightBuilder(Foresight& foresight);
  void build();

 private:
  using Duration = engine::Duration;
  /// By column of Foresight, and last: to the next station, or for the LM head to the host.
  using Times = std::vector<Duration>;

  /// A packet that something at `from` leads to.
  struct Flow {
    wafer::CoreId from;
    wafer::CoreId to;
    Cargo cargo{};
    int flits = 0;
  };
  using Visit = std::function<void(const Flow&)>;

  /// What one core can do with a token, by Foresight::CoreEvent.
  struct CoreTimes {
    int tile_of = -1;  ///< station
    int kv_of = -1;    ///< QKV station
    std::vector<Times> of;
  };

  // what leads to which packets
  void outputs_of_tile(std::size_t station, std::size_t tile, const Visit& visit) const;
  void sums_of_tile(std::size_t station, std::size_t tile, const Visit& visit) const;
  void outputs_of_head(std::size_t station, wafer::CoreId core, const Visit& visit) const;
  void launched_by(std::size_t station, const Visit& visit) const;
  void sent_by_host(Cargo cargo, const Visit& visit) const;
  wafer::CoreId host() const;

  // between two stations
  bool is_here(wafer::CoreId core) const;
  bool lies_in_one_region(std::size_t station) const;
  void follow_tiles(std::size_t station);
  void follow_attention(std::size_t station);
  void follow_trees(std::size_t station);
  Times follow_segment(const wafer::MulticastTree& tree, const std::vector<Times>& later, std::uint32_t index,
                       int flits);
  Duration tile_time(std::size_t station, std::size_t tile) const;
  Duration finishing_time(std::size_t station, std::size_t tile) const;
  Duration attention_time() const;
  Duration station_time(std::size_t station) const;

  // along the chain
  void relax_stations();
  bool relax_station(std::size_t station);
  bool relax_host();
  Times from_arrival(std::size_t station) const;
  Times beyond(std::size_t station, const Times& times) const;
  void finish();
  void find_arrivals();
  void find_entries(const Flow& flow);
  void find_tree_entries(std::size_t station);

  Times never() const { return Times(columns_ + 1, engine::kForever); }
  Times of_credit(Times times) const;
  static bool lower(Times& times, const Times& other, Duration delay = {});
  void lower_at_rank(Times& times, int rank, Duration time) const;
  /// What a packet on its way from `from` can lead to, given what it leads to where it goes.
  void lower_by_flow(Times& times, const Flow& flow, const Times& there, Duration before) const;
  Times& at(wafer::CoreId core, Foresight::CoreEvent event);
  void store(std::vector<std::uint32_t>& table, const Times& times) const;

  Foresight& foresight_;
  const PipelinePlan& plan_;
  const wafer::WaferModel& wafer_;
  Duration control_latency_;
  std::size_t columns_;
  bool host_is_here_;

  std::vector<CoreTimes> cores_;
  std::vector<std::vector<Times>> segments_;  // by station: of all its trees, one after another
  std::vector<Times> multicasts_;             // by station: of all its trees, from injection
  std::vector<Times> launches_;
  std::vector<Times> host_;  // by Foresight::HostEvent
  Times from_elsewhere_;
};

}  // namespace ouro::llm
