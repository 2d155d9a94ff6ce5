#include <algorithm>

#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

std::string_view name_of(llm::Matrix matrix) {
  switch (matrix) {
    case llm::Matrix::qkv:
      return "QKV";
    case llm::Matrix::query:
      return "query";
    case llm::Matrix::head_key:
      return "head key";
    case llm::Matrix::head_value:
      return "head value";
    case llm::Matrix::cross_query:
      return "cross query";
    case llm::Matrix::cross_kv:
      return "cross K and V";
    case llm::Matrix::cross_output:
      return "cross O";
    case llm::Matrix::output:
      return "O";
    case llm::Matrix::router:
      return "router";
    case llm::Matrix::gate_up:
      return "gate and up";
    case llm::Matrix::down:
      break;
  }
  return "down";
}

std::string name_of(const llm::StationPlan& station, const llm::ModelDescription& model) {
  if (station.is_lm_head) return "the LM head";
  const std::string_view stack = llm::is_encoder_block(model, station.block) ? "encoder " : "decoder ";
  return fmt::format("{}{} of block {}", llm::is_encoder_decoder(model) ? stack : "", name_of(station.matrix),
                     station.block);
}

/// What the stations of all ranks did, by station.
struct StationSums {
  explicit StationSums(std::size_t stations)
      : tokens(stations),
        stalled(stations),
        stalled_input(stations),
        peak(stations),
        held_ps(stations),
        homes(stations),
        states(stations * llm::kStationStates) {}

  std::vector<std::int64_t> tokens, stalled, stalled_input, peak, held_ps;
  std::vector<std::int64_t> homes;   ///< dies that were its home
  std::vector<std::int64_t> states;  ///< ps, by station and state

  void add(std::size_t station, const llm::StationUse& use, engine::Time begin, engine::Time end) {
    tokens[station] += use.tokens;
    stalled[station] += use.stalled().count();
    stalled_input[station] += use.without_input_buffer.count();
    peak[station] = std::max(peak[station], use.held.most);
    held_ps[station] += use.held.time.count();
    const auto of_die = use.times.between(begin, end);
    for (std::size_t state = 0; state < llm::kStationStates; ++state)
      states[station * llm::kStationStates + state] += of_die[state].count();
    ++homes[station];
  }
};

/// Collective.
StationSums sum_stations(const ResultWriting& out, const llm::System& system) {
  const auto stations = out.experiment().plan->stations().size();
  const auto& totals = system.controller().totals();
  StationSums sums{stations};
  for (const auto* die : system.dies()) {
    for (std::size_t station = 0; station < stations; ++station) {
      if (const auto* use = die->station_use(static_cast<int>(station)))
        sums.add(station, *use, totals.first_arrival, totals.last_done);
    }
  }
  for (auto* column :
       {&sums.tokens, &sums.stalled, &sums.stalled_input, &sums.held_ps, &sums.homes, &sums.states})
    out.sum_over_ranks(*column);
  out.most_over_ranks(sums.peak);
  // a station that went to another die after a failure has no tokens on the others
  for (std::size_t station = 0; station < stations; ++station) {
    sums.states[station * llm::kStationStates + static_cast<std::size_t>(llm::StationState::no_token)] -=
        (sums.homes[station] - 1) * (totals.last_done - totals.first_arrival).count();
  }
  return sums;
}

void write_stations(ResultWriting& out, const StationSums& sums) {
  const auto write = [&](const char* path, const char* unit, const char* meaning, const auto& values,
                         const ResultWriting::Shape& inner = {}) {
    out.write_whole<std::int64_t>({path, unit, meaning}, values, inner);
  };
  write("/stages/home_tokens", "token", "tokens sent on by each home core, in the order of home_names",
        sums.tokens);
  write("/stages/home_stalled_ps", "ps",
        "time in which a home core had a token ready and the next buffers were full", sums.stalled);
  write("/stages/home_stalled_input_ps", "ps",
        "of it, what came after the token whose credit it took was whole at the next station",
        sums.stalled_input);
  out.file().write_strings({"/stages/state_names", "1", "meaning of the second index of home_state_ps"},
                           as_texts(llm::kStationStateNames));
  write("/stages/home_state_ps", "ps",
        "what the makespan went into, by home core and state; each moment counts once", sums.states,
        {llm::kStationStates});
  write("/stages/home_tokens_peak", "token",
        "most tokens in a home core's buffer: begun to come and not sent on", sums.peak);
  write("/stages/home_tokens_held_ps", "ps", "sum over tokens of their time in a home core's buffer",
        sums.held_ps);
}

}  // namespace

void write_stations_plan(ResultWriting& out) {
  const auto& plan = *out.experiment().plan;
  std::vector<std::string> names;
  std::vector<std::int64_t> bytes;
  for (const auto& station : plan.stations()) {
    names.push_back(name_of(station, plan.model()));
    bytes.push_back(station.bytes_of_token());
  }
  out.file().write_strings({"/stages/home_names", "1", "matrices that each home core gathers for"}, names);
  out.write_whole<std::int64_t>({"/stages/home_token_bytes", "B", "of a token in a home core's buffer"},
                                bytes);
  const bool by_sequence = plan.pipelining() == llm::Pipelining::sequence;
  out.file().set_attribute("/stages", "one_sequence_a_station", std::int64_t{by_sequence ? 1 : 0});
  const bool is_input = plan.tightest_buffer() == llm::Buffer::input;
  out.file().set_attribute("/stages", "credit_bound_by",
                           std::string{is_input ? "input buffer" : "output buffer"});
}

void write_stages(ResultWriting& out, const llm::System& system, const RunStatistics& statistics) {
  out.file().write_strings({"/stages/names", "1", "meaning of the second index of busy_core_ps"},
                           as_texts(llm::kStageNames));
  out.write_whole<std::int64_t>(
      {"/stages/busy_core_ps", "ps",
       "sum over cores of the time in crossbars and SFUs, by block (LM head last) and stage"},
      statistics.stage_busy, {llm::kStageCount});
  write_stations(out, sum_stations(out, system));
}

}  // namespace ouro::tools
