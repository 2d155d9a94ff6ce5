#include "llm/kv_controller.hpp"

#include <algorithm>
#include <numeric>

#include "engine/error.hpp"

namespace ouro::llm {

KvController::KvController(std::vector<int> pages_of_core, int heads, int page_tokens, int sequences,
                           int stretch_pages, int fragments, KvPlacing placing)
    : heads_{heads},
      page_tokens_{page_tokens},
      placing_{placing},
      pages_total_{std::accumulate(pages_of_core.begin(), pages_of_core.end(), std::int64_t{0})},
      kv_cores_{static_cast<int>(pages_of_core.size()) - fragments},
      stretch_pages_{stretch_pages},
      free_pages_{std::move(pages_of_core)},
      longest_{find_longest_sequence()},
      sequences_(static_cast<std::size_t>(sequences)) {
  for (auto& sequence : sequences_) sequence.heads.resize(static_cast<std::size_t>(heads));
}

void KvController::open(int slot, std::uint64_t request, std::int32_t length) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  if (sequence.pages != 0) throw engine::ContractError{"a sequence slot was opened while it held KV pages"};
  sequence.request = request;
  sequence.length = length;
  sequence.start = next_start_;
  next_start_ = static_cast<int>((next_start_ + std::int64_t{heads_}) % kv_cores_);
}

/// Heads of equal size fit wherever they are put first.
bool KvController::has_room_for(std::int64_t tokens) const {
  if (placing_ == KvPlacing::anywhere) return pages_for(tokens) <= pages_available();
  std::int64_t heads = 0;
  for (const int free : free_pages_) heads += free / std::max(1, pages_of_head(tokens));
  return heads >= heads_;
}

/// While nothing is taken.
std::int64_t KvController::find_longest_sequence() const {
  if (placing_ == KvPlacing::anywhere) return tokens_that_fit(pages_total_);
  std::int64_t pages = *std::max_element(free_pages_.begin(), free_pages_.end());
  while (pages > 0 && !has_room_for(pages * page_tokens_)) --pages;
  return pages * page_tokens_;
}

bool KvController::grow(int slot, std::int64_t tokens) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  const int wanted = pages_of_head(tokens);
  if (wanted <= sequence.pages) return true;
  const auto more = std::int64_t{wanted - sequence.pages} * heads_;
  if (more > pages_available()) return false;
  while (more > pages_free()) evict();
  if (placing_ == KvPlacing::whole_heads) {
    if (sequence.pages > 0 || !has_room_for(tokens)) return false;
    place_whole_heads(sequence, wanted);
    return true;
  }
  for (; sequence.pages < wanted; ++sequence.pages) {
    for (int head = 0; head < heads_; ++head) add_page(sequence, head);
  }
  return true;
}

void KvController::place_whole_heads(Sequence& sequence, int pages) {
  const auto cores = static_cast<int>(free_pages_.size());
  for (int head = 0; head < heads_; ++head) {
    const int core = core_with_room((sequence.start + head) % cores, pages);
    sequence.heads[static_cast<std::size_t>(head)] = {{core, 0}};
    free_pages_[static_cast<std::size_t>(core)] -= pages;
  }
  sequence.pages = pages;
  pages_used_ += std::int64_t{pages} * heads_;
}

void KvController::add_page(Sequence& sequence, int head) {
  auto& extents = sequence.heads[static_cast<std::size_t>(head)];
  const int wanted = extents.empty() ? (sequence.start + head) % kv_cores_ : extents.back().core;
  const int core = core_with_room(wanted);
  if (extents.empty() || extents.back().core != core) extents.push_back({core, sequence.pages});
  --free_pages_[static_cast<std::size_t>(core)];
  ++pages_used_;
}

int KvController::core_with_room(int wanted, int pages) {
  if (has_room(wanted, pages)) return wanted;
  const auto cores = static_cast<int>(free_pages_.size());
  for (int i = 0; i < cores; ++i) {
    const int core = (next_turn_ + i) % cores;
    if (!has_room(core, pages)) continue;
    next_turn_ = (core + 1) % cores;
    return core;
  }
  throw engine::ContractError{"no KV core has a free page though pages are free"};
}

void KvController::evict() {
  const int number = cache_.evict();
  for (const int core : cache_.at(number).cores) ++free_pages_[static_cast<std::size_t>(core)];
  pages_used_ -= pages_of_stretch();
  evicted_.push_back(number);
}

