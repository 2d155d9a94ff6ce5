#include "engine/hdf5_write.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>

#include "engine/results_schema.hpp"

namespace ouro::engine {
namespace {

constexpr unsigned kDeflateLevel = 4;

std::vector<hsize_t> extents(const std::vector<std::size_t>& shape) {
  return {shape.begin(), shape.end()};
}

void select(const Hdf5Calls& calls, Hdf5Id space, const Slab& slab) {
  const bool is_empty = std::find(slab.count.begin(), slab.count.end(), 0U) != slab.count.end();
  const auto start = extents(slab.start);
  const auto count = extents(slab.count);
  calls.check(is_empty
                  ? H5Sselect_none(space)
                  : H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
              "select rows");
}

}  // namespace

Hdf5Handle fixed_space(const Hdf5Calls& calls, const std::vector<std::size_t>& shape) {
  const auto dimensions = extents(shape);
  const auto space = shape.empty()
                         ? H5Screate(H5S_SCALAR)
                         : H5Screate_simple(static_cast<int>(shape.size()), dimensions.data(), nullptr);
  return calls.own(space, H5Sclose, "make a shape");
}

Hdf5Handle growing_space(const Hdf5Calls& calls) {
  const hsize_t now = 0;
  const hsize_t limit = H5S_UNLIMITED;
  return calls.own(H5Screate_simple(1, &now, &limit), H5Sclose, "make a shape");
}

Hdf5Handle plain(const Hdf5Calls& calls) {
  auto properties = calls.own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "choose properties");
  calls.check(H5Pset_obj_track_times(properties.get(), false), "choose properties");
  return properties;
}

Hdf5Handle compressed(const Hdf5Calls& calls, const std::vector<std::size_t>& chunk) {
  auto properties = plain(calls);
  const auto dimensions = extents(chunk);
  calls.check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), dimensions.data()),
              "choose blocks");
  calls.check(H5Pset_shuffle(properties.get()), "choose a filter");
  calls.check(H5Pset_deflate(properties.get(), kDeflateLevel), "choose a filter");
  return properties;
}

Hdf5Handle intermediate_groups(const Hdf5Calls& calls) {
  auto properties = calls.own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "choose properties");
  calls.check(H5Pset_create_intermediate_group(properties.get(), 1), "choose properties");
  return properties;
}

void write_attribute(const Hdf5Calls& calls, Hdf5Id object, const std::string& name, Hdf5Id type,
                     const void* value) {
  const auto doing = fmt::format("write attribute '{}'", name);
  if (calls.check(H5Aexists(object, name.c_str()), doing) > 0)
    calls.check(H5Adelete(object, name.c_str()), doing);
  const auto space = fixed_space(calls, {});
  const auto attribute = calls.own(
      H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, doing);
  calls.check(H5Awrite(attribute.get(), type, value), doing);
}

void write_text_attribute(const Hdf5Calls& calls, Hdf5Id object, const std::string& name,
                          const std::string& text) {
  const char* const start = text.c_str();
  write_attribute(calls, object, name, text_attribute_type(calls).get(), &start);
}

void write_slab(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path, Hdf5Id type,
                const void* data, const Slab& slab) {
  const auto doing = fmt::format("write '{}'", path);
  const auto file_space = calls.own(H5Dget_space(dataset), H5Sclose, doing);
  const auto memory_space = fixed_space(calls, slab.count);
  select(calls, file_space.get(), slab);
  select(calls, memory_space.get(), {std::vector<std::size_t>(slab.count.size(), 0), slab.count});
  const auto transfer = calls.own(H5Pcreate(H5P_DATASET_XFER), H5Pclose, doing);
  calls.check(H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE), doing);
  calls.check(H5Dwrite(dataset, type, memory_space.get(), file_space.get(), transfer.get(), data), doing);
}

}  // namespace ouro::engine
