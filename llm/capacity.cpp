#include "llm/capacity.hpp"

#include <algorithm>

namespace ouro::llm {
namespace {

constexpr std::int64_t divide_up(std::int64_t amount, std::int64_t unit) {
  return (amount + unit - 1) / unit;
}

void add_latent_attention(std::vector<MatrixGroup>& groups, const ModelDescription& model) {
  const auto& latent = model.latent;
  const std::int64_t heads = model.attention_heads;
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t nope_dim = model.head_dim - latent.rope_dim;
  const std::int64_t compressed = latent.kv_rank + latent.rope_dim;
  if (latent.query_rank == 0) {
    groups.push_back({"latent", hidden, query_width(model) + compressed});
  } else {
    groups.push_back({"latent", hidden, latent.query_rank + compressed});
    groups.push_back({"query", latent.query_rank, query_width(model)});
  }
  groups.push_back({"head_key", nope_dim, latent.kv_rank, heads, true});
  groups.push_back({"head_value", latent.kv_rank, latent.value_dim, heads, true});
  groups.push_back({"output", heads * latent.value_dim, hidden});
}

void add_attention(std::vector<MatrixGroup>& groups, const ModelDescription& model) {
  if (model.latent.kv_rank > 0) return add_latent_attention(groups, model);
  const std::int64_t query = query_width(model);
  groups.push_back({"qkv", model.hidden_size, query + 2 * std::int64_t{kv_width(model)}});
  groups.push_back({"output", query, model.hidden_size});
}

/// K and V of cross attention are made of what the encoder gives.
void add_cross_attention(std::vector<MatrixGroup>& groups, const ModelDescription& model) {
  const std::int64_t query = query_width(model);
  groups.push_back({"cross_query", model.hidden_size, query});
  groups.push_back({"cross_kv", model.hidden_size, 2 * std::int64_t{kv_width(model)}});
  groups.push_back({"cross_output", query, model.hidden_size});
}

void add_ffn(std::vector<MatrixGroup>& groups, const ModelDescription& model, std::int64_t ffn,
             std::int64_t copies) {
  groups.push_back({"gate_up", model.hidden_size, (model.gated_ffn ? 2 : 1) * ffn, copies});
  groups.push_back({"down", ffn, model.hidden_size, copies});
}

void add_experts(std::vector<MatrixGroup>& groups, const ModelDescription& model) {
  const auto& experts = model.experts;
  groups.push_back({"router", model.hidden_size, experts.routed + (experts.shared_gate ? 1 : 0)});
  add_ffn(groups, model, experts.ffn_size, experts.routed + experts.shared);
}

}  // namespace

std::vector<MatrixGroup> block_matrices(const ModelDescription& model, int block) {
  std::vector<MatrixGroup> groups;
  add_attention(groups, model);
  if (has_cross_attention(model, block)) add_cross_attention(groups, model);
  if (has_experts(model, block)) {
    add_experts(groups, model);
  } else {
    add_ffn(groups, model, model.ffn_size, 1);
  }
  return groups;
}

MatrixGroup lm_head_matrix(const ModelDescription& model) {
  return {"lm_head", model.hidden_size, model.vocab_size};
}

std::int64_t cores_for(const MatrixGroup& group, const WaferCapacity& wafer) {
  const std::int64_t strips = divide_up(group.columns, wafer.crossbar_columns);
  const std::int64_t core_rows = std::int64_t{wafer.crossbars} * wafer.crossbar_rows;
  if (group.share_cores) return divide_up(group.copies * strips * group.rows, core_rows);
  return group.copies * divide_up(strips * group.rows, core_rows);
}

std::int64_t weight_cores_of_block(const ModelDescription& model, const WaferCapacity& wafer, int block) {
  std::int64_t cores = 0;
  for (const auto& group : block_matrices(model, block)) cores += cores_for(group, wafer);
  return cores;
}

std::int64_t weight_cores(const ModelDescription& model, const WaferCapacity& wafer) {
  std::int64_t cores = 0;
  for (int block = 0; block < blocks(model); ++block) cores += weight_cores_of_block(model, wafer, block);
  return cores;
}

std::int64_t free_cores(const ModelDescription& model, const WaferCapacity& wafer) {
  return std::max<std::int64_t>(0, wafer.cores - weight_cores(model, wafer));
}

std::int64_t kv_tokens_that_fit(const ModelDescription& model, const WaferCapacity& wafer) {
  if (model.layers == 0) return 0;
  return free_cores(model, wafer) * wafer.core_bytes / kv_bytes_stored_per_token(model);
}

std::int64_t cores_lacking(const ModelDescription& model, const WaferCapacity& wafer) {
  const std::int64_t head = model.layers > 0 ? cores_for(lm_head_matrix(model), wafer) : 0;
  return std::max<std::int64_t>(0, weight_cores(model, wafer) + head - wafer.cores);
}

}  // namespace ouro::llm
