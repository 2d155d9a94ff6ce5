#include "tools/run_settings.hpp"

namespace ouro::tools {

RunSettings read_run_settings(const engine::Config& config) {
  const auto synchronizer = config.at("engine.synchronizer").as_choice({"null-message", "window"});
  const auto lookahead = config.at("engine.lookahead").as_choice({"promises", "held", "link"});
  const auto flush = config.at("output.flush_interval");
  const auto stall_limit = config.at("engine.stall_limit");
  const RunSettings settings{
      .flush_interval = flush.as_duration(),
      .heartbeat_seconds = engine::seconds(config.at("engine.heartbeat").as_duration()),
      .stall_limit_seconds = engine::seconds(stall_limit.as_duration()),
      .synchronizer = synchronizer == "window" ? engine::SynchronizerKind::window
                                               : engine::SynchronizerKind::null_message,
      .lookahead = lookahead == "link"   ? engine::Lookahead::link
                   : lookahead == "held" ? engine::Lookahead::held
                                         : engine::Lookahead::promises};
  if (settings.flush_interval <= engine::Duration::zero()) {
    throw flush.refusal("an interval is longer than nothing", "\"1 ms\"");
  }
  if (settings.stall_limit_seconds <= 0) {
    throw stall_limit.refusal("a run needs time to go on", "\"300 s\"");
  }
  return settings;
}

}  // namespace ouro::tools
