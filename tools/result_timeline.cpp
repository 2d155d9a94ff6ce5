#include "tools/result_groups.hpp"

namespace ouro::tools {

void write_timeline(ResultWriting& out, const llm::ServingController& controller,
                    const RunStatistics& statistics) {
  const auto& lines = controller.timelines();
  const auto write = [&](const engine::Column& column, const engine::Timeline& line) {
    out.write_windows("timeline", column, line.shift(), line.values());
  };
  const auto write_sums = [&](const engine::Column& column, const WindowedQuantity& quantity,
                              const ResultWriting::Shape& inner = {}) {
    out.write_windows("timeline", column, quantity.shift, quantity.values, inner);
  };
  write({"tokens_processed", "token", "tokens that left the pipeline"}, lines.tokens_retired);
  write({"tokens_sampled", "token", "output tokens sampled"}, lines.tokens_sampled);
  write({"sequences_running", "1", "most sequences that hold KV"}, lines.sequences_running);
  write_sums({"dynamic_fj", "fJ", "dynamic energy; over the window it is power"}, statistics.energy);
  write_sums({"busy_core_ps", "ps", "sum over cores of the time in crossbars and SFUs, by window and stage"},
             statistics.busy, {llm::kStageCount});
  if (!out.follows_packets()) return;
  write_sums({"link_flits", "flit",
              "flits over the links between routers that begin in each die, by window and die"},
             statistics.link_flits, {static_cast<std::size_t>(out.experiment().wafer.geometry.dies())});
}

}  // namespace ouro::tools
