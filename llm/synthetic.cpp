#include "llm/synthetic.hpp"

#include <fmt/format.h>

#include "engine/random.hpp"

namespace ouro::llm {

using engine::random_purpose;

SyntheticSource::SyntheticSource(LengthHistogram lengths, GeneratedArrivals arrivals, std::uint64_t requests,
                                 std::uint64_t seed)
    : lengths_{std::move(lengths)}, arrivals_{arrivals}, requests_{requests}, seed_{seed} {}

std::optional<Request> SyntheticSource::next() {
  if (delivered_ == requests_) return std::nullopt;
  const auto index = delivered_++;
  return Request{.index = index,
                 .arrival = arrivals_.next(),
                 .prompt_tokens = lengths_.prompt.draw({seed_, random_purpose("prompt length"), index}),
                 .output_tokens = lengths_.output.draw({seed_, random_purpose("output length"), index})};
}

std::string SyntheticSource::where() const {
  return fmt::format("request {}", delivered_ - 1);
}

}  // namespace ouro::llm
