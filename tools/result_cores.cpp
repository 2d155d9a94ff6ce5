#include "tools/core_table.hpp"
#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

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
  head_value,
  cross_query,
  cross_kv,
  cross_output
};
const std::vector<std::string> kRoleNames{"spare",      "qkv",         "kv",       "output",      "gate_up",
                                          "down",       "lm_head",     "router",   "query",       "head_key",
                                          "head_value", "cross_query", "cross_kv", "cross_output"};

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
    case llm::Matrix::cross_query:
      return Role::cross_query;
    case llm::Matrix::cross_kv:
      return Role::cross_kv;
    case llm::Matrix::cross_output:
      return Role::cross_output;
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

void write_grid(ResultWriting& out) {
  const auto& geometry = out.experiment().wafer.geometry;
  const auto& noc = out.experiment().wafer.noc;
  const auto set = [&](const char* name, std::int64_t value) {
    out.file().set_attribute("/cores", name, value);
  };
  set("columns", geometry.columns());
  set("rows", geometry.rows());
  set("wafers", geometry.wafers);
  set("core_columns_of_die", geometry.core_columns);
  set("core_rows_of_die", geometry.core_rows);
  set("cycle_ps", noc.cycle.count());
  set("flit_bits", noc.link_bits);
}

/// @return -1 for a spare core
int block_of(const llm::PipelinePlan& plan, const llm::CoreRole& role) {
  if (role.kv_block >= 0) return role.kv_block;
  return role.tile_station < 0 ? -1 : plan.stations()[static_cast<std::size_t>(role.tile_station)].block;
}

void write_roles(ResultWriting& out, CoreTable& table, const llm::PipelinePlan& plan) {
  out.file().write_strings({"/cores/role_names", "1", "meaning of the numbers in role"}, kRoleNames);
  table.write<std::uint8_t>(
      {"/cores/role", "1",
       "what the core holds, an index into role_names; cores row by row from the north-west"},
      [&](wafer::CoreId core) { return role_of(plan, plan.role(core)); });
  table.write<std::uint8_t>(
      {"/cores/alive", "1", "0 for a core that was dead at the end of the run, else 1"},
      [&](wafer::CoreId core) { return plan.wafer().faults.core_is_dead(core) ? 0 : 1; });
  table.write<std::int32_t>(
      {"/cores/block", "1",
       "transformer block it works for; the number of blocks for the LM head, -1 for a spare core"},
      [&](wafer::CoreId core) { return block_of(plan, plan.role(core)); });
}

void write_use(CoreTable& table) {
  const auto use = [&](wafer::CoreId core) { return table.die_of(core).core_use(table.index_in_die(core)); };
  table.write<std::int64_t>(
      {"/cores/crossbars_busy_ps", "ps", "time in crossbar passes; K and V crossbars of a core count apart"},
      [&](wafer::CoreId core) { return use(core).crossbars_busy.count(); });
  table.write<std::int64_t>({"/cores/sfu_busy_ps", "ps", "time in the special function unit"},
                            [&](wafer::CoreId core) { return use(core).sfu_busy.count(); });
  table.write<std::int64_t>({"/cores/macs", "MAC", "8-bit multiply-accumulates"},
                            [&](wafer::CoreId core) { return use(core).counts[wafer::Component::mac]; });
  table.write<std::int32_t>({"/cores/kv_blocks_peak", "1", "most logical KV blocks in use at a time"},
                            [&](wafer::CoreId core) {
                              const auto* kv = table.die_of(core).kv_core(table.index_in_die(core));
                              return kv == nullptr ? 0 : kv->most_blocks_used();
                            });
}

void write_energy_of_cores(CoreTable& table, const wafer::EnergyModel& energy) {
  table.write<std::int64_t>(
      {"/cores/energy_fj", "fJ",
       "dynamic energy at each core, with the links that leave its router, by core and component"},
      wafer::kComponentCount, [&](wafer::CoreId core, std::size_t i) {
        const auto counts = table.die_of(core).energy_counts(table.index_in_die(core));
        const auto component = static_cast<wafer::Component>(i);
        return energy.of(component, counts[component]).femtojoules();
      });
}

}  // namespace

void write_cores(ResultWriting& out, const llm::System& system) {
  CoreTable table{out, system};
  write_grid(out);
  write_roles(out, table, system.plan());
  if (!out.follows_packets()) return;  // nobody counts by core
  write_use(table);
  write_energy_of_cores(table, out.experiment().wafer.energy);
}

}  // namespace ouro::tools
