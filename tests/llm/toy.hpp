#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/embedded.hpp"
#include "llm/embedded.hpp"
#include "llm/experiment.hpp"
#include "llm/model.hpp"
#include "wafer/embedded.hpp"

namespace ouro::tests {

/// A LLaMA-like decoder that is small enough to follow by hand.
struct ToyModel {
  int layers = 1;
  int hidden = 128;
  int ffn = 256;
  int heads = 2;
  int kv_heads = 2;
  int head_dim = 64;
  int vocab = 256;
  std::string type = "llama";
  std::string more = "";  ///< keys of a config.json, each after a comma
};

/// The default ToyModel as it is described to the mapping: each of its five matrices of a block fits one
/// core.
inline llm::ModelDescription toy_model(int layers) {
  return {.name = "toy",
          .layers = layers,
          .hidden_size = 128,
          .ffn_size = 256,
          .attention_heads = 2,
          .kv_heads = 2,
          .head_dim = 64,
          .vocab_size = 256};
}

/// A file of this process that is gone at the end of the scope.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& text)
      : path_{std::filesystem::path{::testing::TempDir()} / fmt::format("ouro-{}-{}", getpid(), name)} {
    std::ofstream{path_} << text;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string hugging_face_config(const ToyModel& model) {
  return fmt::format(
      R"({{"model_type": "{}", "_name_or_path": "toy", "num_hidden_layers": {}, "hidden_size": {},
           "intermediate_size": {}, "num_attention_heads": {}, "num_key_value_heads": {}, "head_dim": {},
           "vocab_size": {}{}}})",
      model.type, model.layers, model.hidden, model.ffn, model.heads, model.kv_heads, model.head_dim,
      model.vocab, model.more);
}

/// The shipped defaults with this config.json and `assignments`, such as wafer.die_columns=2.
inline std::unique_ptr<llm::Experiment> read_model(const std::string& config_json,
                                                   std::vector<std::string> assignments) {
  const TemporaryFile file{"model.json", config_json};
  assignments.push_back("model.config=" + file.path());
  const auto defaults = [](const std::string& folder, std::string_view text) {
    return engine::ConfigText{folder + "/defaults.toml", std::string{text}};
  };
  const engine::Config config{{defaults("wafer", wafer::embedded_file("defaults.toml")),
                               defaults("llm", llm::embedded_file("defaults.toml")),
                               defaults("engine", engine::embedded_file("defaults.toml"))},
                              {},
                              assignments};
  return llm::read_experiment(config);
}

inline std::unique_ptr<llm::Experiment> read_toy(const ToyModel& model,
                                                 std::vector<std::string> assignments) {
  return read_model(hugging_face_config(model), std::move(assignments));
}

/// A wafer whose dies are one core high and lie in a row: a line of cores.
inline std::vector<std::string> line_of_cores(int dies, int cores_of_die) {
  return {fmt::format("wafer.die_columns={}", dies), "wafer.die_rows=1",
          fmt::format("wafer.core_columns={}", cores_of_die), "wafer.core_rows=1"};
}

}  // namespace ouro::tests
