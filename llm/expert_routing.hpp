#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "llm/model.hpp"

namespace ouro::llm {

/// Where routing is from: a Zipf law, or a file with the weights of all experts.
struct RoutingOptions {
  double skew = 0;                  ///< exponent of the Zipf law; 0 makes all experts equally likely
  std::filesystem::path weights{};  ///< CSV file block,expert,weight instead; empty for none
  std::uint64_t seed = 0;
};

/// Which experts work for which token. What a router would compute is drawn instead: for each block some
/// experts are more popular than others, and a token gets different ones, one after another by their weights.
///
/// A choice is a function of seed, request, position and block: neither ranks nor the order of tokens change
/// it, and a token that is computed again gets the same experts.
class ExpertRouting {
 public:
  /// @throws InputError  for a file of weights that does not fit the model
  ExpertRouting(const ModelDescription& model, const RoutingOptions& options);

  /// Numbers of the experts for a token, the shared ones last.
  using Choice = std::vector<int>;
  Choice choose(std::uint64_t request, std::uint32_t position, int block) const;

 private:
  using Weights = std::vector<std::uint64_t>;
  Weights zipf_weights(const RoutingOptions& options, int block) const;
  void read_weights(const std::filesystem::path& file);
  void check_weights(const std::filesystem::path& file) const;

  Experts experts_;
  std::uint64_t seed_;
  std::vector<Weights> weights_;  ///< by block, then by expert
};

}  // namespace ouro::llm
