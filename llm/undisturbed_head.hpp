#pragma once

#include <cstdint>
#include <vector>

#include "llm/core_work.hpp"
#include "llm/kv_core.hpp"

namespace ouro::llm {

/// What a token's attention takes on one core.
struct AttentionWork {
  CrossbarWork score;
  SfuWork softmax;
  CrossbarWork values;
};

/// One KV head on a core that has all its KV crossbars for it: K and V lie where KvCore puts them.
class UndisturbedHead {
 public:
  /// @param crossbars  of the core that are in attention mode
  UndisturbedHead(const wafer::CoreModel& core, int crossbars, const HeadShape& head);

  /// @param tokens  from 1 to what a core holds
  AttentionWork work(std::int64_t tokens);

 private:
  struct Rows {
    int k;
    int v;
  };

  wafer::CoreModel model_;
  HeadShape head_;
  KvCore core_;
  std::vector<Rows> rows_;  // by tokens, those asked for and all before
};

}  // namespace ouro::llm
