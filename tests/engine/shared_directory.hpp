#pragma once

#include <mpi.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/mpi.hpp"

namespace ouro::tests {

/// An empty directory that all ranks see, removed at the end. Made and removed collectively.
class SharedDirectory {
 public:
  explicit SharedDirectory(MPI_Comm comm) : comm_{comm} {
    std::array<char, 4096> name{};
    if (engine::mpi_rank(comm_) == 0) {
      const auto pattern = (std::filesystem::temp_directory_path() / "ouro_test_XXXXXX").string();
      pattern.copy(name.data(), name.size() - 1);
      if (!::mkdtemp(name.data())) std::abort();
    }
    MPI_Bcast(name.data(), static_cast<int>(name.size()), MPI_CHAR, 0, comm_);
    path_ = name.data();
  }
  SharedDirectory(const SharedDirectory&) = delete;
  SharedDirectory& operator=(const SharedDirectory&) = delete;
  ~SharedDirectory() {
    MPI_Barrier(comm_);
    std::error_code ignored;
    if (engine::mpi_rank(comm_) == 0) std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  MPI_Comm comm_;
  std::filesystem::path path_;
};

}  // namespace ouro::tests
