#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

void write_names(ResultWriting& out) {
  std::vector<std::string> components, counted;
  for (const auto& component : wafer::kComponents) {
    components.emplace_back(component.name);
    counted.emplace_back(component.counted);
  }
  const auto write = [&](const char* path, const char* meaning, const std::vector<std::string>& texts) {
    out.file().write_strings({path, "1", meaning}, texts);
  };
  write("/energy/stage_names", "meaning of the first index", as_texts(llm::kStageNames));
  write("/energy/phase_names", "meaning of the second index", as_texts(llm::kPhaseNames));
  write("/energy/component_names", "meaning of the third index", components);
  write("/energy/component_units", "what counts of a component count", counted);
  write("/energy/static_component_names", "meaning of the index of static_component_j",
        as_texts(wafer::kStaticComponents));
}

void write_dynamic(ResultWriting& out, const RunStatistics& statistics) {
  std::vector<std::int64_t> each;
  for (const auto energy : out.experiment().wafer.energy.each) each.push_back(energy.femtojoules());
  out.write_whole<std::int64_t>({"/energy/each_fj", "fJ", "dynamic energy of one count of a component"},
                                each);
  const ResultWriting::Shape inner{llm::kPhaseCount, wafer::kComponentCount};
  out.write_whole<std::int64_t>(
      {"/energy/counts", "1", "how often each component worked, by stage, phase and component"},
      statistics.energy_counts, inner);
  out.write_whole<std::int64_t>({"/energy/dynamic_fj", "fJ", "counts times each_fj"},
                                statistics.energy_femtojoules, inner);
}

void write_static(ResultWriting& out, engine::Duration makespan) {
  const auto& power = out.experiment().wafer.static_power;
  std::vector<double> of_components;
  for (std::size_t i = 0; i < wafer::kStaticComponents.size(); ++i)
    of_components.push_back(power.joules(i, makespan));
  out.write_whole<double>({"/energy/static_j", "J", "static power times makespan"}, {power.joules(makespan)});
  out.write_whole<double>(
      {"/energy/static_component_j", "J", "static_j by wafer.static_percent; power is the same all the time"},
      of_components);
}

}  // namespace

void write_energy(ResultWriting& out, const RunStatistics& statistics) {
  write_names(out);
  write_dynamic(out, statistics);
  write_static(out, statistics.makespan);
}

}  // namespace ouro::tools
