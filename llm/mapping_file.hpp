#pragma once

#include <string>

#include "engine/results_file.hpp"
#include "llm/mapping.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::llm {

/// Writes group /mapping: docs/results.md says what is in it. Collective; every rank has the whole mapping.
void write_mapping(engine::ResultsFile& file, MPI_Comm comm, const Mapping& mapping,
                   const wafer::Geometry& geometry, const TiledModel& tiled);

/// @param where  the setting that names the file, for messages
/// @throws InputError  if it is not a mapping, is for another grid or another model, or does not give every
///                     tile and KV core a live core of its own
Mapping read_mapping_file(const std::string& path, const std::string& where, const wafer::WaferModel& wafer,
                          const ModelDescription& model, const TiledModel& tiled);

}  // namespace ouro::llm
