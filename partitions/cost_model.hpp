#pragma once

#include <vector>

#include "partitions/die_load.hpp"
#include "partitions/partition.hpp"

namespace ouro::partitions {

/// What a partition is expected to cost.
struct Prediction {
  double balance = 1;           ///< work of the busiest rank over the mean
  double balance_in_time = 1;   ///< the same of what is under way at a time, on average
  double crossings = 0;         ///< packets a token over borders between ranks
  double promise_distance = 0;  ///< stations ahead before one that sends over a border, on average
  double cost = 0;              ///< wall time a token, in events of one rank
  double speed_up = 1;          ///< against one rank
};

/// Predicts how a partition runs with the `window` synchronizer.
///
///     cost = events / ranks x (1 + sqrt((balance - 1)^2 + (balance in time - 1)^2)) + windows x what one
///     costs
///
/// *Balance in time.* Each of n groups of tokens stands somewhere along the pipeline and has work around
/// there only, on the ranks that share those stations. With the variance v of a rank's share over the places,
/// the busiest of R ranks has about 1 / R + sqrt(v ln R / n) of the work at a time. So a rank that has a half
/// of the pipeline for its own often idles, and ranks that share each stretch of it do not.
///
/// *Windows.* A packet over a border ends a window. Those of one station come together and share windows: c
/// of them take as many as 5.5 sqrt(c) apart from each other would; what the controllers hear takes 35 a
/// token. And tokens share windows: where N are under way, each has 1 / (1 + N / 10) of the windows that one
/// alone would.
///
/// Constants: fitted to replays of LLaMA-13B (docs/design.md, 4). They decide which partition is chosen and
/// nothing else.
class CostModel {
 public:
  /// Keeps `load`.
  explicit CostModel(const DieLoad& load);

  Prediction predict(const Partition& partition) const;

 private:
  double balance_in_time(const Partition& partition, int ranks) const;
  double crossings(const Partition& partition) const;
  double windows(const Partition& partition) const;
  double promise_distance(const Partition& partition) const;

  const DieLoad& load_;
  std::vector<double> of_dies_;
  double of_token_;
  std::vector<std::vector<double>> around_;  // by station: what tokens about there give each die to do
};

}  // namespace ouro::partitions
