#include "llm/kv_core.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

KvCore::KvCore(const wafer::CoreModel& model, int crossbars, const HeadShape& head)
    : page_tokens_{model.kv_block_columns},
      value_blocks_{head.value_blocks(model)},
      rows_at_once_{model.rows_at_once},
      crossbars_{crossbars},
      blocks_of_crossbar_{model.kv_blocks_of_crossbar()},
      users_(static_cast<std::size_t>(crossbars * model.kv_blocks_of_crossbar())),
      free_of_crossbar_(static_cast<std::size_t>(crossbars), model.kv_blocks_of_crossbar()) {
  auto left = static_cast<int>(head.key_dim);
  for (int i = 0; i < head.key_blocks(model); ++i, left -= model.kv_block_rows)
    key_rows_.push_back(rounded_up(std::min(left, model.kv_block_rows)));
}

KvCore::Entry& KvCore::find(std::uint16_t slot, std::uint16_t head) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.slot == slot && e.head == head; });
  if (found != entries_.end()) return *found;
  entries_.push_back({.slot = slot, .head = head});
  return entries_.back();
}

const KvCore::Entry& KvCore::write(std::uint16_t slot, std::uint16_t head, std::int32_t page) {
  auto& entry = find(slot, head);
  if (entry.tokens % page_tokens_ == 0) {
    add_k_blocks(entry);
    add_v_blocks(entry);
    entry.pages.push_back(page);
  }
  count_values(entry, entry.tokens++ % page_tokens_ + 1);
  return entry;
}

/// @param in_page  tokens of the newest page
void KvCore::count_values(Entry& entry, int in_page) const {
  const int newest = entry.v_beside == 1 ? in_page : entry.v_beside * rounded_up(in_page);
  entry.v_rows = std::max(entry.v_rows, entry.v_rows_below + newest);
}

const KvCore::Entry* KvCore::read(std::uint16_t slot, std::uint16_t head) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.slot == slot && e.head == head; });
  return found == entries_.end() ? nullptr : &*found;
}

void KvCore::share(const std::vector<std::uint16_t>& blocks) {
  for (const auto block : blocks) ++users_[block];
}

void KvCore::give_back(const std::vector<std::uint16_t>& blocks) {
  for (const auto block : blocks) {
    if (--users_[block] > 0) continue;
    ++free_of_crossbar_[static_cast<std::size_t>(crossbar_of(block))];
    --blocks_used_;
  }
}

void KvCore::release(std::uint16_t slot) {
  std::erase_if(entries_, [&](const Entry& entry) {
    if (entry.slot != slot) return false;
    give_back(entry.k_blocks);
    give_back(entry.v_blocks);
    return true;
  });
}

void KvCore::keep(std::uint16_t slot, std::uint32_t stretch, std::int32_t first, std::int32_t pages) {
  for (const auto& entry : entries_) {
    if (entry.slot != slot) continue;
    Kept kept{.stretch = stretch, .head = entry.head};
    for (std::size_t i = 0; i < entry.pages.size(); ++i) {
      if (entry.pages[i] < first || entry.pages[i] >= first + pages) continue;
      const auto blocks_of = [i](const auto& all, auto& mine, std::size_t of_page) {
        const auto from = all.begin() + static_cast<std::ptrdiff_t>(i * of_page);
        mine.insert(mine.end(), from, from + static_cast<std::ptrdiff_t>(of_page));
      };
      blocks_of(entry.k_blocks, kept.k_blocks, key_rows_.size());
      blocks_of(entry.v_blocks, kept.v_blocks, static_cast<std::size_t>(value_blocks_));
      kept.pages.push_back(entry.pages[i]);
    }
    if (kept.pages.empty()) continue;
    share(kept.k_blocks);
    share(kept.v_blocks);
    kept_.push_back(std::move(kept));
  }
}

std::vector<std::uint16_t> KvCore::heads_of(std::uint16_t slot) const {
  std::vector<std::uint16_t> heads;
  for (const auto& entry : entries_) {
    if (entry.slot == slot) heads.push_back(entry.head);
  }
  return heads;
}

/// As if only these tokens had been written, to the blocks where they are.
void KvCore::rewind(std::uint16_t slot, std::uint16_t head, std::int32_t tokens) {
  auto& entry = find(slot, head);
  if (tokens > entry.tokens) throw engine::ContractError{"K and V are missing of tokens that had been there"};
  const auto pages = static_cast<std::size_t>((tokens + page_tokens_ - 1) / page_tokens_);
  Entry kept{.slot = slot, .head = head};
  for (std::size_t page = 0; page < entry.pages.size(); ++page) {
    const auto of_page = [page](const std::vector<std::uint16_t>& blocks, std::size_t count) {
      const auto from = blocks.begin() + static_cast<std::ptrdiff_t>(page * count);
      return std::vector<std::uint16_t>{from, from + static_cast<std::ptrdiff_t>(count)};
    };
    const auto k = of_page(entry.k_blocks, key_rows_.size());
    const auto v = of_page(entry.v_blocks, static_cast<std::size_t>(value_blocks_));
    if (page >= pages) {
      give_back(k);
      give_back(v);
      continue;
    }
    kept.pages.push_back(entry.pages[page]);
    kept.k_blocks.insert(kept.k_blocks.end(), k.begin(), k.end());
    for (const auto block : k) kept.k_rows = std::max(kept.k_rows, k_rows(kept, crossbar_of(block)));
    kept.v_blocks.insert(kept.v_blocks.end(), v.begin(), v.end());
    find_newest_values(kept);
    const auto in_page = std::min(page_tokens_, tokens - kept.tokens);
    kept.tokens += in_page;
    count_values(kept, in_page);
  }
  entry = std::move(kept);
  if (tokens == 0) std::erase_if(entries_, [](const Entry& e) { return e.tokens == 0; });
}

