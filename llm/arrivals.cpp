#include "llm/arrivals.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {

engine::Time GeneratedArrivals::next() {
  const auto gap = engine::exponential(
      mean_gap_, {.seed = seed_, .purpose = engine::random_purpose("arrival gap"), .index = index_});
  if (gap >= engine::kNever - last_) {
    throw engine::InputError{"workload.rate_per_s",
                             fmt::format("request {} would arrive after 106 days", index_),
                             "a run is shorter: use fewer requests or a higher rate"};
  }
  ++index_;
  return last_ += gap;
}

}  // namespace ouro::llm
