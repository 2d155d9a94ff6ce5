#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "engine/random.hpp"

namespace ouro::llm {

/// Lengths from `from` to `to`, both included, all as likely as each other.
struct LengthBin {
  std::int32_t from = 1;
  std::int32_t to = 1;
  std::int64_t weight = 1;
};

/// Random lengths in tokens.
class LengthDistribution {
 public:
  /// @param bins  at least one, each with a weight of at least 1
  explicit LengthDistribution(std::vector<LengthBin> bins);

  /// A bin by its weight, then a length in it.
  std::int32_t draw(const engine::RandomKey& key) const;

 private:
  std::vector<LengthBin> bins_;
  std::vector<std::uint64_t> weights_up_to_;  // and with each bin
};

struct LengthHistogram {
  LengthDistribution prompt;
  LengthDistribution output;
};

/// Reads `quantity,from,to,weight` rows, where quantity is prompt or output and the bins of each ascend.
/// @throws engine::InputError  with file and line
LengthHistogram parse_length_histogram(std::unique_ptr<std::istream> text, const std::string& name);

/// A histogram that comes with the program, as "chat", or a file whose name ends in ".csv".
LengthHistogram load_length_histogram(const std::string& name);

std::vector<std::string> shipped_length_histograms();

}  // namespace ouro::llm
