#include "tools/record_table.hpp"
#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

using Record = llm::FailureRecord;
using Table = RecordTable<Record>;

void write_names(ResultWriting& out) {
  out.file().write_strings({"/failures/kind_names", "1", "meaning of the numbers in kind"},
                           {"core", "router", "link"});
  out.file().write_strings({"/failures/direction_names", "1", "meaning of the numbers in direction"},
                           {"east", "west", "north", "south"});
  out.file().write_strings({"/failures/effect_names", "1", "meaning of the numbers in effect"},
                           as_texts(llm::kFailureEffectNames));
}

void write_faults(Table& table, const wafer::WaferModel& wafer) {
  const auto fault = [&](const Record& r) -> const wafer::Fault& {
    return wafer.failures[static_cast<std::size_t>(r.number)].fault;
  };
  const auto at = [&](const Record& r) { return wafer.geometry.coordinate(fault(r).core); };
  table.write("kind", "1", "what failed, an index into kind_names; rows in the order of handling",
              [&](const Record& r) { return fault(r).kind; });
  table.write("x", "1", "column of the core, of its router, or of the router that the link is of",
              [&](const Record& r) { return at(r).x; });
  table.write("y", "1", "its row", [&](const Record& r) { return at(r).y; });
  table.write("direction", "1", "of a link from that router, an index into direction_names; -1 for others",
              [&](const Record& r) {
                const bool link = fault(r).kind == wafer::Fault::Kind::link;
                return link ? static_cast<int>(fault(r).direction) : -1;
              });
  table.write("effect", "1", "what it changed, an index into effect_names",
              [](const Record& r) { return r.effect; });
}

void write_times(Table& table) {
  const auto time = [](engine::Time when) { return when == engine::kNever ? -1 : engine::picoseconds(when); };
  table.write("failed_ps", "ps", "when it failed", [&](const Record& r) { return time(r.failed); });
  table.write("stopped_ps", "ps", "when the controllers emptied the pipeline for it, or would have",
              [&](const Record& r) { return time(r.stopped); });
  table.write("resumed_ps", "ps", "when tokens entered again; -1 if they never did, or never stopped",
              [&](const Record& r) { return time(r.resumed); });
  table.write("recovered_ps", "ps",
              "when as many tokens had left the pipeline since as were lost to this failure; -1 for never",
              [&](const Record& r) { return time(r.recovered); });
}

void write_losses(Table& table) {
  table.write("cores_moved", "1", "cores whose weights moved on along the chain",
              [](const Record& r) { return r.moves; });
  table.write("tokens_discarded", "token", "in the pipeline when it stopped; they entered again",
              [](const Record& r) { return r.tokens_discarded; });
  table.write("sequences_lost", "1", "sequences that were computed again from their first token",
              [](const Record& r) { return r.sequences_lost; });
  table.write("tokens_lost", "token", "tokens of these whose K and V were lost",
              [](const Record& r) { return r.tokens_lost; });
  table.write("kv_pages_lost", "1", "pages of each block that were given up for good",
              [](const Record& r) { return r.kv_pages_lost; });
  table.write("outputs_before", "token", "output tokens sampled until it stopped",
              [](const Record& r) { return r.outputs_when_stopped; });
  table.write("outputs_recovered", "token", "output tokens sampled until recovered_ps; 0 for never",
              [](const Record& r) { return r.outputs_when_recovered; });
}

void write_halt(ResultWriting& out, const llm::ServingController& controller) {
  const auto& recovery = controller.recovery();
  const auto unserved =
      static_cast<std::int64_t>(out.experiment().summary.requests) - controller.totals().requests_done;
  out.file().set_attribute("/failures", "halted", std::int64_t{recovery.halted() ? 1 : 0});
  out.file().set_attribute("/failures", "halt_reason", recovery.halt_reason());
  out.file().set_attribute("/failures", "requests_unserved", unserved);
}

}  // namespace

void write_failures(ResultWriting& out, const llm::ServingController& controller) {
  const auto& wafer = out.experiment().wafer;
  if (wafer.failures.empty()) return;
  Table table{out, "failures", controller.recovery().records()};
  write_names(out);
  write_faults(table, wafer);
  write_times(table);
  write_losses(table);
  write_halt(out, controller);
}

}  // namespace ouro::tools
