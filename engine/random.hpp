#pragma once

#include <cstdint>
#include <string_view>

#include "engine/time.hpp"

namespace ouro::engine {

/// Names one stream of random numbers. A number is a function of its key and the draw: no generator has a
/// state, so the order in which ranks ask does not matter.
struct RandomKey {
  std::uint64_t seed = 0;     // of the run
  std::uint64_t purpose = 0;  // random_purpose("what for")
  std::uint64_t index = 0;    // of the request, core or other thing that it is for
};

/// The number of a purpose: FNV-1a of its name, so that no list of all purposes is needed.
consteval std::uint64_t random_purpose(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return hash;
}

inline constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, made odd

/// The finalizer of splitmix64: a bijection on 64 bits in which each input bit changes half of the output.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014, fig. 16 ff., with D. Stafford's constants "Mix13".
constexpr std::uint64_t mix_bits(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

/// 64 random bits: the words of the key and the draw, mixed in one after another.
constexpr std::uint64_t random_bits(const RandomKey& key, std::uint64_t draw = 0) {
  std::uint64_t state = 0;
  for (const std::uint64_t word : {key.seed, key.purpose, key.index, draw}) {
    state = mix_bits((state ^ word) + kGoldenGamma);
  }
  return state;
}

/// Uniform in [0, 1), in steps of 2^-53.
constexpr double uniform01(const RandomKey& key, std::uint64_t draw = 0) {
  return 0x1p-53 * static_cast<double>(random_bits(key, draw) >> 11);
}

/// floor(count x fraction / 2^64): `fraction` is a fixed-point number in [0, 1).
constexpr std::uint64_t scale(std::uint64_t count, std::uint64_t fraction) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{count} * fraction) >> 64);
}

/// Uniform in [0, count); no value is off its share by more than count / 2^64 of it.
constexpr std::uint64_t uniform_below(std::uint64_t count, const RandomKey& key, std::uint64_t draw = 0) {
  return scale(count, random_bits(key, draw));
}

/// A gap of a Poisson process with this mean, in whole picoseconds; takes all draws of the key.
///
/// It compares random integers and takes no logarithm, so no C library can change an arrival: the first
/// number u of a descending run of odd length has density e^-u in [0, 1); each run of even length adds 1.
///
/// @param mean  below a day, so that a gap passes 106 days with a probability of e^-106 only
///
/// Source: J. von Neumann, "Various techniques used in connection with random digits", National Bureau of
/// Standards Applied Mathematics Series 12, 1951, pp. 36-38.
constexpr Duration exponential(Duration mean, const RandomKey& key) {
  std::uint64_t draw = 0;
  for (std::int64_t whole = 0;; ++whole) {
    const std::uint64_t first = random_bits(key, draw++);
    int length = 1;
    for (std::uint64_t last = first, next; (next = random_bits(key, draw++)) < last; last = next) ++length;
    if (length % 2 == 1) {
      return whole * mean + Duration{scale(static_cast<std::uint64_t>(mean.count()), first)};
    }
  }
}

}  // namespace ouro::engine
