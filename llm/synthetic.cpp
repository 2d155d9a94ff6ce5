#include "llm/synthetic.hpp"

#include <fmt/format.h>

#include "engine/random.hpp"

namespace ouro::llm {

using engine::random_purpose;

SyntheticRows::SyntheticRows(LengthHistogram lengths, std::uint64_t rows, std::uint64_t seed)
    : lengths_{std::move(lengths)}, rows_{rows}, seed_{seed} {}

bool SyntheticRows::next(WorkloadRow& row) {
  if (index_ == rows_) return false;
  row.prompt_tokens = lengths_.prompt.draw({seed_, random_purpose("prompt length"), index_});
  row.output_tokens = lengths_.output.draw({seed_, random_purpose("output length"), index_});
  ++index_;
  return true;
}

std::string SyntheticRows::where() const {
  return fmt::format("request {}", index_ - 1);
}

}  // namespace ouro::llm
