#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/null_message_protocol.hpp"
#include "engine/virtual_rank.hpp"

namespace ouro::engine {

/// What NullMessageSynchronizer does, on all ranks of an imagined cluster: always the one whose clock is
/// behind goes on.
class VirtualNullMessages {
 public:
  /// @param collective_seconds  that a common stop takes after the last rank has come
  /// Keeps the reference.
  VirtualNullMessages(VirtualRanks& ranks, double collective_seconds);

  /// @throws ContractError  if every rank waits for another one
  void run_until(Time stop);

 private:
  enum class State { works, waits, is_done, has_met };

  Time run_slice(Time stop);
  std::size_t next_to_go() const;
  double goes_on_at(std::size_t rank) const;
  void advance(std::size_t rank, Time stop);
  State step(std::size_t rank, Time stop);
  Time meet(Time stop);
  std::string describe() const;

  VirtualRanks& ranks_;
  double collective_seconds_;
  std::deque<NullMessageProtocol> protocols_;  // by rank, as the next one
  std::vector<State> states_;
};

}  // namespace ouro::engine
