#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/json_config.hpp"

namespace ouro::llm {

/// Reads the keys that model types have in common, and notes what is assumed where one is not there.
/// Each function throws engine::InputError with the file and the key.
class ModelKeys {
 public:
  explicit ModelKeys(const JsonConfig& config) : config_{config} {}

  const JsonConfig& config() const { return config_; }

  int layers(const char* key) const;
  int hidden_size(const char* key) const;
  int ffn_size(const char* key) const;
  int heads(const char* key) const;
  int head_dim(const char* key) const;
  int vocab_size() const;
  int context(std::initializer_list<const char*> keys) const;
  int experts(const char* key) const;
  int rank(const char* key) const;

  /// `fallback` is noted with its reason where the key is not there.
  int layers_or(const char* key, int fallback, std::string_view reason);
  int heads_or(const char* key, int fallback, std::string_view reason);
  bool flag_or(const char* key, bool fallback, std::string_view reason);
  std::string text_or(const char* key, const std::string& fallback, std::string_view reason);

  /// @throws InputError  where the key is there and switched on: what it `means` is not described
  void refuse_if_on(const char* key, std::string_view means) const;
  /// @throws InputError  where weights are declared with other than 8 bits
  void refuse_other_precision() const;

  void note(std::string note) { notes_.push_back(std::move(note)); }
  std::vector<std::string> take_notes();

 private:
  void note_default(const char* key, std::string_view value, std::string_view reason);

  const JsonConfig& config_;
  std::vector<std::string> notes_;
};

}  // namespace ouro::llm
