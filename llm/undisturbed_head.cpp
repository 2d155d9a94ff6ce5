#include "llm/undisturbed_head.hpp"

namespace ouro::llm {

UndisturbedHead::UndisturbedHead(const wafer::CoreModel& core, int crossbars, const HeadShape& head)
    : model_{core}, head_{head}, core_{core, crossbars, head}, rows_{{0, 0}} {}

AttentionWork UndisturbedHead::work(std::int64_t tokens) {
  while (std::ssize(rows_) <= tokens) {
    const auto& entry = core_.write(0, 0);
    rows_.push_back({entry.k_rows, entry.v_rows});
  }
  const auto rows = rows_[static_cast<std::size_t>(tokens)];
  return {score_work(model_, head_, tokens, rows.k), softmax_work(model_, head_, tokens),
          values_work(model_, head_, tokens, rows.v)};
}

}  // namespace ouro::llm
