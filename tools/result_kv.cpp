#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

void write_sizes(ResultWriting& out, const llm::KvController& kv, const RunStatistics& statistics) {
  const auto set = [&](const char* name, std::int64_t value) {
    out.file().set_attribute("/kv", name, value);
  };
  set("pages_total", out.experiment().make_kv_controller().pages_total());
  set("sequences_at_most", out.experiment().serving.max_running);
  set("page_tokens", kv.page_tokens());
  set("heads", out.experiment().plan->kv_heads());
  set("query_bytes_peak_of_core", statistics.most_query_bytes);
}

}  // namespace

void write_kv(ResultWriting& out, const llm::ServingController& controller, const RunStatistics& statistics) {
  const auto& lines = controller.timelines();
  const auto write = [&](const char* name, const char* unit, const char* meaning,
                         const engine::Timeline& line) {
    out.write_windows("kv", {name, unit, meaning}, line.shift(), line.values());
  };
  write_sizes(out, controller.kv(), statistics);
  write("pages_used", "1",
        "most pages of a block in use (a page is the K and V of page_tokens tokens of one head)",
        lines.kv_pages_used);
  write("tokens_held", "token",
        "most tokens whose K and V are held; page_tokens x pages_used / heads would be without fragmentation",
        lines.kv_tokens_held);
  write("tokens_unused", "token", "most tokens that would still fit in the pages that sequences have",
        lines.kv_tokens_unused);
  write("pages_cached", "1", "most pages that only the prefix cache uses", lines.kv_pages_cached);
  if (const auto encoder_kv = out.experiment().make_encoder_kv_controller()) {
    out.file().set_attribute("/kv", "encoder_pages_total", encoder_kv->pages_total());
    write("encoder_pages_used", "1", "most pages of a block of the encoder in use", lines.encoder_pages_used);
  }
  write("evictions", "1", "sequences that lost their KV to another one's growth", lines.preemptions);
  write("recomputed_tokens", "token", "tokens of these sequences that were in or through the pipeline",
        lines.tokens_recomputed);
  if (!out.follows_packets()) return;
  out.write_windows("kv",
                    {"collisions", "1",
                     "K of a head that came while its core's K crossbars worked for another token or head"},
                    statistics.kv_collisions.shift, statistics.kv_collisions.values);
}

}  // namespace ouro::tools
