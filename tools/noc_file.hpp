#pragma once

#include <mpi.h>

#include <vector>

#include "engine/results_file.hpp"
#include "engine/results_reader.hpp"
#include "tools/noc_study.hpp"
#include "tools/run_figures.hpp"

namespace ouro::tools {

/// Writes what the studies found: group /noc of a result file, but for its flits of links. Collective.
void write_findings(engine::ResultsFile& file, MPI_Comm comm, const std::vector<NocFindings>& findings);

/// Whether the file is of `ouroboros noc`.
bool is_network(const engine::ResultsReader& file);

/// What write_findings() wrote; of each verdict the digest only.
std::vector<NocFindings> read_findings(const engine::ResultsReader& file);

/// All findings as figures: study_0_mean_latency_cycles and so on.
Figures read_network_figures(const engine::ResultsReader& file);

}  // namespace ouro::tools