void KvController::release(int slot) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  const auto is_cached = [&](int page) {
    const auto stretch = static_cast<std::size_t>(page / stretch_pages_);
    return stretch < sequence.stretches.size() && sequence.stretches[stretch].has_value();
  };
  for (auto& extents : sequence.heads) {
    for (std::size_t i = 0; i < extents.size(); ++i) {
      const int end = i + 1 < extents.size() ? extents[i + 1].first_page : sequence.pages;
      for (int page = extents[i].first_page; page < end; ++page) {
        if (is_cached(page)) continue;
        ++free_pages_[static_cast<std::size_t>(extents[i].core)];
        --pages_used_;
      }
    }
    extents.clear();
  }
  std::vector<int> cached;
  for (const auto number : sequence.stretches) {
    if (number) cached.push_back(*number);
  }
  cache_.leave(cached);
  sequence.stretches.clear();
  sequence.pages = 0;
}

bool KvController::uses_core(int slot, int core) const {
  const auto& heads = sequences_[static_cast<std::size_t>(slot)].heads;
  return std::any_of(heads.begin(), heads.end(), [core](const std::vector<KvExtent>& extents) {
    return std::any_of(extents.begin(), extents.end(),
                       [core](const KvExtent& extent) { return extent.core == core; });
  });
}

std::int64_t KvController::close(int core) {
  const std::int64_t pages = std::exchange(free_pages_[static_cast<std::size_t>(core)], 0);
  pages_total_ -= pages;
  return pages;
}

std::int64_t KvController::shared(int slot) const {
  const auto& stretches = sequences_[static_cast<std::size_t>(slot)].stretches;
  return std::count_if(stretches.begin(), stretches.end(), [](const auto& s) { return s.has_value(); });
}

int KvController::cached_stretches(std::span<const std::uint64_t> keys) const {
  const auto missing =
      std::find_if(keys.begin(), keys.end(), [this](std::uint64_t key) { return !cache_.find(key); });
  return static_cast<int>(missing - keys.begin());
}

std::int64_t KvController::available_pages_of(std::span<const std::uint64_t> keys) const {
  const auto unused = std::count_if(keys.begin(), keys.end(), [this](std::uint64_t key) {
    return cache_.at(*cache_.find(key)).users == 0;
  });
  return unused * pages_of_stretch();
}

std::vector<int> KvController::adopt(int slot, std::span<const std::uint64_t> keys) {
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  if (sequence.pages != 0) throw engine::ContractError{"a sequence with KV pages was given cached ones"};
  std::vector<int> numbers;
  numbers.reserve(keys.size());
  for (const auto key : keys) {
    const int number = *cache_.find(key);
    const auto& cores = cache_.at(number).cores;
    for (int head = 0; head < heads_; ++head) {
      auto& extents = sequence.heads[static_cast<std::size_t>(head)];
      for (int page = 0; page < stretch_pages_; ++page) {
        const int core = cores[static_cast<std::size_t>(head * stretch_pages_ + page)];
        if (extents.empty() || extents.back().core != core) extents.push_back({core, sequence.pages + page});
      }
    }
    sequence.pages += stretch_pages_;
    sequence.stretches.emplace_back(number);
    cache_.use(number);
    numbers.push_back(number);
  }
  return numbers;
}

std::optional<int> KvController::keep(int slot, int stretch, std::uint64_t key) {
  if (cache_.find(key)) return std::nullopt;
  auto& sequence = sequences_[static_cast<std::size_t>(slot)];
  std::vector<int> cores;
  cores.reserve(static_cast<std::size_t>(pages_of_stretch()));
  for (int head = 0; head < heads_; ++head) {
    for (int page = 0; page < stretch_pages_; ++page)
      cores.push_back(core_of_page(sequence, head, stretch * stretch_pages_ + page));
  }
  const int number = cache_.add(key, stretch, std::move(cores));
  const auto index = static_cast<std::size_t>(stretch);
  if (sequence.stretches.size() <= index) sequence.stretches.resize(index + 1);
  sequence.stretches[index] = number;
  return number;
}

int KvController::core_of_page(const Sequence& sequence, int head, int page) const {
  const auto& extents = sequence.heads[static_cast<std::size_t>(head)];
  const auto next = std::find_if(extents.begin(), extents.end(),
                                 [page](const KvExtent& extent) { return extent.first_page > page; });
  return std::prev(next)->core;
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
