#pragma once

#include "llm/length_histogram.hpp"
#include "llm/row_source.hpp"

namespace ouro::llm {

/// Rows with random lengths; each is a function of the seed and its index.
class SyntheticRows final : public RowSource {
 public:
  SyntheticRows(LengthHistogram lengths, std::uint64_t rows, std::uint64_t seed);

  bool next(WorkloadRow& row) override;
  std::string where() const override;

 private:
  LengthHistogram lengths_;
  std::uint64_t rows_;
  std::uint64_t seed_;
  std::uint64_t index_ = 0;  // of the next row
};

}  // namespace ouro::llm
