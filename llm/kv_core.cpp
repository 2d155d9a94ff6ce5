#include "llm/kv_core.hpp"

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {

KvCore::KvCore(const wafer::CoreModel& model, int blocks_of_page)
    : page_tokens_{model.kv_block_columns},
      blocks_of_page_{blocks_of_page},
      crossbars_{model.crossbars},
      blocks_of_crossbar_{model.kv_blocks_of_crossbar()},
      used_(static_cast<std::size_t>(model.kv_blocks())),
      free_of_crossbar_(static_cast<std::size_t>(model.crossbars), model.kv_blocks_of_crossbar()) {}

KvCore::Entry& KvCore::find(std::uint16_t slot, std::uint16_t head) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.slot == slot && e.head == head; });
  if (found != entries_.end()) return *found;
  entries_.push_back({.slot = slot, .head = head});
  return entries_.back();
}

const KvCore::Entry& KvCore::write(std::uint16_t slot, std::uint16_t head) {
  auto& entry = find(slot, head);
  if (entry.tokens % page_tokens_ == 0) {
    add_k_blocks(entry);
    add_v_blocks(entry);
  }
  const int in_page = entry.tokens++ % page_tokens_ + 1;
  entry.v_rows = std::max(entry.v_rows, entry.v_rows_below + in_page);
  return entry;
}

const KvCore::Entry* KvCore::read(std::uint16_t slot, std::uint16_t head) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.slot == slot && e.head == head; });
  return found == entries_.end() ? nullptr : &*found;
}

void KvCore::release(std::uint16_t slot) {
  const auto give_back = [&](const std::vector<std::uint16_t>& blocks) {
    for (const auto block : blocks) {
      used_[block] = false;
      ++free_of_crossbar_[static_cast<std::size_t>(crossbar_of(block))];
      --blocks_used_;
    }
  };
  std::erase_if(entries_, [&](const Entry& entry) {
    if (entry.slot != slot) return false;
    give_back(entry.k_blocks);
    give_back(entry.v_blocks);
    return true;
  });
}

int KvCore::stacked(const std::vector<std::uint16_t>& blocks, int crossbar) const {
  return static_cast<int>(std::count_if(blocks.begin(), blocks.end(),
                                        [&](std::uint16_t b) { return crossbar_of(b) == crossbar; }));
}

void KvCore::add_k_blocks(Entry& entry) {
  const int half = crossbars_ / 2;
  for (int i = 0; i < blocks_of_page_; ++i) {
    int crossbar =
        entry.k_blocks.empty() ? emptiest(0, half) : (crossbar_of(entry.k_blocks.back()) + 1) % half;
    for (int tried = 0; !has_room(crossbar); ++tried) {
      if (tried == half)
        throw engine::ContractError{"a KV core has no free K block for a page that it was given"};
      crossbar = (crossbar + 1) % half;
    }
    entry.k_blocks.push_back(take_block(crossbar));
    entry.k_stacked = std::max(entry.k_stacked, stacked(entry.k_blocks, crossbar));
  }
}

void KvCore::add_v_blocks(Entry& entry) {
  for (int i = 0; i < blocks_of_page_; ++i) {
    int crossbar = entry.v_blocks.empty() ? -1 : crossbar_of(entry.v_blocks.back());
    if (crossbar < 0 || !has_room(crossbar)) crossbar = emptiest(crossbars_ / 2, crossbars_);
    if (!has_room(crossbar))
      throw engine::ContractError{"a KV core has no free V block for a page that it was given"};
    entry.v_blocks.push_back(take_block(crossbar));
  }
  const int pages_there = stacked(entry.v_blocks, crossbar_of(entry.v_blocks.back())) / blocks_of_page_;
  entry.v_rows_below = std::max(pages_there - 1, 0) * page_tokens_;
}

int KvCore::emptiest(int first, int last) const {
  const auto begin = free_of_crossbar_.begin();
  return static_cast<int>(std::max_element(begin + first, begin + last) - begin);
}

std::uint16_t KvCore::take_block(int crossbar) {
  const auto first = used_.begin() + crossbar * blocks_of_crossbar_;
  const auto block = std::find(first, first + blocks_of_crossbar_, false);
  *block = true;
  --free_of_crossbar_[static_cast<std::size_t>(crossbar)];
  most_blocks_used_ = std::max(most_blocks_used_, ++blocks_used_);
  return static_cast<std::uint16_t>(block - used_.begin());
}

}  // namespace ouro::llm
