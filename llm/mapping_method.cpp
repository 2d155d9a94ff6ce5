#include "llm/mapping_method.hpp"

#include "llm/core_order.hpp"
#include "llm/mapping_file.hpp"
#include "llm/optimised_mapping.hpp"

namespace ouro::llm {
namespace {

MappingMethod method_of(const std::string& name) {
  if (name == "rows") return MappingMethod::rows;
  if (name == "squares") return MappingMethod::squares;
  if (name == "random") return MappingMethod::random;
  if (name == "optimised") return MappingMethod::optimised;
  if (name == "file") return MappingMethod::file;
  return MappingMethod::snake;
}

Mapping optimise(const MappingOptions& options, const wafer::WaferModel& wafer, const ModelDescription& model,
                 const TiledModel& tiled) {
  const auto snake = map_in_snake_order(wafer.geometry, wafer.faults, model, tiled);
  const auto flows = flows_of(snake, model, tiled);
  const MappingCost cost{wafer.geometry, options.die_penalty};
  const auto start = flows.placement(snake, wafer.geometry.core_at(wafer.noc.host));
  return flows.mapping(optimise_placement(flows, cost, wafer.faults, start, options.search));
}

}  // namespace

MappingOptions read_mapping_options(const engine::Config& config) {
  const auto file = config.at("mapping.file");
  MappingOptions options{
      .method = method_of(
          config.at("mapping.method").as_choice({"snake", "rows", "squares", "random", "optimised", "file"})),
      .search = {.seed = static_cast<std::uint64_t>(config.at("mapping.seed").as_int(0)),
                 .steps = config.at("mapping.steps").as_int(0, 1'000'000'000)},
      .die_penalty = config.at("mapping.die_penalty").as_number(1, 1000),
      .file = file.as_string(),
      .file_where = file.where()};
  const bool reads_file = options.method == MappingMethod::file;
  if (reads_file && options.file.empty())
    throw file.refusal("mapping.method is \"file\", and none is named", "one that `ouroboros map` wrote");
  if (!reads_file && !options.file.empty())
    throw file.refusal("would not be read", "set mapping.method to \"file\", or leave this empty");
  return options;
}

Mapping make_mapping(const MappingOptions& options, const wafer::WaferModel& wafer,
                     const ModelDescription& model, const TiledModel& tiled) {
  const auto along = [&](const std::vector<wafer::CoreId>& order) {
    return map_along(order, wafer.geometry, wafer.faults, model, tiled);
  };
  switch (options.method) {
    case MappingMethod::snake:
      break;
    case MappingMethod::rows:
      return along(row_order(wafer.geometry));
    case MappingMethod::squares:
      return along(square_order(wafer.geometry, wafer.geometry.cores() / model.layers));
    case MappingMethod::random:
      return along(random_order(wafer.geometry, options.search.seed));
    case MappingMethod::optimised:
      return optimise(options, wafer, model, tiled);
    case MappingMethod::file:
      return read_mapping_file(options.file, options.file_where, wafer, model, tiled);
  }
  return along(snake_order(wafer.geometry));
}

bool flows_are_known(const wafer::Geometry& geometry, const ModelDescription& model) {
  return geometry.wafers == 1 && model.experts.routed == 0 && model.latent.kv_rank == 0 &&
         model.encoder_layers == 0;
}

TokenFlows flows_of(const Mapping& mapping, const ModelDescription& model, const TiledModel& tiled) {
  return {model, tiled, static_cast<int>(mapping.blocks.front().kv.size())};
}

}  // namespace ouro::llm
