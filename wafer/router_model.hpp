#pragma once

namespace ouro::wafer {

/// A wormhole router with virtual channels and credits, as the `flit` fidelity simulates it.
///
/// A head flit is routed, gets a virtual channel of the next router, then the switch; body flits follow it
/// through the switch. Each allocator is one iteration of iSLIP.
///
/// Source: W. J. Dally and B. Towles, Principles and Practices of Interconnection Networks, Morgan Kaufmann,
/// 2004, ch. 16 to 19; N. McKeown, "The iSLIP scheduling algorithm for input-queued switches", IEEE/ACM
/// Transactions on Networking 7(2), 1999.
struct RouterModel {
  int virtual_channels = 4;  ///< of each port
  int buffer_flits = 8;      ///< of each virtual channel
  int routing_cycles = 0;    ///< 0: the router before has done it (look-ahead)
  bool speculative =
      true;  ///< a head asks for the switch in the cycle in which it asks for a virtual channel
  int crossbar_cycles = 0;  ///< from the grant of the switch to the link

  static constexpr int kPorts = 5;  ///< four neighbours and the core
  /// The virtual channels of all ports are bits of one word.
  static constexpr int kMostVirtualChannels = 64 / kPorts;
  static constexpr int kMostBufferFlits = 255;

  /// Cycles of a head in an idle router; then the link takes over.
  int pipeline_cycles() const { return routing_cycles + (speculative ? 1 : 2) + crossbar_cycles; }
};

}  // namespace ouro::wafer
