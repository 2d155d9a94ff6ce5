#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/time.hpp"
#include "llm/arrivals.hpp"
#include "llm/request.hpp"
#include "llm/row_source.hpp"

namespace ouro::llm {

/// What becomes of a row that is earlier than the row before.
enum class OutOfOrder {
  refuse,
  drop,
  delay,  ///< it arrives with the row before
};

/// What becomes of a request that is longer than the maximum context.
enum class OverContext {
  refuse,
  drop,
  truncate,  ///< the end of its prompt is cut off, and the end of its output where that is not enough
};

struct RowPolicy {
  OutOfOrder out_of_order = OutOfOrder::refuse;
  OverContext over_context = OverContext::refuse;
  std::int64_t max_context = 0;                ///< tokens of prompt and output; 0 for no limit
  std::int32_t block_tokens = 512;             ///< of prefix blocks
  std::vector<std::int64_t> class_weights{1};  ///< of rows that say no priority, from class 0 on
  std::uint64_t seed = 0;
  bool outputs = true;  ///< of a model that gives none, what rows say of them is ignored
};

/// Requests from rows: each policy on odd rows is applied, and counted, here.
class RowRequests final : public RequestSource {
 public:
  /// @param generated  the arrivals; none takes them from the rows, which then have times
  /// @param limit      how many requests to deliver at most; 0 for all
  RowRequests(std::unique_ptr<RowSource> rows, const RowPolicy& policy,
              std::optional<GeneratedArrivals> generated, std::uint64_t limit);

  std::optional<Request> next() override;
  std::string where() const override { return rows_->where(); }
  const RowCounts& rows() const override { return counts_; }

 private:
  /// false if the row is dropped
  bool take_time();
  bool fit_context();
  std::int32_t priority_of_row() const;

  std::unique_ptr<RowSource> rows_;
  RowPolicy policy_;
  std::optional<GeneratedArrivals> generated_;
  std::uint64_t limit_;
  std::int64_t weights_ = 0;  // sum
  WorkloadRow row_;
  std::uint64_t delivered_ = 0;
  RowCounts counts_;
  std::optional<Timestamp> origin_;  // time 0
  std::optional<Timestamp> last_;    // of the row before
  engine::Time traced_{};
};

}  // namespace ouro::llm
