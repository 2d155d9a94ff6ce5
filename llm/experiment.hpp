#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "llm/calibration.hpp"
#include "llm/mapping_method.hpp"
#include "llm/model.hpp"
#include "llm/pipeline_plan.hpp"
#include "llm/serving_controller.hpp"
#include "llm/workload.hpp"
#include "wafer/packet_record.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::llm {

/// Everything that a configuration says of the simulated machine and its work. Const once read; it must
/// outlive the LPs made from it.
struct Experiment {
  wafer::WaferModel wafer;
  ModelDescription model;
  std::vector<std::string> model_notes;  ///< of its import
  RoutingOptions routing;
  MappingOptions mapping;
  WorkloadOptions workload;
  WorkloadSummary summary;  ///< of the whole workload, read once before the simulation
  ServingOptions serving;
  engine::Duration control_latency{};
  wafer::RecordWindow recorded_packets;
  std::unique_ptr<PipelinePlan> plan;
  std::uint64_t machine = 0;               ///< its digest, for calibrations
  std::optional<Calibration> calibration;  ///< for `stage` fidelity

  /// Page tables of the decoder's blocks; of an encoder alone, of its blocks.
  KvController make_kv_controller() const;
  /// Of the encoder's blocks, where a decoder follows.
  std::optional<KvController> make_encoder_kv_controller() const;
  /// Tokens that enter the pipeline if none is computed again or cached.
  std::int64_t tokens_to_process() const;
  /// Tokens of prompt and output that one request may have.
  std::int64_t longest_request() const;
};

/// Reads sections [wafer], [energy], [model], [mapping], [workload] and [serving], maps the model onto the
/// wafer, and reads the workload through once.
///
/// @throws InputError  for what is wrong in them, a calibration for another machine, a model that does not
/// fit the wafer, a broken trace, and a
///                     request that the KV memory can never hold
std::unique_ptr<Experiment> read_experiment(const engine::Config& config);

}  // namespace ouro::llm
