#pragma once

#include <cstdint>
#include <limits>

#include "llm/message.hpp"
#include "wafer/wafer_model.hpp"

namespace ouro::llm {

/// The weights of a core as packets: one a crossbar, or several where a crossbar would be too long for one.
struct WeightTransfer {
  int packets = 0;
  std::int64_t bytes_of_packet = 0;
};

/// A whole core is moved, used or not: 4 MiB by default, 131,072 flits of 256 bit [derived].
inline WeightTransfer weight_transfer(const wafer::WaferModel& wafer) {
  constexpr std::int64_t kMostFlits = std::numeric_limits<decltype(Message::flits)>::max();
  const auto crossbar = std::int64_t{wafer.core.crossbar_rows} * wafer.core.crossbar_columns;
  const auto flits = (8 * crossbar + wafer.noc.link_bits - 1) / wafer.noc.link_bits;
  const auto parts = (flits + kMostFlits - 1) / kMostFlits;
  return {static_cast<int>(wafer.core.crossbars * parts), (crossbar + parts - 1) / parts};
}

}  // namespace ouro::llm
