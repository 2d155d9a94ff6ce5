#pragma once

#include "engine/config.hpp"
#include "engine/synchronizer.hpp"
#include "engine/time.hpp"

namespace ouro::tools {

/// How a run is driven: sections [engine] and [output], but for what the model itself records.
struct RunSettings {
  engine::Duration flush_interval{};
  double heartbeat_seconds = 1;
  double stall_limit_seconds = 300;
  engine::SynchronizerKind synchronizer = engine::SynchronizerKind::window;
  engine::Lookahead lookahead = engine::Lookahead::promises;
};

/// @throws InputError  for what is wrong in them
RunSettings read_run_settings(const engine::Config& config);

}  // namespace ouro::tools
