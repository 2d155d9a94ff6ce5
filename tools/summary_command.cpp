#include "tools/summary_command.hpp"

#include <iostream>

#include "tools/run_figures.hpp"
#include "tools/run_summary.hpp"

namespace ouro::tools {

void summarize(const std::filesystem::path& run, SummaryFormat format) {
  const auto figures = read_figures(engine::ResultsReader{run});
  if (format == SummaryFormat::json) {
    print_json(std::cout, figures);
  } else {
    print_summary(std::cout, figures);
  }
}

}  // namespace ouro::tools
