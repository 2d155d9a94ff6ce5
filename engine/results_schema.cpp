#include "engine/results_schema.hpp"

#include <hdf5.h>

#include <array>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

Hdf5Handle text_type(const Hdf5Calls& calls, std::size_t bytes) {
  auto type = calls.own(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  calls.check(H5Tset_size(type.get(), bytes), "size a text type");
  calls.check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make a text type");
  return type;
}

}  // namespace

Hdf5Id hdf5_type(ElementType type) {
  switch (type) {
    case ElementType::uint8:
      return H5T_NATIVE_UINT8;
    case ElementType::int32:
      return H5T_NATIVE_INT32;
    case ElementType::uint32:
      return H5T_NATIVE_UINT32;
    case ElementType::int64:
      return H5T_NATIVE_INT64;
    case ElementType::uint64:
      return H5T_NATIVE_UINT64;
    case ElementType::real64:
      return H5T_NATIVE_DOUBLE;
    case ElementType::text:
      break;
  }
  throw ContractError{"texts of a dataset have no type in common"};
}

std::size_t bytes_of(ElementType type) {
  return H5Tget_size(hdf5_type(type));
}

const char* name_of(ElementType type) {
  constexpr std::array kNames{"uint8", "int32", "uint32", "int64", "uint64", "float64", "text"};
  return kNames.at(static_cast<std::size_t>(type));
}

Hdf5Handle fixed_text_type(const Hdf5Calls& calls, std::size_t bytes) {
  auto type = text_type(calls, bytes > 0 ? bytes : 1);  // HDF5 has no text of size 0
  calls.check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "make a text type");
  return type;
}

Hdf5Handle text_attribute_type(const Hdf5Calls& calls) {
  return text_type(calls, H5T_VARIABLE);
}

}  // namespace ouro::engine
