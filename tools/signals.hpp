#pragma once

namespace ouro::tools {

/// What a run is asked to do at its next stop; of two, the larger counts.
enum class Wish : int {
  go_on,                ///< nothing else
  checkpoint,           ///< SIGUSR1: write a checkpoint and go on
  checkpoint_and_stop,  ///< SIGUSR2: write a checkpoint and stop; go on if that fails
  stop                  ///< SIGTERM: write a checkpoint and stop in any case
};

/// From now on signals are noted instead of ending the program. Before MPI starts, which passes them on to
/// all ranks. A second SIGTERM ends the program at once.
void listen_to_signals();

/// The largest wish since the last call.
Wish take_wish();

}  // namespace ouro::tools
