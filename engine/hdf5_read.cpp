#include "engine/hdf5_read.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <memory>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

std::string read_text_attribute(const Hdf5Calls& calls, Hdf5Id attribute, Hdf5Id type,
                                const std::string& doing) {
  if (H5Tis_variable_str(type) <= 0)
    throw InputError{calls.file(), fmt::format("cannot {}: fixed text", doing)};
  char* text = nullptr;
  calls.check(H5Aread(attribute, type, &text), doing);
  const std::unique_ptr<char, herr_t (*)(void*)> owner{text, H5free_memory};
  return text ? text : "";
}

template <class T>
T read_number_attribute(const Hdf5Calls& calls, Hdf5Id attribute, const std::string& doing) {
  T value{};
  calls.check(H5Aread(attribute, hdf5_type(element_type_of<T>()), &value), doing);
  return value;
}

}  // namespace

std::vector<std::string> object_paths(const Hdf5Calls& calls, Hdf5Id file, ObjectKind kind) {
  struct Search {
    H5O_type_t type;
    std::vector<std::string> paths;
  };
  Search search{kind == ObjectKind::group ? H5O_TYPE_GROUP : H5O_TYPE_DATASET, {}};
  const auto add = [](hid_t, const char* name, const H5O_info_t* info, void* data) -> herr_t {
    auto& of = *static_cast<Search*>(data);
    const std::string_view path = name;
    if (info->type == of.type) of.paths.push_back(fmt::format("/{}", path == "." ? "" : path));
    return 0;
  };
  calls.check(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, add, &search, H5O_INFO_BASIC),
              "list what it holds");
  std::sort(search.paths.begin(), search.paths.end());
  return search.paths;
}

std::vector<std::string> attribute_names(const Hdf5Calls& calls, Hdf5Id object) {
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5A_info_t*, void* list) -> herr_t {
    static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  calls.check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &names),
              "list its attributes");
  return names;
}

std::variant<std::string, std::int64_t, double> read_attribute(const Hdf5Calls& calls, Hdf5Id object,
                                                               const std::string& name) {
  const auto doing = fmt::format("read attribute '{}'", name);
  const auto attribute = calls.own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, doing);
  const auto type = calls.own(H5Aget_type(attribute.get()), H5Tclose, doing);
  const auto space = calls.own(H5Aget_space(attribute.get()), H5Sclose, doing);
  if (calls.check(H5Sget_simple_extent_npoints(space.get()), doing) == 1) {
    switch (H5Tget_class(type.get())) {
      case H5T_STRING:
        return read_text_attribute(calls, attribute.get(), type.get(), doing);
      case H5T_INTEGER:
        return read_number_attribute<std::int64_t>(calls, attribute.get(), doing);
      case H5T_FLOAT:
        return read_number_attribute<double>(calls, attribute.get(), doing);
      default:
        break;
    }
  }
  throw InputError{calls.file(), fmt::format("attribute '{}' is neither a text nor a number", name)};
}

Hdf5Handle open_group(const Hdf5Calls& calls, Hdf5Id file, const std::string& path) {
  return calls.own(H5Gopen2(file, path.c_str(), H5P_DEFAULT), H5Gclose, fmt::format("open '{}'", path));
}

Hdf5Handle open_dataset(const Hdf5Calls& calls, Hdf5Id file, const std::string& path) {
  return calls.own(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("open '{}'", path));
}

std::vector<std::size_t> shape_of(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path) {
  const auto doing = fmt::format("read the shape of '{}'", path);
  const auto space = calls.own(H5Dget_space(dataset), H5Sclose, doing);
  const auto rank = calls.check(H5Sget_simple_extent_ndims(space.get()), doing);
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  calls.check(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), doing);
  return {extents.begin(), extents.end()};
}

ElementType element_type(const Hdf5Calls& calls, Hdf5Id dataset, const std::string& path) {
  const auto type = calls.own(H5Dget_type(dataset), H5Tclose, fmt::format("read the type of '{}'", path));
  if (H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0) return ElementType::text;
  using enum ElementType;
  for (const auto known : {uint8, int32, uint32, int64, uint64, real64}) {
    if (H5Tequal(type.get(), hdf5_type(known)) > 0) return known;
  }
  throw InputError{calls.file(), fmt::format("'{}' has a type that no results file has", path)};
}

}  // namespace ouro::engine
