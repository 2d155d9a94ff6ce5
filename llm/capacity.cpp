#include "llm/capacity.hpp"

#include <algorithm>

namespace ouro::llm {
namespace {

constexpr std::int64_t divide_up(std::int64_t amount, std::int64_t unit) {
  return (amount + unit - 1) / unit;
}

}  // namespace

std::array<MatrixGroup, 4> block_matrices(const ModelDescription& model) {
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t ffn = model.ffn_size;
  const std::int64_t query = query_width(model);
  return {{{"qkv", hidden, query + 2 * std::int64_t{kv_width(model)}},
           {"output", query, hidden},
           {"gate_up", hidden, 2 * ffn},
           {"down", ffn, hidden}}};
}

MatrixGroup lm_head_matrix(const ModelDescription& model) {
  return {"lm_head", model.hidden_size, model.vocab_size};
}

std::int64_t cores_for(const MatrixGroup& group, const WaferCapacity& wafer) {
  const std::int64_t strips = divide_up(group.columns, wafer.crossbar_columns);
  return divide_up(strips * group.rows, std::int64_t{wafer.crossbars} * wafer.crossbar_rows);
}

std::int64_t weight_cores_per_block(const ModelDescription& model, const WaferCapacity& wafer) {
  std::int64_t cores = 0;
  for (const auto& group : block_matrices(model)) cores += cores_for(group, wafer);
  return cores;
}

std::int64_t weight_cores(const ModelDescription& model, const WaferCapacity& wafer) {
  return model.layers * weight_cores_per_block(model, wafer);
}

std::int64_t free_cores(const ModelDescription& model, const WaferCapacity& wafer) {
  return std::max<std::int64_t>(0, wafer.cores - weight_cores(model, wafer));
}

std::int64_t kv_tokens_that_fit(const ModelDescription& model, const WaferCapacity& wafer) {
  return free_cores(model, wafer) * wafer.core_bytes / kv_bytes_per_token(model);
}

std::int64_t cores_lacking(const ModelDescription& model, const WaferCapacity& wafer) {
  const std::int64_t needed = weight_cores(model, wafer) + cores_for(lm_head_matrix(model), wafer);
  return std::max<std::int64_t>(0, needed - wafer.cores);
}

}  // namespace ouro::llm
