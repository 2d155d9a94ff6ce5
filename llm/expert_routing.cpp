#include "llm/expert_routing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/csv.hpp"
#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;
using engine::RandomKey;

constexpr auto kRanks = engine::random_purpose("ranks of experts");
constexpr auto kTokens = engine::random_purpose("tokens of experts");
constexpr auto kDraws = engine::random_purpose("draws of experts");

std::size_t column(const engine::CsvReader& csv, const std::filesystem::path& file, std::string_view name) {
  if (const auto found = csv.find_column(name)) return *found;
  throw InputError{file.string(), fmt::format("no column '{}'", name), "the header is block,expert,weight"};
}

}  // namespace

ExpertRouting::ExpertRouting(const ModelDescription& model, const RoutingOptions& options)
    : experts_{model.experts}, seed_{options.seed}, weights_(static_cast<std::size_t>(blocks(model))) {
  if (!options.weights.empty()) {
    read_weights(options.weights);
    check_weights(options.weights);
    return;
  }
  for (int block = 0; block < blocks(model); ++block)
    weights_[static_cast<std::size_t>(block)] = zipf_weights(options, block);
}

/// The weight of rank r is 1 / r^skew; each block has an order of its own.
ExpertRouting::Weights ExpertRouting::zipf_weights(const RoutingOptions& options, int block) const {
  constexpr double kLargest = 1 << 20;  // so coarse that no mathematical library rounds another way
  std::vector<std::size_t> experts(static_cast<std::size_t>(experts_.routed));
  std::iota(experts.begin(), experts.end(), std::size_t{0});
  const RandomKey key{seed_, kRanks, static_cast<std::uint64_t>(block)};
  for (std::size_t i = experts.size(); i > 1; --i)  // Fisher-Yates
    std::swap(experts[i - 1], experts[engine::uniform_below(i, key, i)]);
  Weights weights(experts.size());
  for (std::size_t rank = 0; rank < experts.size(); ++rank) {
    const double share = std::pow(static_cast<double>(rank + 1), -options.skew);
    weights[experts[rank]] =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(kLargest * share)));
  }
  return weights;
}

void ExpertRouting::read_weights(const std::filesystem::path& file) {
  constexpr std::int64_t kLargestWeight = 1'000'000'000;
  engine::CsvReader csv{engine::open_text(file), file.string()};
  const auto block = column(csv, file, "block");
  const auto expert = column(csv, file, "expert");
  const auto weight = column(csv, file, "weight");
  for (auto& weights : weights_) weights.assign(static_cast<std::size_t>(experts_.routed), 0);
  while (csv.next()) {
    const auto of_block = csv.whole_number(block, 0, static_cast<std::int64_t>(weights_.size()) - 1);
    const auto of_expert = csv.whole_number(expert, 0, experts_.routed - 1);
    weights_[static_cast<std::size_t>(of_block)][static_cast<std::size_t>(of_expert)] =
        static_cast<std::uint64_t>(csv.whole_number(weight, 0, kLargestWeight));
  }
}

void ExpertRouting::check_weights(const std::filesystem::path& file) const {
  for (auto block = static_cast<std::size_t>(experts_.dense_blocks); block < weights_.size(); ++block) {
    const auto& weights = weights_[block];
    const auto usable = std::ranges::count_if(weights, [](std::uint64_t weight) { return weight > 0; });
    if (usable >= experts_.per_token) continue;
    throw InputError{
        file.string(), fmt::format("block {} has {} experts with a weight above 0", block, usable),
        fmt::format("a token needs {} in each of {} blocks", experts_.per_token, weights_.size())};
  }
}

ExpertRouting::Choice ExpertRouting::choose(std::uint64_t request, std::uint32_t position, int block) const {
  const auto& weights = weights_[static_cast<std::size_t>(block)];
  const auto token = engine::random_bits({seed_, kTokens, request}, position);
  const RandomKey key{token, kDraws, static_cast<std::uint64_t>(block)};
  auto left = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  Choice chosen;
  chosen.reserve(static_cast<std::size_t>(experts_.per_token + experts_.shared));
  for (int i = 0; i < experts_.per_token; ++i) {
    auto at = engine::uniform_below(left, key, static_cast<std::uint64_t>(i));
    int expert = 0;
    for (;; ++expert) {
      if (std::ranges::find(chosen, expert) != chosen.end()) continue;
      const auto weight = weights[static_cast<std::size_t>(expert)];
      if (at < weight) break;
      at -= weight;
    }
    left -= weights[static_cast<std::size_t>(expert)];
    chosen.push_back(expert);
  }
  std::ranges::sort(chosen);
  for (int i = 0; i < experts_.shared; ++i) chosen.push_back(experts_.routed + i);
  return chosen;
}

}  // namespace ouro::llm
