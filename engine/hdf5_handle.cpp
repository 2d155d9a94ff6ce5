#include "engine/hdf5_handle.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <type_traits>

#include "engine/error.hpp"

namespace ouro::engine {

static_assert(std::is_same_v<Hdf5Id, hid_t>);

namespace {

std::string innermost_reason() {
  std::string reason = "no reason given";
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
    *static_cast<std::string*>(text) = error->desc;
    return 1;  // ends the walk
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  return reason;
}

}  // namespace

Hdf5Calls::Hdf5Calls(std::string file) : file_{std::move(file)} {
  // HDF5 would print its error stack; our messages carry the reason
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::int64_t Hdf5Calls::check(std::int64_t result, const std::string& doing) const {
  if (result >= 0) return result;
  throw InputError{file_, fmt::format("cannot {}: {}", doing, reason())};
}

std::string Hdf5Calls::reason() const {
  constexpr std::uintmax_t kFull = 1 << 20;  // what HDF5 wanted to write is more than what is left
  std::error_code failure;
  const auto directory = std::filesystem::absolute(file_, failure).parent_path();
  const auto left = std::filesystem::space(directory, failure).available;
  if (failure || left >= kFull) return innermost_reason();
  return fmt::format("{}, with {} bytes left on its disk", innermost_reason(), left);
}

}  // namespace ouro::engine
