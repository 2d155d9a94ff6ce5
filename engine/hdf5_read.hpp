#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/hdf5_handle.hpp"
#include "engine/results_schema.hpp"

// The few ways in which ResultsReader uses HDF5 to read, each as one call.
namespace ouro::engine {

enum class ObjectKind { group, dataset };
/// Of every object of that kind in the file, with a leading '/', sorted.
std::vector<std::string> object_paths(const Hdf5Calls& calls, Hdf5Id file, ObjectKind kind);
std::vector<std::string> attribute_names(const Hdf5Calls& calls, Hdf5Id object);

/// @throws InputError  if the attribute is missing, or neither text nor a number
std::variant<std::string, std::int64_t, double> read_attribute(const Hdf5Calls& calls, Hdf5Id object,
                                                               const std::string& name);

Hdf5Handle open_group(const Hdf5Calls& calls, Hdf5Id file, const std::string& path);
Hdf5Handle open_dataset(const Hdf5Calls& calls, Hdf5Id file, const std::string& path);
std::vector<std::size_t> shape_of(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path);
/// @throws InputError  for a type that no results file has
ElementType element_type(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path);

}  // namespace ouro::engine
