#pragma once

#include <string>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// What held a complete run back, in a sentence with the figures that say so. The first that holds of:
///
/// 1. KV memory: requests were preempted and at least 5 % of all tokens computed again, or at least 10 % of
///    all requests' time passed before admission while fewer sequences ran than may, so that pages were
///    missing;
/// 2. admission: that 10 % passed, and as many ran as may;
/// 3. a stage: a home core had a token ready and no credit for at least 25 % of the makespan. The next one
///    is slow, or its own tiles are, by whose buffers held the credits for longer;
/// 4. arrivals: the last request came after 80 % of the makespan;
/// 5. too few sequences: pipelining is by sequences, and home cores had bubbles for half of the makespan;
/// 6. too few tokens: those under way, by Little's law from the recorded ones, are less than half of the
///    pipeline's home cores;
/// 7. none of these: the stage with the most busy core time.
///
/// @throws InputError  if the file is not of a run that ended
std::string find_bottleneck(const engine::ResultsReader& run);

}  // namespace ouro::tools
