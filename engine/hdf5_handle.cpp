#include "engine/hdf5_handle.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <type_traits>

#include "engine/error.hpp"

namespace ouro::engine {

static_assert(std::is_same_v<Hdf5Id, hid_t>);

Hdf5Calls::Hdf5Calls(std::string file) : file_{std::move(file)} {
  // HDF5 would print its error stack; our messages carry the reason
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::int64_t Hdf5Calls::check(std::int64_t result, const std::string& doing) const {
  if (result >= 0) return result;
  throw InputError{file_, fmt::format("cannot {}: {}", doing, hdf5_reason())};
}

std::string hdf5_reason() {
  std::string reason = "no reason given";
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
    *static_cast<std::string*>(text) = error->desc;
    return 1;  // ends the walk
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  return reason;
}

}  // namespace ouro::engine
