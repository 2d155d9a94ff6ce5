#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <span>
#include <tuple>
#include <vector>

#include "llm/core_work.hpp"
#include "llm/kv_controller.hpp"
#include "llm/message.hpp"
#include "llm/passage.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/undisturbed_head.hpp"
#include "wafer/die_network.hpp"
#include "wafer/energy.hpp"

namespace ouro::llm {

/// Sends one token at a time over an idle wafer, packet by packet: over the links of DieNetwork, through the
/// cores of core_work.hpp, in the order in which DieProcess does the same.
///
/// Each passage begins when the one before has left all links, so the state that is left is of no matter.
class LoneToken {
 public:
  /// Keeps `plan`.
  explicit LoneToken(const PipelinePlan& plan);

  /// From station `station` to the next; from the LM head to the host, or, if the token is not sampled, only
  /// the credit to the station before. What the station's home core does before the launch is counted here,
  /// too, and what the next one does is not. The residual that the next station adds is there long before.
  /// @param kv  has pages for the token
  /// @param home_delay  by which the home core's own tile gets the vector later than the others
  Passage pass(int station, const Token& token, const KvController& kv, engine::Duration home_delay = {});

  /// Of a credit alone from a station to the one before, or the host.
  engine::Duration credit(int station);

  /// A packet of that many flits from the router of the host link to a station's home core: a vector, or a
  /// credit.
  Passage from_host(int station, int flits);

 private:
  using Arrived = std::function<void(engine::Time tail)>;

  /// Parts of something, and when the last of those known is there.
  struct Parts {
    int missing = 0;
    engine::Time whole{};
    bool add(engine::Time at) {
      whole = std::max(whole, at);
      return --missing == 0;
    }
  };
  struct Action {
    engine::Time when;
    std::uint64_t number;
    std::function<void()> act;
    bool operator>(const Action& other) const {
      return std::tie(when, number) > std::tie(other.when, other.number);
    }
  };
  /// When the parts of a KV core are free.
  struct KvUse {
    engine::Time k{};
    engine::Time sfu{};
    engine::Time v{};
  };

  void begin();
  void run();
  void at(engine::Time when, std::function<void()> act);

  void send(Stage stage, wafer::CoreId from, wafer::CoreId to, std::int64_t bytes, Arrived arrived);
  void forward(Stage stage, wafer::CoreId to, int flits, const wafer::Onward& onward, Arrived arrived);
  void multicast(const StationPlan& station, std::size_t first_tree);
  void branch(const StationPlan& station, const wafer::MulticastTree& tree, int flits,
              std::span<const wafer::Onward> onward);
  void count_buffer(Stage stage, int flits);
  void count_travel(Stage stage, const wafer::Travel& travel);
  engine::Time use_sfu(Stage stage, engine::Time from, const SfuWork& work);

  void return_credit(int station);
  void start_pass(const StationPlan& station, wafer::CoreId core, engine::Time tail);
  void add_tile_part(const StationPlan& station, std::size_t tile, engine::Time at);
  void tile_done(const StationPlan& station, std::size_t tile);
  void send_head_inputs(const Tile& tile, wafer::CoreId from);
  void send_head_input(int head, std::size_t core, wafer::CoreId from, std::int64_t bytes);
  std::vector<Parts>& inputs_of(int head);
  void attend(int head, int ring_core, bool newest, engine::Time ready);
  void add_attention_part(int head, engine::Time at);

  wafer::EnergyCounts& counts(Stage stage) {
    passage_.uses[static_cast<std::size_t>(stage)] = true;
    return passage_.counts[static_cast<std::size_t>(stage)];
  }
  void busy(Stage stage, engine::Duration time) { passage_.busy[static_cast<std::size_t>(stage)] += time; }
  const std::vector<wafer::CoreId>& ring() const { return plan_.ring(station_plan().block); }
  const StationPlan& station_plan() const { return plan_.stations()[static_cast<std::size_t>(station_)]; }

  const PipelinePlan& plan_;
  const wafer::Geometry& geometry_;
  const wafer::NocModel& noc_;
  const wafer::CoreModel& core_;
  HeadShape head_;
  std::map<int, UndisturbedHead> undisturbed_;  // by crossbars in attention mode
  std::vector<wafer::DieNetwork> networks_;     // by die
  std::priority_queue<Action, std::vector<Action>, std::greater<>> agenda_;
  std::uint64_t actions_ = 0;
  engine::Time now_{};

  // of the passage that is under way
  Passage passage_;
  int station_ = 0;
  Token token_;
  const KvController* kv_ = nullptr;
  engine::Time start_{};
  engine::Duration home_delay_{};
  Parts next_;
  std::vector<Parts> tiles_;
  std::vector<std::vector<Parts>> inputs_;  // by KV head, then by core of the head
  std::vector<Parts> heads_;
  std::vector<KvUse> kv_use_;  // by core of the ring
};

}  // namespace ouro::llm
