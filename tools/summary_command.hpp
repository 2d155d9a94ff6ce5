#pragma once

#include <filesystem>

namespace ouro::tools {

enum class SummaryFormat { lines, json };

/// Prints the main figures of a run, exactly as its file has them.
///
/// @throws InputError  if the file is not of a run of a model
void summarize(const std::filesystem::path& run, SummaryFormat format);

}  // namespace ouro::tools
