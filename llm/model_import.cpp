#include "llm/model_import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/error.hpp"
#include "llm/embedded.hpp"
#include "llm/import_decoder.hpp"
#include "llm/import_encoder.hpp"
#include "llm/json_config.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;

[[noreturn]] void refuse_type(const JsonConfig& config, const std::string& type) {
  std::vector<std::string_view> known;
  known.reserve(decoder_families().size() + 2);
  for (const auto& family : decoder_families()) known.push_back(family.type);
  known.insert(known.end(), {"bert", "t5"});
  throw InputError{config.where() + ": model_type", fmt::format("no model type '{}'", type),
                   fmt::format("known: {}", fmt::join(known, ", "))};
}

ModelDescription import_type(ModelKeys& keys, const std::string& type) {
  if (type == "bert") return import_bert(keys);
  if (type == "t5") return import_t5(keys);
  const auto families = decoder_families();
  const auto family = std::ranges::find(families, type, &DecoderFamily::type);
  if (family == families.end()) refuse_type(keys.config(), type);
  return import_decoder(keys, *family);
}

}  // namespace

ImportedModel import_hugging_face(std::string_view json_text, const std::string& where) {
  const JsonConfig config{json_text, where};
  const auto type = config.text("model_type");
  if (!type) throw InputError{config.where(), "no key 'model_type'", "it says how to read the other keys"};
  ModelKeys keys{config};
  auto model = import_type(keys, *type);
  model.name = config.text("_name_or_path").value_or(where);
  return {std::move(model), keys.take_notes()};
}

ModelDescription shipped_model(std::string_view name) {
  const auto text = embedded_file(fmt::format("{}.json", name));
  if (text.empty()) {
    throw InputError{"", fmt::format("no shipped model '{}'", name),
                     fmt::format("there are {}", fmt::join(shipped_model_names(), ", "))};
  }
  return import_hugging_face(text, std::string{name}).model;
}

std::vector<std::string> shipped_model_names() {
  constexpr std::string_view kEnding = ".json";
  std::vector<std::string> names;
  for (auto file : embedded_files()) {
    if (file.ends_with(kEnding)) names.emplace_back(file.substr(0, file.size() - kEnding.size()));
  }
  return names;
}

}  // namespace ouro::llm
