#include "engine/region.hpp"
#include "llm/stage_process.hpp"

// What the tokens of a die cost: passages are tallied by station, and go to the ledger a window of its
// timelines at a time.

namespace ouro::llm {

using engine::Duration;
using wafer::Component;

namespace {

void add(Traffic& traffic, const PassageWork& work, std::int64_t times) {
  traffic.packets_sent += times * work.packets;
  traffic.flits_sent += times * work.flits;
  traffic.packets_received += times * (work.packets - work.packets_to_host);
  traffic.flits_received += times * (work.flits - work.flits_to_host);
}

}  // namespace

void StageProcess::count_from_host(const Passage& way, Phase phase) {
  for (std::size_t stage = 0; stage < kStageCount; ++stage)
    if (way.uses[stage]) ledger_.count(static_cast<Stage>(stage), phase, way.counts[stage]);
  ledger_.settle(scheduler_->now());
}

/// What the token's context adds to that of the token whose passage is known.
void StageProcess::count_attention(Station& station, const HeadsAtBlock& heads, const AttentionTimes& newest,
                                   const Token& token) {
  const auto of_all = std::int64_t{plan_.kv_heads()};
  auto& tally = station.tally;
  tally.context[static_cast<std::size_t>(token.phase())] +=
      of_all * (std::int64_t{token.position} + 1 - heads.context);
  tally.longer.score += of_all * (newest.score - heads.known.score);
  tally.longer.softmax += of_all * (newest.softmax - heads.known.softmax);
  tally.longer.values += of_all * (newest.values - heads.known.values);
}

/// Timelines do not tell times within a window apart, so what is tallied goes to the ledger when the next one
/// begins.
void StageProcess::settle_tallies() {
  settle(ledger_);
  settle(traffic_);
  for (auto& station : stations_) station.tally.clear();
  tallied_from_ = scheduler_->now();
  tallied_until_ = ledger_.energy_timeline().window_end(tallied_from_);
}

/// Calls `take(phase, work, how many times)`.
template <class Take>
void StageProcess::for_each_tallied(const Station& station, const Take& take) const {
  const auto& tally = station.tally;
  for (const auto phase : {Phase::prefill, Phase::decode}) {
    const auto index = static_cast<std::size_t>(phase);
    const PassageWork& alike = timing_.station(station.number).passage;
    if (tally.alike[index] > 0) take(phase, alike, tally.alike[index]);
    if (tally.others[index] > 0) take(phase, tally.of_others[index], std::int64_t{1});
  }
}

void StageProcess::settle(WorkLedger& ledger) const {
  for (const auto& station : stations_) {
    settle_passages(station, ledger);
    if (station.attends) settle_attention(station, ledger);
  }
  ledger.settle(tallied_from_);
}

void StageProcess::settle(Traffic& traffic) const {
  for (const auto& station : stations_) {
    for_each_tallied(station, [&](Phase /*phase*/, const PassageWork& work, std::int64_t times) {
      add(traffic, work, times);
    });
  }
}

void StageProcess::settle_passages(const Station& station, WorkLedger& ledger) const {
  const int block = station_plan(station.number).block;
  for_each_tallied(station, [&](Phase phase, const PassageWork& work, std::int64_t times) {
    for (std::size_t i = 0; i < kStageCount; ++i) {
      if (!work.uses[i]) continue;
      const auto stage = static_cast<Stage>(i);
      ledger.count(stage, phase, work.counts[i], times);
      if (work.busy[i] > Duration{}) ledger.busy(tallied_from_, block, stage, times * work.busy[i]);
    }
  });
}

void StageProcess::settle_attention(const Station& station, WorkLedger& ledger) const {
  const auto& work = timing_.work_of_context();
  for (const auto phase : {Phase::prefill, Phase::decode}) {
    const auto more = station.tally.context[static_cast<std::size_t>(phase)];
    if (more == 0) continue;
    ledger.count(Stage::score, phase, Component::mac, more * work.score.macs);
    ledger.count(Stage::score, phase, Component::htree, more * work.score.htree_bits);
    ledger.count(Stage::softmax, phase, Component::sfu_special, more * work.softmax.special);
    ledger.count(Stage::softmax, phase, Component::sfu_simple, more * work.softmax.simple);
    ledger.count(Stage::projection, phase, Component::mac, more * work.values.macs);
    ledger.count(Stage::projection, phase, Component::htree, more * work.values.htree_bits);
  }
  const int block = station_plan(station.number).block;
  const auto add_busy = [&](Stage stage, Duration time) {
    if (time != Duration{}) ledger.busy(tallied_from_, block, stage, time);
  };
  add_busy(Stage::score, station.tally.longer.score);
  add_busy(Stage::softmax, station.tally.longer.softmax);
  add_busy(Stage::projection, station.tally.longer.values);
}

WorkLedger StageProcess::ledger() const {
  auto ledger = ledger_;
  settle(ledger);
  return ledger;
}

Traffic StageProcess::traffic() const {
  auto traffic = traffic_;
  settle(traffic);
  return traffic;
}

}  // namespace ouro::llm
