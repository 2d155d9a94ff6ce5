#include "tools/run_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "engine/mpi.hpp"
#include "tools/version.hpp"

namespace ouro::tools {

using engine::Column;

namespace {

/// Rows of the core tables are numbered as CoreId; a rank has those of its dies.
template <class T>
struct CoreRows {
  std::vector<std::size_t> rows;
  std::vector<T> values;
};

std::vector<wafer::CoreId> cores_of(const llm::System& system, const wafer::Geometry& geometry) {
  std::vector<wafer::CoreId> cores;
  for (const auto* die : system.dies()) {
    for (int i = 0; i < geometry.cores_of_die(); ++i) cores.push_back(geometry.core_of_die(die->die(), i));
  }
  std::sort(cores.begin(), cores.end());
  return cores;
}

std::vector<std::string> names(std::span<const std::string_view> views) {
  return {views.begin(), views.end()};
}

/// Role numbers of /cores/role.
enum class Role : std::uint8_t {
  spare,
  qkv,
  kv,
  output,
  gate_up,
  down,
  lm_head,
  router,
  query,
  head_key,
  head_value
};
const std::vector<std::string> kRoleNames{"spare",   "qkv",    "kv",    "output",   "gate_up",   "down",
                                          "lm_head", "router", "query", "head_key", "head_value"};

Role role_of(const llm::PipelinePlan& plan, const llm::CoreRole& role) {
  if (role.tile < 0) return role.kv_ring >= 0 ? Role::kv : Role::spare;
  const auto& station = plan.stations()[static_cast<std::size_t>(role.tile_station)];
  if (station.is_lm_head) return Role::lm_head;
  switch (station.matrix) {
    case llm::Matrix::qkv:
      return Role::qkv;
    case llm::Matrix::query:
      return Role::query;
    case llm::Matrix::head_key:
      return Role::head_key;
    case llm::Matrix::head_value:
      return Role::head_value;
    case llm::Matrix::output:
      return Role::output;
    case llm::Matrix::router:
      return Role::router;
    case llm::Matrix::gate_up:
      return Role::gate_up;
    case llm::Matrix::down:
      break;
  }
  return Role::down;
}

std::string name_of(const llm::StationPlan& station) {
  if (station.is_lm_head) return "the LM head";
  const auto name = [&] {
    switch (station.matrix) {
      case llm::Matrix::qkv:
        return "QKV";
      case llm::Matrix::query:
        return "query";
      case llm::Matrix::head_key:
        return "head key";
      case llm::Matrix::head_value:
        return "head value";
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
  };
  return fmt::format("{} of block {}", name(), station.block);
}

}  // namespace

RunWriter::RunWriter(engine::ResultsFile& file, MPI_Comm comm, const llm::Experiment& experiment)
    : file_{file}, comm_{comm}, is_root_{engine::mpi_rank(comm) == 0}, experiment_{experiment} {}

template <class T>
void RunWriter::write_whole(const Column& column, const std::vector<T>& values,
                            const engine::ResultsFile::Shape& inner) {
  std::size_t row = 1;
  for (const auto size : inner) row *= size;
  const std::span<const T> mine{values.data(), is_root_ ? values.size() : 0};
  file_.write<T>(column, mine, 0, values.size() / row, inner);
}

void RunWriter::write_head(const std::string& resolved_toml) {
  file_.set_attribute("/", "code_version", fmt::format("{} {}", kVersion, kRevision));
  file_.set_attribute("/", "seed", static_cast<std::int64_t>(experiment_.workload.seed));
  file_.set_attribute("/", "complete", std::int64_t{0});
  file_.write_string({"/configuration/resolved_toml", "1",
                      "the configuration of the run; as an experiment file it gives the same result"},
                     resolved_toml);
  write_workload();
}

void RunWriter::write_workload() {
  const auto& summary = experiment_.summary;
  const auto& rows = summary.rows;
  const auto write = [&](const char* name, const char* unit, const char* meaning, auto value) {
    write_whole<std::int64_t>({fmt::format("/workload/{}", name), unit, meaning},
                              {static_cast<std::int64_t>(value)});
  };
  write("rows", "1", "rows of the workload that were read", rows.read);
  write("rows_without_tokens", "1", "of them, dropped since they have no prompt or no output",
        rows.without_tokens);
  write("rows_out_of_order", "1", "of them, dropped since they are earlier than the row before",
        rows.out_of_order);
  write("rows_over_context", "1", "of them, dropped since they are longer than the maximum context",
        rows.over_context);
  write("rows_delayed", "1", "of them, earlier than the row before and taken with it", rows.delayed);
  write("rows_truncated", "1", "of them, cut to the maximum context", rows.truncated);
  write("requests", "1", "requests that were made of them", summary.requests);
  write("prompt_tokens", "token", "of all requests", summary.prompt.total);
  write("output_tokens", "token", "of all requests", summary.output.total);
  write("longest_context", "token", "most tokens of prompt and output of one request",
        summary.longest_context);
  write("longest_request", "1", "index of the first request that has so many", summary.longest_index);
}

void RunWriter::append_finished(llm::System& system) {
  append_requests(system.controller().take_finished());
  append_tokens(system.controller().take_token_records());
  append_passages(system.take_station_records());
}

void RunWriter::append_requests(const std::vector<llm::RequestRecord>& records) {
  const auto append = [&](const char* name, const char* unit, const char* meaning, const auto& get) {
    std::vector<std::int64_t> values;
    if (is_root_) {
      for (const auto& record : records) values.push_back(static_cast<std::int64_t>(get(record)));
    }
    file_.append<std::int64_t>({fmt::format("/requests/{}", name), unit, meaning}, values);
  };
  using Record = llm::RequestRecord;
  append("index", "1", "number of the request in the workload; rows are in the order of ending",
         [](const Record& r) { return r.request.index; });
  append("arrival_ps", "ps", "the request arrives",
         [](const Record& r) { return engine::picoseconds(r.request.arrival); });
  append("admitted_ps", "ps", "it first gets KV memory",
         [](const Record& r) { return engine::picoseconds(r.admitted); });
  append("first_token_ps", "ps", "its first output token is sampled; -1 without output", [](const Record& r) {
    return r.request.output_tokens > 0 ? engine::picoseconds(r.first_token) : -1;
  });
  append("done_ps", "ps", "its last output token is sampled, or without output its last token has left",
         [](const Record& r) { return engine::picoseconds(r.done); });
  append("prompt_tokens", "token", "length of the prompt",
         [](const Record& r) { return r.request.prompt_tokens; });
  append("output_tokens", "token", "length of the output",
         [](const Record& r) { return r.request.output_tokens; });
  append("priority", "1", "its class; class 0 is served first",
         [](const Record& r) { return r.request.priority; });
  append("preemptions", "1", "times that it lost its KV memory",
         [](const Record& r) { return r.preemptions; });
  append("recomputed_tokens", "token", "tokens whose KV it lost to preemptions",
         [](const Record& r) { return r.recomputed_tokens; });
  append("cached_tokens", "token", "tokens whose KV was in the prefix cache, summed over its admissions",
         [](const Record& r) { return r.cached_tokens; });
}

void RunWriter::append_tokens(const std::vector<llm::TokenRecord>& records) {
  const auto append = [&](const char* name, const char* unit, const char* meaning, const auto& get) {
    std::vector<std::int64_t> values;
    if (is_root_) {
      for (const auto& record : records) values.push_back(static_cast<std::int64_t>(get(record)));
    }
    file_.append<std::int64_t>({fmt::format("/tokens/{}", name), unit, meaning}, values);
  };
  using Record = llm::TokenRecord;
  append("number", "1", "number of the token in the order of entering the pipeline; a sample of all",
         [](const Record& r) { return r.number; });
  append("request", "1", "index of its request", [](const Record& r) { return r.request; });
  append("position", "1", "its position in the sequence", [](const Record& r) { return r.position; });
  append("decode", "1", "1 if it was generated, 0 if it is computed as part of a prompt",
         [](const Record& r) { return r.phase; });
  append("issued_ps", "ps", "the controllers let it go to the host interface",
         [](const Record& r) { return engine::picoseconds(r.issued); });
  append("retired_ps", "ps", "it left the last block, or the next token was sampled from it",
         [](const Record& r) { return engine::picoseconds(r.retired); });
}

void RunWriter::append_passages(const std::vector<llm::StationRecord>& local) {
  auto records = engine::mpi_gather_rows(comm_, std::span<const llm::StationRecord>{local});
  std::sort(records.begin(), records.end());
  const auto append = [&](const char* name, const char* unit, const char* meaning, const auto& get) {
    std::vector<std::int64_t> values;
    values.reserve(records.size());
    for (const auto& record : records) values.push_back(static_cast<std::int64_t>(get(record)));
    file_.append<std::int64_t>({fmt::format("/passages/{}", name), unit, meaning}, values);
  };
  using Record = llm::StationRecord;
  append("number", "1", "number of the token; rows are in the order of launched_ps",
         [](const Record& r) { return r.number; });
  append("request", "1", "index of its request", [](const Record& r) { return r.request; });
  append("station", "1", "the station, an index as in /stages/home_tokens",
         [](const Record& r) { return r.station; });
  append("entered_ps", "ps", "its first part is at the home core",
         [](const Record& r) { return engine::picoseconds(r.entered); });
  append("gathered_ps", "ps", "its last part is there",
         [](const Record& r) { return engine::picoseconds(r.gathered); });
  append("ready_ps", "ps", "the home core has normalised it, or what else it does",
         [](const Record& r) { return engine::picoseconds(r.ready); });
  append("launched_ps", "ps", "the home core sends it on: it had a credit, and its turn",
         [](const Record& r) { return engine::picoseconds(r.launched); });
}

void RunWriter::write_progress(const llm::ServingController& controller, engine::Time reached) {
  const auto& totals = controller.totals();
  file_.set_attribute("/", "reached_ps", engine::picoseconds(reached));
  file_.set_attribute("/", "output_tokens", totals.output_tokens);
  file_.set_attribute("/", "tokens_processed", totals.tokens_retired);
  file_.set_attribute("/", "requests_done", totals.requests_done);
}

void RunWriter::write_results(const llm::System& system, const RunStatistics& statistics) {
  write_cores(system);
  if (follows_packets()) write_links(system);
  if (!experiment_.recorded_packets.is_empty()) write_packets(system);
  write_stages(system, statistics);
  write_experts(system);
  write_failures(system);
  write_energy(statistics);
  write_kv(system.controller(), statistics);
  write_timeline(system.controller(), statistics);
  write_limits(system.controller().totals());
  write_progress(system.controller(), system.controller().totals().last_done);
  file_.set_attribute("/", "digest", fmt::format("{:016x}", statistics.verdict.digest));
  file_.set_attribute("/", "events", static_cast<std::int64_t>(statistics.verdict.events));
  file_.set_attribute("/", "makespan_ps", statistics.makespan.count());
  file_.set_attribute("/", "complete", std::int64_t{1});
}

void RunWriter::write_cores(const llm::System& system) {
  const auto& geometry = experiment_.wafer.geometry;
  const auto& plan = system.plan();
  const auto cores = cores_of(system, geometry);
  const auto total = static_cast<std::size_t>(geometry.cores());
  std::vector<std::size_t> rows;
  rows.reserve(cores.size());
  for (const auto core : cores) rows.push_back(core.value());
  const auto die_of = [&](wafer::CoreId core) -> const llm::DieProcess& {
    const auto die = geometry.die_of(core);
    return **std::find_if(system.packet_dies().begin(), system.packet_dies().end(),
                          [&](const auto* d) { return d->die() == die; });
  };
  const auto write = [&]<class T>(T, const char* name, const char* unit, const char* meaning,
                                  const auto& get) {
    std::vector<T> values;
    values.reserve(cores.size());
    for (const auto core : cores) values.push_back(static_cast<T>(get(core)));
    file_.write_scattered<T>({fmt::format("/cores/{}", name), unit, meaning}, values, rows, total);
  };
  file_.set_attribute("/cores", "columns", std::int64_t{geometry.columns()});
  file_.set_attribute("/cores", "rows", std::int64_t{geometry.rows()});
  file_.set_attribute("/cores", "wafers", std::int64_t{geometry.wafers});
  file_.set_attribute("/cores", "core_columns_of_die", std::int64_t{geometry.core_columns});
  file_.set_attribute("/cores", "core_rows_of_die", std::int64_t{geometry.core_rows});
  file_.set_attribute("/cores", "cycle_ps", experiment_.wafer.noc.cycle.count());
  file_.set_attribute("/cores", "flit_bits", experiment_.wafer.noc.link_bits);
  file_.write_strings({"/cores/role_names", "1", "meaning of the numbers in role"}, kRoleNames);
  write(std::uint8_t{}, "role", "1",
        "what the core holds, an index into role_names; cores row by row from the north-west",
        [&](wafer::CoreId core) { return role_of(plan, plan.role(core)); });
  write(std::uint8_t{}, "alive", "1", "0 for a core that was dead at the end of the run, else 1",
        [&](wafer::CoreId core) { return plan.wafer().faults.core_is_dead(core) ? 0 : 1; });
  write(std::int32_t{}, "block", "1",
        "transformer block it works for; the number of blocks for the LM head, -1 for a spare core",
        [&](wafer::CoreId core) {
          const auto& role = plan.role(core);
          if (role.kv_block >= 0) return role.kv_block;
          return role.tile_station < 0 ? -1
                                       : plan.stations()[static_cast<std::size_t>(role.tile_station)].block;
        });
  if (!follows_packets()) return;  // nobody counts by core
  const auto use = [&](wafer::CoreId core) { return die_of(core).core_use(geometry.index_in_die(core)); };
  write(std::int64_t{}, "crossbars_busy_ps", "ps",
        "time in crossbar passes; K and V crossbars of a core count apart",
        [&](wafer::CoreId core) { return use(core).crossbars_busy.count(); });
  write(std::int64_t{}, "sfu_busy_ps", "ps", "time in the special function unit",
        [&](wafer::CoreId core) { return use(core).sfu_busy.count(); });
  write(std::int64_t{}, "macs", "MAC", "8-bit multiply-accumulates",
        [&](wafer::CoreId core) { return use(core).counts[wafer::Component::mac]; });
  write(std::int32_t{}, "kv_blocks_peak", "1", "most logical KV blocks in use at a time",
        [&](wafer::CoreId core) {
          const auto* kv = die_of(core).kv_core(geometry.index_in_die(core));
          return kv == nullptr ? 0 : kv->most_blocks_used();
        });
  std::vector<std::int64_t> energy;
  energy.reserve(cores.size() * wafer::kComponentCount);
  for (const auto core : cores) {
    const auto counts = die_of(core).energy_counts(geometry.index_in_die(core));
    for (std::size_t i = 0; i < wafer::kComponentCount; ++i) {
      const auto component = static_cast<wafer::Component>(i);
      energy.push_back(experiment_.wafer.energy.of(component, counts[component]).femtojoules());
    }
  }
  file_.write_scattered<std::int64_t>(
      {"/cores/energy_fj", "fJ",
       "dynamic energy at each core, with the links that leave its router, by core and component"},
      energy, rows, total, {wafer::kComponentCount});
}

void RunWriter::write_links(const llm::System& system) {
  const auto& geometry = experiment_.wafer.geometry;
  const auto total = static_cast<std::size_t>(geometry.cores());
  constexpr std::size_t kPorts = wafer::kLinksPerCore;
  std::vector<std::size_t> rows;
  std::vector<std::int64_t> flits, waited;
  std::map<wafer::DieId, const llm::DieProcess*> dies;
  for (const auto* die : system.packet_dies()) dies[die->die()] = die;
  for (const auto core : cores_of(system, geometry)) {
    rows.push_back(core.value());
    const auto& network = dies.at(geometry.die_of(core))->network();
    for (int port = 0; port < wafer::kLinksPerCore; ++port) {
      const auto& use = network.use(geometry.index_in_die(core), port);
      flits.push_back(use.flits);
      waited.push_back(use.waited.count());
    }
  }
  file_.write_strings({"/links/port_names", "1",
                       "meaning of the second index; the links leave the router of the core in the first"},
                      {"east", "west", "north", "south", "from_core", "to_core"});
  file_.write_scattered<std::int64_t>({"/links/flits", "flit", "flits over each link, by core and port"},
                                      flits, rows, total, {kPorts});
  file_.write_scattered<std::int64_t>(
      {"/links/waited_ps", "ps", "sum over packets of their waiting for the link"}, waited, rows, total,
      {kPorts});
}

void RunWriter::write_packets(const llm::System& system) {
  std::vector<std::uint64_t> first(static_cast<std::size_t>(experiment_.wafer.geometry.dies()) + 1);
  for (const auto* die : system.packet_dies())
    first[die->die().value() + 1] = die->packet_record().packets().size();
  MPI_Allreduce(MPI_IN_PLACE, first.data(), static_cast<int>(first.size()), MPI_UINT64_T, MPI_SUM, comm_);
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::map<wafer::DieId, const llm::DieProcess*> dies;
  for (const auto* die : system.packet_dies()) dies[die->die()] = die;
  const auto write = [&]<class T>(T, const char* name, const char* unit, const char* meaning,
                                  const auto& get) {
    std::vector<T> values;
    std::vector<std::size_t> rows;
    for (const auto& [id, die] : dies) {
      auto row = first[id.value()];
      for (const auto& packet : die->packet_record().packets()) {
        rows.push_back(row++);
        values.push_back(static_cast<T>(get(packet)));
      }
    }
    file_.write_scattered<T>({fmt::format("/packets/{}", name), unit, meaning}, values, rows, first.back());
  };
  using Packet = wafer::SentPacket;
  write(std::int64_t{}, "created_ps", "ps",
        "a packet between cores is in the output buffer of its core; by die, then in the order of sending",
        [](const Packet& packet) { return engine::picoseconds(packet.created); });
  write(std::int32_t{}, "from", "1", "number of the core that sent it",
        [](const Packet& packet) { return packet.from; });
  write(std::int32_t{}, "to", "1",
        "number of the core it goes to; a multicast has a row for each end of its tree",
        [](const Packet& packet) { return packet.to; });
  write(std::int32_t{}, "flits", "flit", "its length", [](const Packet& packet) { return packet.flits; });
}

void RunWriter::write_stages(const llm::System& system, const RunStatistics& statistics) {
  file_.write_strings({"/stages/names", "1", "meaning of the second index of busy_core_ps"},
                      names(llm::kStageNames));
  write_whole<std::int64_t>(
      {"/stages/busy_core_ps", "ps",
       "sum over cores of the time in crossbars and SFUs, by block (LM head last) and stage"},
      statistics.stage_busy, {llm::kStageCount});
  write_stations(system);
}

void RunWriter::write_stations(const llm::System& system) {
  constexpr auto kStates = llm::kStationStates;
  const auto& stations = experiment_.plan->stations();
  std::vector<std::int64_t> tokens(stations.size()), stalled(stations.size()), held(stations.size()),
      held_ps(stations.size()), bytes(stations.size()), homes(stations.size()),
      times(stations.size() * kStates);
  const auto& totals = system.controller().totals();
  for (const auto* die : system.dies()) {
    for (std::size_t station = 0; station < stations.size(); ++station) {
      const auto* use = die->station_use(static_cast<int>(station));
      if (use == nullptr) continue;
      tokens[station] += use->tokens;
      stalled[station] += use->stalled.count();
      held[station] = std::max(held[station], use->held.most);
      held_ps[station] += use->held.time.count();
      const auto of_die = use->times.between(totals.first_arrival, totals.last_done);
      for (std::size_t state = 0; state < kStates; ++state)
        times[station * kStates + state] += of_die[state].count();
      ++homes[station];
    }
  }
  for (auto* column : {&tokens, &stalled, &held_ps, &homes, &times})
    MPI_Allreduce(MPI_IN_PLACE, column->data(), static_cast<int>(column->size()), MPI_INT64_T, MPI_SUM,
                  comm_);
  MPI_Allreduce(MPI_IN_PLACE, held.data(), static_cast<int>(held.size()), MPI_INT64_T, MPI_MAX, comm_);
  // a station that went to another die after a failure has no tokens on the others
  for (std::size_t station = 0; station < stations.size(); ++station) {
    times[station * kStates + static_cast<std::size_t>(llm::StationState::no_token)] -=
        (homes[station] - 1) * (totals.last_done - totals.first_arrival).count();
  }
  std::ranges::transform(stations, bytes.begin(), &llm::StationPlan::bytes_of_token);
  write_whole<std::int64_t>(
      {"/stages/home_tokens", "token", "tokens sent on by each home core, in the order of home_names"},
      tokens);
  std::vector<std::string> home_names;
  home_names.reserve(stations.size());
  for (const auto& station : stations) home_names.push_back(name_of(station));
  file_.write_strings({"/stages/home_names", "1", "matrices that each home core gathers for"}, home_names);
  write_whole<std::int64_t>({"/stages/home_stalled_ps", "ps",
                             "time in which a home core had a token ready and the next buffers were full"},
                            stalled);
  file_.write_strings({"/stages/state_names", "1", "meaning of the second index of home_state_ps"},
                      names(llm::kStationStateNames));
  write_whole<std::int64_t>({"/stages/home_state_ps", "ps",
                             "what the makespan went into, by home core and state; each moment counts once"},
                            times, {kStates});
  write_whole<std::int64_t>({"/stages/home_tokens_peak", "token",
                             "most tokens in a home core's buffer: begun to come and not sent on"},
                            held);
  write_whole<std::int64_t>(
      {"/stages/home_tokens_held_ps", "ps", "sum over tokens of their time in a home core's buffer"},
      held_ps);
  write_whole<std::int64_t>({"/stages/home_token_bytes", "B", "of a token in a home core's buffer"}, bytes);
  const bool by_sequence = experiment_.plan->pipelining() == llm::Pipelining::sequence;
  file_.set_attribute("/stages", "one_sequence_a_station", std::int64_t{by_sequence ? 1 : 0});
  const bool is_input = experiment_.plan->tightest_buffer() == llm::Buffer::input;
  file_.set_attribute("/stages", "credit_bound_by", std::string{is_input ? "input buffer" : "output buffer"});
}

void RunWriter::write_experts(const llm::System& system) {
  const auto& experts = experiment_.model.experts;
  if (experts.routed == 0) return;
  const auto all = static_cast<std::size_t>(experts.routed + experts.shared);
  const auto& stations = experiment_.plan->stations();
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(experiment_.plan->blocks()) * all);
  for (const auto* die : system.dies()) {
    for (std::size_t station = 0; station < stations.size(); ++station) {
      const auto* use = die->station_use(static_cast<int>(station));
      if (use == nullptr || !stations[station].routes) continue;
      const auto first = static_cast<std::size_t>(stations[station].block) * all;
      for (std::size_t i = 0; i < use->expert_tokens.size(); ++i) tokens[first + i] += use->expert_tokens[i];
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, tokens.data(), static_cast<int>(tokens.size()), MPI_INT64_T, MPI_SUM, comm_);
  file_.set_attribute("/experts", "routed", std::int64_t{experts.routed});
  file_.set_attribute("/experts", "per_token", std::int64_t{experts.per_token});
  write_whole<std::int64_t>({"/experts/tokens", "token",
                             "tokens that each expert worked for, by block and expert; shared experts last"},
                            tokens, {all});
}

void RunWriter::write_failures(const llm::System& system) {
  if (experiment_.wafer.failures.empty()) return;
  const auto& recovery = system.controller().recovery();
  const auto& records = recovery.records();
  const auto write = [&](const char* name, const char* unit, const char* meaning, const auto& get) {
    std::vector<std::int64_t> values;
    values.reserve(records.size());
    for (const auto& record : records) values.push_back(static_cast<std::int64_t>(get(record)));
    write_whole<std::int64_t>({fmt::format("/failures/{}", name), unit, meaning}, values);
  };
  using Record = llm::FailureRecord;
  const auto fault = [&](const Record& r) -> const wafer::Fault& {
    return experiment_.wafer.failures[static_cast<std::size_t>(r.number)].fault;
  };
  const auto at = [&](const Record& r) { return experiment_.wafer.geometry.coordinate(fault(r).core); };
  const auto time = [](engine::Time when) { return when == engine::kNever ? -1 : engine::picoseconds(when); };
  file_.write_strings({"/failures/kind_names", "1", "meaning of the numbers in kind"},
                      {"core", "router", "link"});
  file_.write_strings({"/failures/direction_names", "1", "meaning of the numbers in direction"},
                      {"east", "west", "north", "south"});
  file_.write_strings({"/failures/effect_names", "1", "meaning of the numbers in effect"},
                      names(llm::kFailureEffectNames));
  write("kind", "1", "what failed, an index into kind_names; rows in the order of handling",
        [&](const Record& r) { return fault(r).kind; });
  write("x", "1", "column of the core, of its router, or of the router that the link is of",
        [&](const Record& r) { return at(r).x; });
  write("y", "1", "its row", [&](const Record& r) { return at(r).y; });
  write("direction", "1", "of a link from that router, an index into direction_names; -1 for others",
        [&](const Record& r) {
          const bool link = fault(r).kind == wafer::Fault::Kind::link;
          return link ? static_cast<int>(fault(r).direction) : -1;
        });
  write("effect", "1", "what it changed, an index into effect_names",
        [](const Record& r) { return r.effect; });
  write("failed_ps", "ps", "when it failed", [&](const Record& r) { return time(r.failed); });
  write("stopped_ps", "ps", "when the controllers emptied the pipeline for it, or would have",
        [&](const Record& r) { return time(r.stopped); });
  write("resumed_ps", "ps", "when tokens entered again; -1 if they never did, or never stopped",
        [&](const Record& r) { return time(r.resumed); });
  write("recovered_ps", "ps",
        "when as many tokens had left the pipeline since as were lost to this failure; -1 for never",
        [&](const Record& r) { return time(r.recovered); });
  write("cores_moved", "1", "cores whose weights moved on along the chain",
        [](const Record& r) { return r.moves; });
  write("tokens_discarded", "token", "in the pipeline when it stopped; they entered again",
        [](const Record& r) { return r.tokens_discarded; });
  write("sequences_lost", "1", "sequences that were computed again from their first token",
        [](const Record& r) { return r.sequences_lost; });
  write("tokens_lost", "token", "tokens of these whose K and V were lost",
        [](const Record& r) { return r.tokens_lost; });
  write("kv_pages_lost", "1", "pages of each block that were given up for good",
        [](const Record& r) { return r.kv_pages_lost; });
  write("outputs_before", "token", "output tokens sampled until it stopped",
        [](const Record& r) { return r.outputs_when_stopped; });
  write("outputs_recovered", "token", "output tokens sampled until recovered_ps; 0 for never",
        [](const Record& r) { return r.outputs_when_recovered; });
  file_.set_attribute("/failures", "halted", std::int64_t{recovery.halted() ? 1 : 0});
  file_.set_attribute("/failures", "halt_reason", recovery.halt_reason());
  const auto done = system.controller().totals().requests_done;
  file_.set_attribute("/failures", "requests_unserved",
                      static_cast<std::int64_t>(experiment_.summary.requests) - done);
}

void RunWriter::write_energy(const RunStatistics& statistics) {
  std::vector<std::string> components, counted;
  for (const auto& component : wafer::kComponents) {
    components.emplace_back(component.name);
    counted.emplace_back(component.counted);
  }
  std::vector<std::int64_t> each;
  for (const auto energy : experiment_.wafer.energy.each) each.push_back(energy.femtojoules());
  file_.write_strings({"/energy/stage_names", "1", "meaning of the first index"}, names(llm::kStageNames));
  file_.write_strings({"/energy/phase_names", "1", "meaning of the second index"}, names(llm::kPhaseNames));
  file_.write_strings({"/energy/component_names", "1", "meaning of the third index"}, components);
  file_.write_strings({"/energy/component_units", "1", "what counts of a component count"}, counted);
  file_.write<std::int64_t>({"/energy/each_fj", "fJ", "dynamic energy of one count of a component"},
                            std::span<const std::int64_t>{each.data(), is_root_ ? each.size() : 0}, 0,
                            each.size());
  const engine::ResultsFile::Shape inner{llm::kPhaseCount, wafer::kComponentCount};
  write_whole<std::int64_t>(
      {"/energy/counts", "1", "how often each component worked, by stage, phase and component"},
      statistics.energy_counts, inner);
  write_whole<std::int64_t>({"/energy/dynamic_fj", "fJ", "counts times each_fj"},
                            statistics.energy_femtojoules, inner);
  write_whole<double>({"/energy/static_j", "J", "static power times makespan"},
                      {experiment_.wafer.static_power.joules(statistics.makespan)});
  std::vector<double> of_components;
  for (std::size_t i = 0; i < wafer::kStaticComponents.size(); ++i)
    of_components.push_back(experiment_.wafer.static_power.joules(i, statistics.makespan));
  file_.write_strings({"/energy/static_component_names", "1", "meaning of the index of static_component_j"},
                      names(wafer::kStaticComponents));
  write_whole<double>(
      {"/energy/static_component_j", "J", "static_j by wafer.static_percent; power is the same all the time"},
      of_components);
}

void RunWriter::write_windows(const Column& column, int shift, const std::vector<std::int64_t>& values,
                              const engine::ResultsFile::Shape& inner) {
  write_whole<std::int64_t>(
      {column.path, column.unit, fmt::format("{}; windows of 2^{} ps from time 0", column.meaning, shift)},
      values, inner);
}

void RunWriter::write_kv(const llm::ServingController& controller, const RunStatistics& statistics) {
  const auto& lines = controller.timelines();
  const auto write = [&](const char* name, const char* unit, const char* meaning,
                         const engine::Timeline& line) {
    write_windows({fmt::format("/kv/{}", name), unit, meaning}, line.shift(), line.values());
    file_.set_attribute("/kv", fmt::format("{}_window_ps", name), std::int64_t{1} << line.shift());
  };
  const auto& kv = controller.kv();
  file_.set_attribute("/kv", "pages_total", experiment_.make_kv_controller().pages_total());
  file_.set_attribute("/kv", "sequences_at_most", std::int64_t{experiment_.serving.max_running});
  file_.set_attribute("/kv", "page_tokens", std::int64_t{kv.page_tokens()});
  file_.set_attribute("/kv", "heads", std::int64_t{experiment_.plan->kv_heads()});
  file_.set_attribute("/kv", "query_bytes_peak_of_core", statistics.most_query_bytes);
  write("pages_used", "1",
        "most pages of a block in use (a page is the K and V of page_tokens tokens of one head)",
        lines.kv_pages_used);
  write("tokens_held", "token",
        "most tokens whose K and V are held; page_tokens x pages_used / heads would be without fragmentation",
        lines.kv_tokens_held);
  write("tokens_unused", "token", "most tokens that would still fit in the pages that sequences have",
        lines.kv_tokens_unused);
  write("pages_cached", "1", "most pages that only the prefix cache uses", lines.kv_pages_cached);
  write("evictions", "1", "sequences that lost their KV to another one's growth", lines.preemptions);
  write("recomputed_tokens", "token", "tokens of these sequences that were in or through the pipeline",
        lines.tokens_recomputed);
  if (!follows_packets()) return;
  const auto& collisions = statistics.kv_collisions;
  write_windows({"/kv/collisions", "1",
                 "K of a head that came while its core's K crossbars worked for another token or head"},
                collisions.shift, collisions.values);
  file_.set_attribute("/kv", "collisions_window_ps", std::int64_t{1} << collisions.shift);
}

void RunWriter::write_limits(const llm::ServingTotals& totals) {
  const auto write = [&](const char* name, const char* unit, const char* meaning, std::int64_t value) {
    write_whole<std::int64_t>({fmt::format("/limits/{}", name), unit, meaning}, {value});
  };
  const auto limit = [](engine::Duration most) {
    return most == engine::Duration::max() ? -1 : most.count();
  };
  write("ttft_ps", "ps", "limit on the time to first token; -1 for none",
        limit(experiment_.serving.ttft_limit));
  write("tpot_ps", "ps", "limit on the time per output token; -1 for none",
        limit(experiment_.serving.tpot_limit));
  write("requests_within_ttft", "1", "requests within the first", totals.within_ttft);
  write("requests_within_tpot", "1", "requests within the second; one output meets any", totals.within_tpot);
  write("requests_within_both", "1", "over the makespan it is the goodput", totals.within_both);
  write("output_tokens_within_both", "token", "of these requests", totals.output_tokens_within_both);
}

void RunWriter::write_timeline(const llm::ServingController& controller, const RunStatistics& statistics) {
  const auto write = [&](const char* name, const char* unit, const char* meaning, int shift,
                         const std::vector<std::int64_t>& values,
                         const engine::ResultsFile::Shape& inner = {}) {
    write_windows({fmt::format("/timeline/{}", name), unit, meaning}, shift, values, inner);
    file_.set_attribute("/timeline", fmt::format("{}_window_ps", name), std::int64_t{1} << shift);
  };
  const auto& lines = controller.timelines();
  write("tokens_processed", "token", "tokens that left the pipeline", lines.tokens_retired.shift(),
        lines.tokens_retired.values());
  write("tokens_sampled", "token", "output tokens sampled", lines.tokens_sampled.shift(),
        lines.tokens_sampled.values());
  write("sequences_running", "1", "most sequences that hold KV", lines.sequences_running.shift(),
        lines.sequences_running.values());
  write("dynamic_fj", "fJ", "dynamic energy; over the window it is power", statistics.energy.shift,
        statistics.energy.values);
  write("busy_core_ps", "ps", "sum over cores of the time in crossbars and SFUs, by window and stage",
        statistics.busy.shift, statistics.busy.values, {llm::kStageCount});
  if (!follows_packets()) return;
  write("link_flits", "flit",
        "flits over the links between routers that begin in each die, by window and die",
        statistics.link_flits.shift, statistics.link_flits.values,
        {static_cast<std::size_t>(experiment_.wafer.geometry.dies())});
}

/// Replicated LPs count once, as rank 0 has them.
void RunWriter::write_lp_events(const engine::Region& region) {
  std::vector<std::uint64_t> events(region.placement().size(), 0);
  for (const auto& report : region.reports()) {
    if (!report.replicated || is_root_) events[report.id.value()] = report.events;
  }
  MPI_Allreduce(MPI_IN_PLACE, events.data(), static_cast<int>(events.size()), MPI_UINT64_T, MPI_SUM, comm_);
  write_whole<std::uint64_t>(
      {"/engine/lp_events", "1", "events handled by the controllers, the host interface, and each die"},
      events);
}

void RunWriter::write_engine(const EngineReport& report, const engine::Region& region) {
  const auto ranks = static_cast<std::size_t>(engine::mpi_size(comm_));
  const auto rank = static_cast<std::size_t>(engine::mpi_rank(comm_));
  file_.set_attribute("/engine", "ranks", static_cast<std::int64_t>(ranks));
  file_.set_attribute("/engine", "wall_s", report.wall_seconds);
  const auto each = [&]<class T>(const char* name, const char* unit, const char* meaning, T value) {
    file_.write<T>({fmt::format("/engine/{}", name), unit, meaning}, std::span<const T>{&value, 1}, rank,
                   ranks);
  };
  file_.set_attribute("/engine", "restarted_at_ps", engine::picoseconds(report.restarted_at));
  file_.set_attribute("/engine", "tokens_processed", report.tokens);
  file_.set_attribute("/engine", "checkpoints", report.checkpoints);
  each("checkpoint_s", "s", "wall time for checkpoints, by rank", report.checkpoint_seconds);
  each("events", "1", "events handled, by rank", report.events);
  const auto& cost = report.cost;
  each("control_events", "1", "of them, events of the controllers, of which every rank has a copy",
       report.replication.handled);
  each("control_copies", "1", "events for the controllers sent to other ranks", report.replication.copies);
  each("control_bytes", "byte", "bytes of those", report.replication.copies * sizeof(engine::Event));
  each("windows", "1", "stretches of work between synchronizations", cost.windows);
  each("events_s", "s", "wall time in event handlers and the event queue", cost.events_seconds);
  each("waiting_s", "s", "wall time waiting for other ranks", cost.waiting_seconds);
  each("packing_s", "s", "wall time sending and taking in messages", cost.packing_seconds);
  each("promising_s", "s", "wall time finding out what can be promised", cost.promising_seconds);
  each("messages_sent", "1", "batches of events and promises sent to other ranks", cost.messages_sent);
  each("promises_sent", "1", "of them, those without an event", cost.promises_sent);
  each("bytes_sent", "byte", "bytes of those batches", cost.bytes_sent);
  each("promises_tested", "1", "batches with events that came after a promise", cost.promises_tested);
  each("promise_slack_ps", "ps", "mean over them of their earliest event's time less the promise",
       cost.promises_tested == 0 ? 0.0 : cost.slack_ps / static_cast<double>(cost.promises_tested));
  each("peak_memory_mb", "MB", "largest resident memory", peak_memory_mb());
  const auto dies = region.placement().begin() + llm::kFirstDieLp;
  write_whole<std::int32_t>({"/engine/rank_of_die", "1", "rank that simulated each die"},
                            {dies, region.placement().end()});
  write_lp_events(region);
}

}  // namespace ouro::tools
