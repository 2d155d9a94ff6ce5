#include "llm/serving_config.hpp"

#include <cmath>

namespace ouro::llm {
namespace {

using engine::Config;
using engine::Duration;

Mix read_mix(const Config& config) {
  const auto mix = config.at("serving.mix").as_choice({"decode_first", "prefill_first", "ratio"});
  if (mix == "decode_first") return Mix::decode_first;
  return mix == "ratio" ? Mix::ratio : Mix::prefill_first;
}

Duration read_limit(const engine::Setting& setting) {
  if (setting.as_string() == "none") return Duration::max();
  const auto limit = setting.as_duration(std::chrono::hours{1});
  if (limit <= Duration::zero()) throw setting.refusal("nothing is that fast", "\"none\" or \"200 ms\"");
  return limit;
}

bool read_prefix_cache(const Config& config) {
  const auto setting = config.at("serving.prefix_cache");
  if (setting.as_bool() && config.at("serving.kv").as_string() == "static")
    throw setting.refusal("static KV is not shared", "serving.kv \"dynamic\"");
  return setting.as_bool();
}

LoadOptions read_load(const Config& config, const WorkloadOptions& workload, const WorkloadSummary& summary) {
  LoadOptions load{.seed = workload.seed};
  const auto users = static_cast<int>(config.at("workload.users").as_int(1, 1'000'000));
  const auto room = static_cast<int>(config.at("serving.waiting_room").as_int(1, 100'000'000));
  load.think_time = config.at("workload.think_time").as_duration(std::chrono::hours{1});
  if (workload.arrivals == ArrivalMode::closed) load.users = users;
  if (summary.classes > 1) load.look_ahead = room;
  return load;
}

bool is_static(const Config& config) {
  return config.at("serving.kv").as_choice({"dynamic", "static"}) == "static";
}

/// A limit on a prompt's tokens has no meaning where a prompt enters as a whole.
int read_prompt_limit(const engine::Setting& setting, Pipelining pipelining) {
  const auto limit = static_cast<int>(setting.as_int(0, kMaxTokens));
  if (limit > 0 && pipelining == Pipelining::sequence)
    throw setting.refusal("a prompt enters as a whole with serving.pipelining \"sequence\"", "0");
  return limit;
}

}  // namespace

KvCrossbars read_kv_crossbars(const Config& config) {
  const bool fragments = config.at("serving.kv_fragments").as_bool();
  return fragments && !is_static(config) ? KvCrossbars::left_by_weights_too : KvCrossbars::of_kv_cores;
}

Pipelining read_pipelining(const Config& config) {
  const auto pipelining = config.at("serving.pipelining").as_choice({"token", "sequence"});
  return pipelining == "token" ? Pipelining::token : Pipelining::sequence;
}

ServingOptions read_serving_options(const Config& config, const WorkloadOptions& workload,
                                    const WorkloadSummary& summary) {
  ServingOptions options;
  options.admission_threshold = config.at("serving.admission_threshold").as_number(0, 0.99);
  options.static_kv = is_static(config);
  options.prefix_cache = read_prefix_cache(config);
  options.prefix_block_tokens = workload.rows.block_tokens;
  options.reserved_context =
      workload.rows.max_context > 0 ? workload.rows.max_context : summary.longest_context;
  options.max_running = static_cast<int>(config.at("serving.max_running").as_int(1, 65535));
  const auto read_every = [&](const char* key) {
    return static_cast<std::uint32_t>(config.at(key).as_int(0, 1'000'000'000));
  };
  options.record_every = read_every("output.record_token_every");
  options.record_stations_every = read_every("output.record_stations_every");
  options.entry_queue = static_cast<int>(config.at("serving.entry_queue").as_int(1, 65535));
  options.mix = read_mix(config);
  options.prefill_permille =
      static_cast<int>(std::lround(1000 * config.at("serving.prefill_share").as_number(0, 1)));
  options.pipelining = read_pipelining(config);
  options.prefill_window = read_prompt_limit(config.at("serving.prefill_window"), options.pipelining);
  options.prefill_chunk = read_prompt_limit(config.at("serving.prefill_chunk"), options.pipelining);
  options.ttft_limit = read_limit(config.at("serving.ttft_limit"));
  options.tpot_limit = read_limit(config.at("serving.tpot_limit"));
  options.load = read_load(config, workload, summary);
  return options;
}

}  // namespace ouro::llm
