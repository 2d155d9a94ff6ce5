#include "tools/configuration.hpp"

#include "engine/embedded.hpp"
#include "llm/embedded.hpp"
#include "partitions/embedded.hpp"
#include "wafer/embedded.hpp"

namespace ouro::tools {

engine::Config make_configuration(const engine::ConfigText& experiment,
                                  const std::vector<std::string>& assignments) {
  constexpr auto kFile = "defaults.toml";
  const auto text = [](std::string folder, std::string_view content) {
    return engine::ConfigText{std::move(folder) + "/" + kFile, std::string{content}};
  };
  return engine::Config{
      {text("wafer", wafer::embedded_file(kFile)), text("llm", llm::embedded_file(kFile)),
       text("partitions", partitions::embedded_file(kFile)), text("engine", engine::embedded_file(kFile))},
      experiment,
      assignments};
}

engine::Config load_configuration(const ConfigurationArguments& arguments) {
  return make_configuration(engine::read_config_text(arguments.file), arguments.assignments);
}

}  // namespace ouro::tools
