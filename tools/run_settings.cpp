#include "tools/run_settings.hpp"

namespace ouro::tools {

RunSettings read_run_settings(const engine::Config& config) {
  config.at("engine.synchronizer").as_choice({"window"});
  const auto flush = config.at("output.flush_interval");
  const RunSettings settings{flush.as_duration(),
                             engine::seconds(config.at("engine.heartbeat").as_duration())};
  if (settings.flush_interval <= engine::Duration::zero()) {
    throw flush.refusal("an interval is longer than nothing", "\"1 ms\"");
  }
  return settings;
}

}  // namespace ouro::tools