void KvCore::adopt(std::uint16_t slot, std::uint32_t stretch) {
  for (const auto& kept : kept_) {
    if (kept.stretch != stretch) continue;
    auto& entry = find(slot, kept.head);
    share(kept.k_blocks);
    share(kept.v_blocks);
    entry.k_blocks.insert(entry.k_blocks.end(), kept.k_blocks.begin(), kept.k_blocks.end());
    entry.v_blocks.insert(entry.v_blocks.end(), kept.v_blocks.begin(), kept.v_blocks.end());
    entry.pages.insert(entry.pages.end(), kept.pages.begin(), kept.pages.end());
    entry.tokens += static_cast<std::int32_t>(kept.pages.size()) * page_tokens_;
    for (const auto block : kept.k_blocks)
      entry.k_rows = std::max(entry.k_rows, k_rows(entry, crossbar_of(block)));
    for (const auto block : kept.v_blocks)
      entry.v_rows = std::max(entry.v_rows, stacked(entry.v_blocks, crossbar_of(block)) * page_tokens_);
  }
}

void KvCore::drop(std::uint32_t stretch) {
  std::erase_if(kept_, [&](const Kept& kept) {
    if (kept.stretch != stretch) return false;
    give_back(kept.k_blocks);
    give_back(kept.v_blocks);
    return true;
  });
}

int KvCore::stacked(const std::vector<std::uint16_t>& blocks, int crossbar) const {
  return static_cast<int>(std::count_if(blocks.begin(), blocks.end(),
                                        [&](std::uint16_t b) { return crossbar_of(b) == crossbar; }));
}

int KvCore::k_rows(const Entry& entry, int crossbar) const {
  int rows = 0;
  for (std::size_t i = 0; i < entry.k_blocks.size(); ++i) {
    if (crossbar_of(entry.k_blocks[i]) == crossbar) rows += key_rows_[i % key_rows_.size()];
  }
  return rows;
}

void KvCore::add_k_blocks(Entry& entry) {
  const int half = crossbars_ / 2;
  for (std::size_t i = 0; i < key_rows_.size(); ++i) {
    int crossbar =
        entry.k_blocks.empty() ? emptiest(0, half) : (crossbar_of(entry.k_blocks.back()) + 1) % half;
    for (int tried = 0; !has_room(crossbar); ++tried) {
      if (tried == half)
        throw engine::ContractError{"a KV core has no free K block for a page that it was given"};
      crossbar = (crossbar + 1) % half;
    }
    entry.k_blocks.push_back(take_block(crossbar));
    entry.k_rows = std::max(entry.k_rows, k_rows(entry, crossbar));
  }
}

void KvCore::add_v_blocks(Entry& entry) {
  const auto of_page = static_cast<std::size_t>(value_blocks_);
  for (std::size_t i = 0; i < of_page; ++i) {
    const auto& blocks = entry.v_blocks;
    int crossbar = blocks.size() < of_page ? -1 : crossbar_of(blocks[blocks.size() - of_page]);
    if (crossbar < 0 || !has_room(crossbar)) crossbar = emptiest(crossbars_ / 2, crossbars_);
    if (!has_room(crossbar))
      throw engine::ContractError{"a KV core has no free V block for a page that it was given"};
    entry.v_blocks.push_back(take_block(crossbar));
  }
  find_newest_values(entry);
}

/// Which crossbar of the newest V blocks is the fullest.
void KvCore::find_newest_values(Entry& entry) const {
  const std::vector<std::uint16_t> newest{entry.v_blocks.end() - value_blocks_, entry.v_blocks.end()};
  int most = 0;
  for (const auto block : newest) {
    const int there = stacked(entry.v_blocks, crossbar_of(block));
    if (there <= most) continue;
    most = there;
    entry.v_beside = stacked(newest, crossbar_of(block));
  }
  entry.v_rows_below = (most - entry.v_beside) * page_tokens_;
}

int KvCore::emptiest(int first, int last) const {
  const auto begin = free_of_crossbar_.begin();
  return static_cast<int>(std::max_element(begin + first, begin + last) - begin);
}

std::uint16_t KvCore::take_block(int crossbar) {
  const auto first = users_.begin() + crossbar * blocks_of_crossbar_;
  const auto block = std::find(first, first + blocks_of_crossbar_, 0);
  *block = 1;
  --free_of_crossbar_[static_cast<std::size_t>(crossbar)];
  most_blocks_used_ = std::max(most_blocks_used_, ++blocks_used_);
  return static_cast<std::uint16_t>(block - users_.begin());
}

}  // namespace ouro::llm
