#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "engine/results_reader.hpp"
#include "llm/experiment.hpp"

namespace ouro::partitions {

/// What one token on its way through the pipeline gives the dies to do.
struct DieLoad {
  using Border = std::pair<int, int>;  ///< neighbouring dies, the smaller number first

  /// A station with its tiles, and the attention where that follows it.
  struct Stretch {
    std::vector<double> events;        ///< by die
    std::map<Border, double> packets;  ///< over each border, both ways together
  };

  int dies = 0;
  std::vector<Stretch> stretches;  ///< along the pipeline
  double tokens_under_way = 1;     ///< at a time, at most: what the requests and the pipeline have room for

  std::vector<double> events_of_dies() const;
  double events_of_token() const;
  std::map<Border, double> packets() const;  ///< of all stretches
};

/// From the mapping alone: the events that a token causes at `packet` or `stage` fidelity, as
/// llm::DieProcess and llm::StageProcess handle them; at `flit`, those of `packet`, since it is packets that
/// keep routers busy.
///
/// A head is on each KV core of its block equally often and never on several; an expert works as often as
/// any other of its block; ways around dead routers and links, and to the joint of two wafers, count as the
/// direct ones along x and y. The controllers' events, which every rank repeats, are left out.
DieLoad expected_load(const llm::Experiment& experiment);

/// The same with the dies' events in the proportion that a run had: /engine/lp_events of its result.
/// @throws InputError  if that is of a wafer with another number of dies
DieLoad measured_load(DieLoad expected, const engine::ResultsReader& result);

}  // namespace ouro::partitions
