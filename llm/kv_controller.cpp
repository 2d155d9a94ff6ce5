#include "llm/kv_controller.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

KvController::KvController(int cores, int pages_of_core, int heads, int page_tokens, int sequences)
    : heads_{heads},
      page_tokens_{page_tokens},
      pages_total_{std::int64_t{cores} * pages_of_core},
      free_pages_(static_cast<std::size_t>(cores), pages_of_core),
      sequences_(static_cast<std::size_t>(sequences)) {
  for (auto& sequence : sequences_) sequence.heads.resize(static_cast<std::size_t>(heads));
}

void KvController::open(int slot, std::uint64_t request) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  if (sequence.pages != 0) throw engine::ContractError{"a sequence slot was opened while it held KV pages"};
  sequence.request = request;
  sequence.start = next_start_;
  next_start_ =
      static_cast<int>((next_start_ + std::int64_t{heads_}) % static_cast<std::int64_t>(free_pages_.size()));
}

bool KvController::grow(int slot, std::int64_t tokens) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  const auto wanted = static_cast<int>((tokens + page_tokens_ - 1) / page_tokens_);
  if (wanted <= sequence.pages) return true;
  if (std::int64_t{wanted - sequence.pages} * heads_ > pages_free()) return false;
  for (; sequence.pages < wanted; ++sequence.pages) {
    for (int head = 0; head < heads_; ++head) add_page(sequence, head);
  }
  return true;
}

void KvController::add_page(Sequence& sequence, int head) {
  auto& extents = sequence.heads[static_cast<std::size_t>(head)];
  const auto cores = static_cast<int>(free_pages_.size());
  const int wanted = extents.empty() ? (sequence.start + head) % cores : extents.back().core;
  const int core = next_core_with_room(wanted);
  if (extents.empty() || extents.back().core != core) extents.push_back({core, sequence.pages});
  --free_pages_[static_cast<std::size_t>(core)];
  ++pages_used_;
}

int KvController::next_core_with_room(int from) const {
  const auto cores = static_cast<int>(free_pages_.size());
  for (int i = 0; i < cores; ++i) {
    const int core = (from + i) % cores;
    if (free_pages_[static_cast<std::size_t>(core)] > 0) return core;
  }
  throw engine::ContractError{"no KV core has a free page though pages are free"};
}

void KvController::release(int slot) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  for (auto& extents : sequence.heads) {
    for (std::size_t i = 0; i < extents.size(); ++i) {
      const int end = i + 1 < extents.size() ? extents[i + 1].first_page : sequence.pages;
      const int pages = end - extents[i].first_page;
      free_pages_[static_cast<std::size_t>(extents[i].core)] += pages;
      pages_used_ -= pages;
    }
    extents.clear();
  }
  sequence.pages = 0;
}

KvController::RingCores KvController::cores_of_head(int slot, int head, int position) const {
  RingCores cores;
  const int page = position / page_tokens_;
  for (const auto& extent : extents(slot, head)) {
    if (extent.first_page > page) break;  // pages for later tokens
    const auto again = std::find(cores.begin(), cores.end(), extent.core);
    if (again != cores.end()) cores.erase(again);
    cores.push_back(extent.core);
  }
  return cores;
}

int KvController::tokens_on_core(int slot, int head, int position, int core) const {
  const auto all = extents(slot, head);
  const int known = position + 1;
  int tokens = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].core != core) continue;
    const int begin = all[i].first_page * page_tokens_;
    const int end = i + 1 < all.size() ? all[i + 1].first_page * page_tokens_ : known;
    tokens += std::max(0, std::min(end, known) - begin);
  }
  return tokens;
}

}  // namespace ouro::llm
