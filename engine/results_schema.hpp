#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "engine/hdf5_handle.hpp"

namespace ouro::engine {

// Root attributes by which a results file is known. The version goes up when an older reader would misread.
inline constexpr auto kSchemaAttribute = "schema";
inline constexpr auto kSchema = "ouroboros-results";
inline constexpr auto kSchemaVersionAttribute = "schema_version";
inline constexpr std::int64_t kSchemaVersion = 1;

// Attributes of every dataset.
inline constexpr auto kUnitAttribute = "unit";
inline constexpr auto kMeaningAttribute = "meaning";

/// The types that datasets of a results file have.
enum class ElementType { uint8, int32, uint32, int64, uint64, real64, text };

template <class T>
concept ResultElement =
    std::same_as<T, std::uint8_t> || std::same_as<T, std::int32_t> || std::same_as<T, std::uint32_t> ||
    std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t> || std::same_as<T, double>;

template <ResultElement T>
constexpr ElementType element_type_of() {
  if constexpr (std::same_as<T, std::uint8_t>) return ElementType::uint8;
  if constexpr (std::same_as<T, std::int32_t>) return ElementType::int32;
  if constexpr (std::same_as<T, std::uint32_t>) return ElementType::uint32;
  if constexpr (std::same_as<T, std::int64_t>) return ElementType::int64;
  if constexpr (std::same_as<T, std::uint64_t>) return ElementType::uint64;
  if constexpr (std::same_as<T, double>) return ElementType::real64;
}

/// Of a number type; HDF5's own, never to be closed.
Hdf5Id hdf5_type(ElementType type);
std::size_t bytes_of(ElementType type);
const char* name_of(ElementType type);

/// UTF-8 text of a fixed number of bytes, or of any length for an attribute.
Hdf5Handle fixed_text_type(const Hdf5Calls& calls, std::size_t bytes);
Hdf5Handle text_attribute_type(const Hdf5Calls& calls);

}  // namespace ouro::engine
