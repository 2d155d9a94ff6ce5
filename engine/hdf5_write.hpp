#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/hdf5_handle.hpp"

// The few ways in which ResultsFile uses HDF5 to write, each as one call. All are collective.
namespace ouro::engine {

/// A box of a dataset, by dimension; none of it if a count is 0.
struct Slab {
  std::vector<std::size_t> start;
  std::vector<std::size_t> count;
};

Hdf5Handle fixed_space(const Hdf5Calls& calls, const std::vector<std::size_t>& shape);
/// One dimension, empty, without a limit.
Hdf5Handle growing_space(const Hdf5Calls& calls);

/// Creation properties without the time of day, so that equal runs give equal files.
Hdf5Handle plain(const Hdf5Calls& calls);
/// The same in blocks of shape `chunk`, each compressed; such a dataset is written by all ranks at once.
Hdf5Handle compressed(const Hdf5Calls& calls, const std::vector<std::size_t>& chunk);
/// For links: groups on the way are created.
Hdf5Handle intermediate_groups(const Hdf5Calls& calls);

/// Sets or replaces an attribute that is one value.
void write_attribute(const Hdf5Calls& calls, Hdf5Id object, const std::string& name, Hdf5Id type,
                     const void* value);
void write_text_attribute(const Hdf5Calls& calls, Hdf5Id object, const std::string& name,
                          const std::string& text);

/// @param path  for messages
void write_slab(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path, Hdf5Id type,
                const void* data, const Slab& slab);

}  // namespace ouro::engine
