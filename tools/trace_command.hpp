#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/part_file.hpp"

namespace ouro::tools {

struct TraceArguments {
  std::filesystem::path run;
  std::filesystem::path out;  ///< empty: the run's name with .trace.json, here
  bool force = false;         ///< overwrite `out`
  double megabytes = 20;      ///< most that is written, of 10^6 bytes
};

/// Writes what a run recorded over time as a trace in Chrome's JSON format, for Perfetto or chrome://tracing:
/// timelines as counters, requests, and the recorded tokens, the earliest first, until the size is reached.
///
/// @return a sentence about what was written, and left out
/// @throws InputError  if the file is not of `ouroboros run`, or the trace cannot be written
std::string trace(const TraceArguments& arguments);

}  // namespace ouro::tools
