#include "tools/summary_command.hpp"

#include <iostream>

#include "tools/noc_file.hpp"
#include "tools/noc_table.hpp"
#include "tools/run_figures.hpp"
#include "tools/run_summary.hpp"

namespace ouro::tools {
namespace {

/// As `ouroboros noc` prints them.
void print_network(const engine::ResultsReader& file) {
  const auto findings = read_findings(file);
  NocTable table{std::cout, findings.front().injection_rate > 0};
  for (const auto& study : findings) table.print(study);
  table.print_speed(findings, "");
}

}  // namespace

void summarize(const std::filesystem::path& run, SummaryFormat format) {
  const engine::ResultsReader file{run};
  if (format == SummaryFormat::json) {
    print_json(std::cout, read_figures(file));
  } else if (is_network(file)) {
    print_network(file);
  } else {
    print_summary(std::cout, read_figures(file));
  }
}

}  // namespace ouro::tools
