#pragma once

#include <mpi.h>

namespace ouro::engine {

/// Adds the wall time of its scope to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_{seconds}, start_{MPI_Wtime()} {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { seconds_ += MPI_Wtime() - start_; }

 private:
  double& seconds_;
  double start_;
};

}  // namespace ouro::engine
