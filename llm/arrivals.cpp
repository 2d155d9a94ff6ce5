#include "llm/arrivals.hpp"

#include <fmt/format.h>

#include <cmath>

#include "engine/error.hpp"
#include "engine/random.hpp"

namespace ouro::llm {
namespace {

using engine::Duration;
using engine::random_purpose;
using engine::RandomKey;

double power(double base, int exponent) {
  double product = 1;
  for (; exponent > 0; --exponent) product *= base;
  return product;
}

/// Uniform random numbers of one key, one after another.
class Draws {
 public:
  explicit Draws(const RandomKey& key) : key_{key} {}
  double next() { return engine::uniform01(key_, draw_++); }

 private:
  RandomKey key_;
  std::uint64_t draw_ = 0;
};

/// True with probability e^-x, for x in [0, 1): whether a descending run that starts below x has even length.
///
/// Source: J. von Neumann, "Various techniques used in connection with random digits", 1951.
bool happens_with_exponential_of(double x, Draws& draws) {
  bool even = true;
  for (double last = x, next; (next = draws.next()) < last; last = next) even = !even;
  return even;
}

/// A gamma-distributed number of shape 1 / n and scale 1.
///
/// By rejection, from x^(1/n - 1) below 1 and e^-x above, and without a logarithm or a root, so that no C
/// library can change an arrival.
double gamma_of_fraction(int n, const RandomKey& key) {
  constexpr double kTail = 0.36787944117144233;  // e^-1, of e^-x above 1
  Draws draws{key};
  while (true) {
    if (draws.next() * (n + kTail) >= kTail) {
      const double x = power(draws.next(), n);
      if (happens_with_exponential_of(x, draws)) return x;
    } else {
      constexpr Duration kOne{std::int64_t{1} << 52};
      const RandomKey tail{key.seed, random_purpose("arrival gap's tail"),
                           static_cast<std::uint64_t>(draws.next() * 0x1p53)};
      const double x = 1 + static_cast<double>(engine::exponential(kOne, tail).count()) * 0x1p-52;
      if (power(draws.next(), n) * power(x, n - 1) <= 1) return x;
    }
  }
}

}  // namespace

Duration GeneratedArrivals::gap() const {
  if (mean_gap_ == Duration{}) return {};
  return shape_.denominator == 1 ? regular_gap() : bursty_gap();
}

Duration GeneratedArrivals::regular_gap() const {
  const auto parts = static_cast<std::uint64_t>(shape_.numerator);
  Duration gap{};
  for (std::uint64_t part = 0; part < parts; ++part) {
    gap += engine::exponential(mean_gap_ / shape_.numerator,
                               {seed_, random_purpose("arrival gap"), index_ * parts + part});
  }
  return gap;
}

Duration GeneratedArrivals::bursty_gap() const {
  const double mean = static_cast<double>(mean_gap_.count());
  const double gap = gamma_of_fraction(shape_.denominator, {seed_, random_purpose("arrival gap"), index_}) *
                     shape_.denominator * mean;
  const auto most = engine::kNever.time_since_epoch();
  return gap < static_cast<double>(most.count()) ? Duration{std::llround(gap)} : most;
}

engine::Time GeneratedArrivals::next() {
  const auto gap = this->gap();
  if (gap >= engine::kNever - last_) {
    throw engine::InputError{"workload.rate_per_s",
                             fmt::format("request {} would arrive after 106 days", index_),
                             "a run is shorter: use fewer requests or a higher rate"};
  }
  ++index_;
  return last_ += gap;
}

}  // namespace ouro::llm
