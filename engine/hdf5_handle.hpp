#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace ouro::engine {

/// What HDF5 calls hid_t; its header stays in our sources.
using Hdf5Id = std::int64_t;

/// The one owner of an HDF5 identifier.
class Hdf5Handle {
 public:
  using Close = int (*)(Hdf5Id);

  Hdf5Handle() = default;
  Hdf5Handle(Hdf5Id id, Close closer) : id_{id}, close_{closer} {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_{std::exchange(other.id_, -1)}, close_{other.close_} {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }

  Hdf5Id get() const { return id_; }
  /// Closes now; false if that failed, such as when the last data could not be written.
  bool close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }
  /// Gives up ownership without closing.
  void leak() { id_ = -1; }

 private:
  Hdf5Id id_ = -1;
  Close close_ = nullptr;
};

/// The calls of HDF5 on one file: each result is checked, and a failure is an InputError that names the file.
class Hdf5Calls {
 public:
  explicit Hdf5Calls(std::string file);

  const std::string& file() const { return file_; }
  /// @param doing  what fails if `result` is negative, such as: write '/energy/total'
  std::int64_t check(std::int64_t result, const std::string& doing) const;
  /// Why the last call failed: the innermost reason that HDF5 gives, and whether the disk is full, which it
  /// does not say.
  std::string reason() const;
  Hdf5Handle own(Hdf5Id id, Hdf5Handle::Close close, const std::string& doing) const {
    return {check(id, doing), close};
  }

 private:
  std::string file_;
};

}  // namespace ouro::engine
