#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/model.hpp"

namespace ouro::llm {

/// What a system of one or more wafers can hold. The defaults are one wafer of docs/design.md.
struct WaferCapacity {
  int cores = 13'923;                                       // [body] alive
  std::int64_t core_bytes = std::int64_t{4} * 1024 * 1024;  // [body]
  int crossbar_rows = 1024;                                 // [derived]
  int crossbar_columns = 128;                               // [derived] 8-bit words
  int crossbars = 32;                                       // [body] a core
};

/// Matrices with the same input, stored side by side: `rows` inputs, `columns` outputs.
struct MatrixGroup {
  std::string_view name;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t copies = 1;   ///< as many such groups, each with an input of its own: experts, heads
  bool share_cores = false;  ///< whether the copies do: heads
};

/// The matrices of one block, in the order in which a token meets them: QKV, O, gate and up, down, and what
/// latent or cross attention and experts have besides.
std::vector<MatrixGroup> block_matrices(const ModelDescription& model, int block);

MatrixGroup lm_head_matrix(const ModelDescription& model);

/// Cores that a group fills: its columns are cut into strips one crossbar wide, and a strip takes the rows
/// it needs, so that two strips may share a crossbar. No core holds parts of two groups, or of two copies
/// that do not share cores.
std::int64_t cores_for(const MatrixGroup& group, const WaferCapacity& wafer);

std::int64_t weight_cores_of_block(const ModelDescription& model, const WaferCapacity& wafer, int block = 0);
std::int64_t weight_cores(const ModelDescription& model, const WaferCapacity& wafer);

/// Cores left for KV by the blocks alone (docs/design.md leaves embedding and LM head out); 0 where they
/// do not fit.
std::int64_t free_cores(const ModelDescription& model, const WaferCapacity& wafer);

/// Tokens whose K and V the free cores hold, as crossbars keep them; 0 for a model without a decoder, which
/// keeps none.
std::int64_t kv_tokens_that_fit(const ModelDescription& model, const WaferCapacity& wafer);

/// Cores missing for the weights of all blocks and of the LM head; 0 where the model fits.
std::int64_t cores_lacking(const ModelDescription& model, const WaferCapacity& wafer);

}  // namespace ouro::llm
