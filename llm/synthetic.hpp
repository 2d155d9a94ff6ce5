#pragma once

#include "llm/arrivals.hpp"
#include "llm/length_histogram.hpp"
#include "llm/request.hpp"

namespace ouro::llm {

/// Requests with random lengths; each is a function of the seed and its index.
class SyntheticSource final : public RequestSource {
 public:
  SyntheticSource(LengthHistogram lengths, GeneratedArrivals arrivals, std::uint64_t requests,
                  std::uint64_t seed);

  std::optional<Request> next() override;
  std::string where() const override;
  std::uint64_t dropped_rows() const override { return 0; }

 private:
  LengthHistogram lengths_;
  GeneratedArrivals arrivals_;
  std::uint64_t requests_;
  std::uint64_t seed_;
  std::uint64_t delivered_ = 0;
};

}  // namespace ouro::llm
