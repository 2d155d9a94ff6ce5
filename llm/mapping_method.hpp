#pragma once

#include "engine/config.hpp"
#include "llm/mapping.hpp"
#include "llm/mapping_cost.hpp"
#include "llm/placement_search.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::llm {

/// How tiles get their cores. A new method is a line in make_mapping().
enum class MappingMethod {
  snake,      ///< along snake_order()
  rows,       ///< along row_order()
  squares,    ///< along square_order(), of a square a block
  random,     ///< along random_order()
  optimised,  ///< optimise_placement(), from the snake
  file        ///< as a mapping file says
};

/// Section [mapping].
struct MappingOptions {
  MappingMethod method = MappingMethod::snake;
  SearchOptions search;  ///< optimised; the seed also of random
  double die_penalty = 2;
  std::string file;
  std::string file_where;  ///< of the setting that names it, for messages
};

/// @throws InputError  for what is wrong in it
MappingOptions read_mapping_options(const engine::Config& config);

/// @throws InputError  if the wafer has too few cores for the model, or a file does not fit
Mapping make_mapping(const MappingOptions& options, const wafer::WaferModel& wafer,
                     const ModelDescription& model, const TiledModel& tiled);

/// Where flows are known, and with them what a mapping costs: for a model without experts and latent
/// attention on one wafer.
bool flows_are_known(const wafer::Geometry& geometry, const ModelDescription& model);

/// What a token moves, for a mapping with as many KV cores a block as this one.
TokenFlows flows_of(const Mapping& mapping, const ModelDescription& model, const TiledModel& tiled);

}  // namespace ouro::llm
