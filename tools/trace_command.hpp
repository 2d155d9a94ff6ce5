#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/part_file.hpp"

namespace ouro::tools {

/// What of a run goes into its trace, as the user says it; empty texts are for all.
struct TraceSelection {
  std::string requests;  ///< by index, such as "0,3-5"
  std::string blocks;    ///< whose stations
  std::string dies;      ///< whose links
  std::string from;      ///< simulated time, such as "1.5 ms"
  std::string to;
};

struct TraceArguments {
  std::filesystem::path run;
  std::filesystem::path out;  ///< empty: the run's name with .trace.json, here
  bool force = false;         ///< overwrite `out`
  double megabytes = 20;      ///< most that is written, of 10^6 bytes
  TraceSelection selection;
};

/// Writes what a run recorded over time as a trace in Chrome's JSON format, for Perfetto or chrome://tracing:
/// timelines as counters, requests, the stations of recorded tokens, recorded tokens, and the links of dies,
/// the earliest first of each, until the size is reached.
///
/// @return a sentence about what was written, and left out
/// @throws InputError  if the file is not of `ouroboros run`, or the trace cannot be written
std::string trace(const TraceArguments& arguments);

}  // namespace ouro::tools
