#include "llm/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "engine/error.hpp"
#include "llm/model_import.hpp"
#include "llm/serving_config.hpp"
#include "llm/tiling.hpp"
#include "llm/workload_config.hpp"

namespace ouro::llm {
namespace {

using engine::Config;
using engine::InputError;

constexpr int kCandidateBytes = 8;  // index and value of a logit, 32 bit each

ImportedModel read_model(const Config& config) {
  const auto file = config.at("model.config");
  if (file.as_string().empty()) {
    try {
      return {shipped_model(config.at("model.name").as_string()), {}};
    } catch (const InputError& error) {
      throw config.at("model.name").refusal(error.what());
    }
  }
  std::error_code ignored;
  std::ifstream stream{file.as_string()};
  if (!stream || std::filesystem::is_directory(file.as_string(), ignored))
    throw file.refusal(fmt::format("cannot read '{}'", file.as_string()), "name a config.json");
  const std::string text{std::istreambuf_iterator<char>{stream}, {}};
  return import_hugging_face(text, file.as_string());
}

engine::Duration read_control_latency(const Config& config, const wafer::WaferModel& wafer) {
  const auto setting = config.at("serving.control_latency");
  const auto latency = setting.as_string() == "crossing" ? wafer.noc.crossing_time(wafer.geometry)
                                                         : setting.as_duration(std::chrono::hours{1});
  if (latency <= engine::Duration::zero())
    throw setting.refusal("a control event takes time", "\"crossing\" or \"500 ns\"");
  return latency;
}

wafer::RecordWindow read_recorded_packets(const Config& config, wafer::Fidelity fidelity) {
  const auto until = config.at("output.record_packets_until");
  const wafer::RecordWindow window{engine::Time{config.at("output.record_packets_from").as_duration()},
                                   engine::Time{until.as_duration()}};
  if (!window.is_empty() && fidelity == wafer::Fidelity::stage)
    throw until.refusal("no packet moves at fidelity stage", "wafer.noc.fidelity \"packet\"");
  return window;
}

/// What a model needs of the network.
void check_noc(const Config& config, const wafer::NocModel& noc) {
  if (noc.wire_latency + noc.die_crossing_latency == engine::Duration{}) {
    throw config.at("wafer.noc.wire_latency")
        .refusal("a token would come from the host interface in no time",
                 "wire and die crossing need a cycle together");
  }
  if (noc.fidelity == wafer::Fidelity::flit && noc.multicast == wafer::MulticastMode::tree) {
    throw config.at("wafer.noc.multicast")
        .refusal("the routers of fidelity flit have no multicast",
                 "\"unicast\", at packet, too, to compare them");
  }
}

/// Where the longest request is from.
std::string source_of_lengths(const Config& config, const Experiment& experiment) {
  if (experiment.workload.lengths == LengthMode::trace) return experiment.summary.longest_where;
  const bool fixed = experiment.workload.lengths == LengthMode::fixed;
  return config.at(fixed ? "workload.prompt_tokens" : "workload.histogram").where();
}

void check_requests_left(const Experiment& experiment) {
  const auto& summary = experiment.summary;
  if (summary.requests > 0) return;
  throw InputError{experiment.workload.trace_file.string(),
                   fmt::format("no request is left in it ({})", describe(summary.rows)),
                   "at least one is needed"};
}

RoutingOptions read_routing(const Config& config, const ModelDescription& model, std::uint64_t seed) {
  const auto weights = config.at("model.expert_weights");
  if (!weights.as_string().empty() && model.experts.routed == 0)
    throw weights.refusal(fmt::format("model {} has no experts", model.name), "leave it empty");
  return {
      .skew = config.at("model.expert_skew").as_number(0, 10), .weights = weights.as_string(), .seed = seed};
}

engine::Setting setting_of_model(const Config& config) {
  const bool imported = !config.at("model.config").as_string().empty();
  return config.at(imported ? "model.config" : "model.name");
}

/// An encoder-decoder may be wanted without its decoder.
void choose_stack(const Config& config, ModelDescription& model) {
  const auto stack = config.at("model.stack");
  if (stack.as_choice({"all", "encoder"}) == "all") return;
  if (model.encoder_layers == 0)
    throw stack.refusal(fmt::format("model {} has no encoder", model.name), "\"all\"");
  model.layers = 0;
}

/// Page tables of the encoder's blocks.
KvController prompts_of_encoder(const Experiment& experiment) {
  auto encoder_kv = experiment.make_encoder_kv_controller();
  return encoder_kv ? *std::move(encoder_kv) : experiment.make_kv_controller();
}

std::optional<Calibration> read_calibration(const Config& config, const Experiment& experiment) {
  const auto file = config.at("wafer.noc.calibration");
  if (file.as_string().empty()) return std::nullopt;
  return llm::read_calibration(file, experiment.machine);
}

/// What does not go with attention in both directions.
void check_encoder(const Config& config, const Experiment& experiment) {
  if (experiment.model.encoder_layers == 0) return;
  const auto refuse_if = [&](bool set, const char* key, std::string_view why, const char* right) {
    if (set) throw config.at(key).refusal(fmt::format("model {}: {}", experiment.model.name, why), right);
  };
  refuse_if(experiment.wafer.noc.fidelity == wafer::Fidelity::stage, "wafer.noc.fidelity",
            "an encoder is not simulated at this fidelity", "\"packet\"");
  refuse_if(config.at("serving.prefix_cache").as_bool(), "serving.prefix_cache",
            "K and V of an encoder follow from the whole sequence, and prompts cannot share them", "false");
  refuse_if(config.at("serving.prefill_window").as_int(0) > 0, "serving.prefill_window",
            "the tokens of an encoder wait for the whole sequence, which has to be in the pipeline", "0");
  refuse_if(
      experiment.plan->pipelining() == Pipelining::sequence, "serving.pipelining",
      "its attention takes whole sequences already, and its other stages are simulated token by token only",
      "\"token\"");
  refuse_if(experiment.plan->kv_ring().fragments() > 0, "serving.kv_fragments",
            "queries have no room in the buffers of weight cores", "false");
  if (prompts_of_encoder(experiment).longest_sequence() == 0) {
    throw config.at("wafer.core.input_buffer")
        .refusal(fmt::format("model {}: KV cores do not hold a page of queries for each head",
                             experiment.model.name),
                 "enlarge it");
  }
}

/// What does not go with a decoder behind an encoder.
void check_encoder_decoder(const Config& config, const Experiment& experiment) {
  if (!is_encoder_decoder(experiment.model)) return;
  constexpr int kMostRunning = (std::numeric_limits<decltype(Token::slot)>::max() + 1) / kEntriesOfSequence;
  if (experiment.wafer.noc.fidelity == wafer::Fidelity::flit) {
    throw config.at("wafer.noc.fidelity")
        .refusal(fmt::format("model {}: an encoder-decoder is not simulated at this fidelity",
                             experiment.model.name),
                 "\"packet\"");
  }
  if (experiment.serving.static_kv) {
    throw config.at("serving.kv")
        .refusal(fmt::format("model {}: what a prompt and its outputs need is not known apart before",
                             experiment.model.name),
                 "\"dynamic\"");
  }
  if (experiment.serving.max_running > kMostRunning) {
    throw config.at("serving.max_running")
        .refusal(
            fmt::format("model {}: each sequence has two entries in the page tables", experiment.model.name),
            fmt::format("at most {}", kMostRunning));
  }
}

Mapping map_model(const Config& config, const Experiment& experiment, const TiledModel& tiled) {
  if (experiment.mapping.method != MappingMethod::snake &&
      !flows_are_known(experiment.wafer.geometry, experiment.model)) {
    throw config.at("mapping.method")
        .refusal("maps a decoder without experts and latent attention onto one wafer only",
                 "\"snake\" maps all");
  }
  if (experiment.mapping.method == MappingMethod::file)
    return make_mapping(experiment.mapping, experiment.wafer, experiment.model, tiled);
  try {
    return make_mapping(experiment.mapping, experiment.wafer, experiment.model, tiled);
  } catch (const InputError& error) {
    throw setting_of_model(config).refusal(error.what());
  }
}

/// The places of KV are alike in every block.
KvCrossbars kv_crossbars_of(const Config& config, const TiledModel& tiled) {
  const auto which = read_kv_crossbars(config);
  if (which == KvCrossbars::of_kv_cores || tiled.first_blocks == 0) return which;
  throw config.at("serving.kv_fragments")
      .refusal("the first blocks of this model leave other crossbars free than the rest", "false");
}

/// Where failures at run time are not simulated.
void check_failures(const Config& config, const Experiment& experiment) {
  if (experiment.wafer.failures.empty()) return;
  const auto refuse = [&](const char* key, const std::string& what, const std::string& right) {
    throw config.at(key).refusal(what + " is not simulated while something fails",
                                 right + ", or no failures in wafer.faults.runtime");
  };
  const auto fidelity = experiment.wafer.noc.fidelity;
  if (fidelity != wafer::Fidelity::packet) {
    refuse("wafer.noc.fidelity",
           fmt::format("the fidelity {}", fidelity == wafer::Fidelity::flit ? "flit" : "stage"),
           "\"packet\"");
  }
  if (experiment.wafer.geometry.wafers > 1) refuse("wafer.count", "more than one wafer", "1");
  if (experiment.serving.prefix_cache) refuse("serving.prefix_cache", "the prefix cache", "false");
  if (experiment.plan->kv_ring().fragments() > 0)
    refuse("serving.kv_fragments", "KV on weight cores", "false");
  if (experiment.model.encoder_layers > 0) refuse("model.name", "an encoder", "a decoder");
}

/// A stretch of the prefix cache is whole pages and whole blocks.
void check_prefix_blocks(const Config& config, const Experiment& experiment) {
  const auto block = experiment.serving.prefix_block_tokens;
  const auto page = experiment.wafer.core.kv_block_columns;
  if (!experiment.serving.prefix_cache || std::max(block, page) % std::min(block, page) == 0) return;
  throw config.at("workload.prefix_block_tokens")
      .refusal(fmt::format("blocks of {} tokens and pages of {} have no common bounds to share", block, page),
               "one is a multiple of the other, or serving.prefix_cache is false");
}

void check_reservation(const Config& config, const Experiment& experiment, const KvController& kv) {
  const auto reserved = experiment.serving.reserved_context;
  if (!experiment.serving.static_kv || reserved <= kv.longest_sequence()) return;
  throw config.at("serving.max_context")
      .refusal(
          fmt::format("{} tokens for each sequence are more than the {} that the KV memory of a block holds",
                      reserved, kv.longest_sequence()),
          "less, or serving.kv \"dynamic\"");
}

/// Where they are learned, there are no more.
void check_positions(const Config& config, const Experiment& experiment) {
  const int positions = experiment.model.learned_positions;
  if (positions == 0 || experiment.summary.longest_context <= positions) return;
  throw InputError{source_of_lengths(config, experiment),
                   fmt::format("request {} has {} tokens, and model {} has learned {} positions",
                               experiment.summary.longest_index, experiment.summary.longest_context,
                               experiment.model.name, positions),
                   fmt::format("leave it out, shorten it, or set serving.max_context to {} or less and "
                               "serving.over_context to \"drop\" or \"truncate\"",
                               positions)};
}

/// In the encoder's blocks: queries of a whole prompt wait there.
void check_prompts_fit(const Config& config, const Experiment& experiment) {
  if (!is_encoder_decoder(experiment.model)) return;
  const auto most = prompts_of_encoder(experiment).longest_sequence();
  const auto longest = experiment.summary.prompt.largest;
  if (longest <= most) return;
  throw InputError{source_of_lengths(config, experiment),
                   fmt::format("a prompt has {} tokens, and K, V and queries of a block of the encoder never "
                               "have room for more than {}",
                               longest, most),
                   "leave it out, shorten it, or enlarge the wafer or wafer.core.input_buffer"};
}

void check_requests_fit(const Config& config, const Experiment& experiment) {
  const auto kv = experiment.make_kv_controller();
  const auto longest = experiment.summary.longest_context;
  const auto most = experiment.longest_request();
  check_prompts_fit(config, experiment);
  check_positions(config, experiment);
  if (longest <= most) return check_reservation(config, experiment, kv);
  throw InputError{
      source_of_lengths(config, experiment),
      fmt::format("request {} has {} tokens of prompt and output, and the KV memory of a block "
                  "never holds more than {}",
                  experiment.summary.longest_index, longest, most),
      fmt::format("leave it out, shorten it, enlarge the wafer, or set serving.max_context to {} "
                  "or less and serving.over_context to \"drop\" or \"truncate\"",
                  most)};
}

}  // namespace

/// The last output of a request does not enter again; behind an encoder a start token does.
std::int64_t Experiment::tokens_to_process() const {
  const bool all_enter = !serving.generates || serving.encodes;
  return summary.prompt.total + summary.output.total -
         (all_enter ? 0 : static_cast<std::int64_t>(summary.requests));
}

/// Behind an encoder, prompt and output have pages apart, so one of each head is not full more than
/// elsewhere.
std::int64_t Experiment::longest_request() const {
  const auto longest = make_kv_controller().longest_sequence();
  return is_encoder_decoder(model) ? longest - wafer.core.kv_block_columns : longest;
}

std::optional<KvController> Experiment::make_encoder_kv_controller() const {
  if (!is_encoder_decoder(model)) return std::nullopt;
  const int sequences = kEntriesOfSequence * serving.max_running;
  return std::make_optional<KvController>(plan->pages_of_encoder_ring(), plan->kv_heads(),
                                          wafer.core.kv_block_columns, sequences, 1, 0,
                                          KvPlacing::whole_heads);
}

KvController Experiment::make_kv_controller() const {
  const int page_tokens = wafer.core.kv_block_columns;
  const int stretch_pages = std::max(1, serving.prefix_block_tokens / page_tokens);
  const bool whole = is_encoder_only(model);
  return {whole ? plan->pages_of_encoder_ring() : plan->pages_of_ring(),
          plan->kv_heads(),
          page_tokens,
          (is_encoder_decoder(model) ? kEntriesOfSequence : 1) * serving.max_running,
          stretch_pages,
          plan->kv_ring().fragments(),
          whole ? KvPlacing::whole_heads : KvPlacing::anywhere};
}

std::unique_ptr<Experiment> read_experiment(const Config& config) {
  auto experiment = std::make_unique<Experiment>();
  experiment->wafer = wafer::read_wafer(config);
  check_noc(config, experiment->wafer.noc);
  auto imported = read_model(config);
  experiment->model = std::move(imported.model);
  experiment->model_notes = std::move(imported.notes);
  choose_stack(config, experiment->model);
  experiment->mapping = read_mapping_options(config);
  experiment->workload = read_workload_options(config);
  experiment->workload.rows.outputs = !is_encoder_only(experiment->model);
  experiment->routing = read_routing(config, experiment->model, experiment->workload.seed);
  experiment->recorded_packets = read_recorded_packets(config, experiment->wafer.noc.fidelity);
  experiment->control_latency = read_control_latency(config, experiment->wafer);
  const auto candidates = config.at("serving.candidates_per_core").as_int(1, 65536);
  auto tiled =
      tile_model(experiment->model, experiment->wafer.core, static_cast<int>(candidates) * kCandidateBytes);
  auto mapping = map_model(config, *experiment, tiled);
  const auto kv_crossbars = kv_crossbars_of(config, tiled);
  experiment->plan = std::make_unique<PipelinePlan>(experiment->wafer, experiment->model, std::move(tiled),
                                                    std::move(mapping), experiment->routing, kv_crossbars,
                                                    read_pipelining(config));
  check_encoder(config, *experiment);
  experiment->machine = machine_digest(config, *experiment->plan);
  experiment->calibration = read_calibration(config, *experiment);
  const auto source = make_source(experiment->workload);
  experiment->summary = summarise(*source);
  check_requests_left(*experiment);
  experiment->serving = read_serving_options(config, experiment->workload, experiment->summary);
  experiment->serving.generates = !is_encoder_only(experiment->model);
  experiment->serving.encodes = is_encoder_decoder(experiment->model);
  check_encoder_decoder(config, *experiment);
  check_failures(config, *experiment);
  check_prefix_blocks(config, *experiment);
  check_requests_fit(config, *experiment);
  return experiment;
}

}  // namespace ouro::llm
