#pragma once

#include <cstdint>
#include <vector>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/core_work.hpp"
#include "wafer/core_model.hpp"

namespace ouro::llm {

/// The crossbars of one core that hold KV: its bitmap of logical blocks, and what each head of each sequence
/// has there.
///
/// K blocks lie in the first half of the crossbars and V blocks in the second, so that the score of one token
/// and the S x V of another use different crossbars. The next K block of a head is taken in another crossbar
/// (tokens are its columns: blocks work in parallel), the next V block in the same one (tokens are its rows).
/// A head that is wider than a block takes several blocks a page: its K blocks follow each other from
/// crossbar to crossbar, and each of its V blocks has a crossbar of its own while there are enough. Blocks of
/// the prefix cache can be of several sequences; a block is free when the last of them is gone.
class KvCore {
 public:
  /// @param crossbars  in attention mode: an even number
  KvCore(const wafer::CoreModel& model, int crossbars, const HeadShape& head);

  /// What a head has on this core.
  struct Entry {
    std::uint16_t slot = 0;
    std::uint16_t head = 0;
    std::int32_t tokens = 0;
    std::int32_t k_rows = 0;        ///< most of its K rows in one crossbar; of a block all that work at once
    std::int32_t v_rows = 0;        ///< most of its V rows in one crossbar
    std::int32_t v_rows_below = 0;  ///< rows of its full pages in the crossbar of its newest V blocks
    std::int32_t v_beside = 1;      ///< its newest page's V blocks in that crossbar
    std::vector<std::uint16_t> k_blocks{};
    std::vector<std::uint16_t> v_blocks{};
    std::vector<std::int32_t> pages{};  ///< numbers in the sequence

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of_slot, of_head, count, k_most, v_most, below, beside, k, v, numbers] = *this;
      engine::archive_fields(archive, of_slot, of_head, count, k_most, v_most, below, beside, k, v, numbers);
    }
  };

  /// Stores the K and V of one more token.
  /// @param page  number in its sequence of the page that it is in
  /// @throws ContractError  if a block is needed and none is free
  const Entry& write(std::uint16_t slot, std::uint16_t head, std::int32_t page = 0);

  /// @return  nullptr if the head has nothing here
  const Entry* read(std::uint16_t slot, std::uint16_t head) const;

  void release(std::uint16_t slot);

  /// Heads of the sequence that have something here.
  std::vector<std::uint16_t> heads_of(std::uint16_t slot) const;
  /// Of what the head has here, keeps its first `tokens` tokens.
  void rewind(std::uint16_t slot, std::uint16_t head, std::int32_t tokens);

  /// Keeps, for the prefix cache, what the sequence has here of `pages` pages from `first` on, all full.
  void keep(std::uint16_t slot, std::uint32_t stretch, std::int32_t first, std::int32_t pages);
  /// Gives a sequence what was kept here of a stretch, to follow what it has.
  void adopt(std::uint16_t slot, std::uint32_t stretch);
  void drop(std::uint32_t stretch);

  /// Whether no sequence has anything here.
  bool is_idle() const { return entries_.empty(); }
  int blocks_used() const { return blocks_used_; }
  int most_blocks_used() const { return most_blocks_used_; }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [page_tokens, key_rows, value_blocks, rows_at_once, crossbars, blocks_of_crossbar, users, free,
           entries, kept, count, most] = *this;
    engine::archive_fields(archive, users, free, entries, kept, count, most);
  }

 private:
  /// Of the prefix cache: pages of one head.
  struct Kept {
    std::uint32_t stretch = 0;
    std::uint16_t head = 0;
    std::vector<std::uint16_t> k_blocks{};
    std::vector<std::uint16_t> v_blocks{};
    std::vector<std::int32_t> pages{};

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, of_head, k, v, numbers] = *this;
      engine::archive_fields(archive, of, of_head, k, v, numbers);
    }
  };

  Entry& find(std::uint16_t slot, std::uint16_t head);
  void share(const std::vector<std::uint16_t>& blocks);
  void give_back(const std::vector<std::uint16_t>& blocks);
  void count_values(Entry& entry, int in_page) const;
  void find_newest_values(Entry& entry) const;
  void add_k_blocks(Entry& entry);
  void add_v_blocks(Entry& entry);
  std::uint16_t take_block(int crossbar);
  bool has_room(int crossbar) const { return free_of_crossbar_[static_cast<std::size_t>(crossbar)] > 0; }
  int crossbar_of(std::uint16_t block) const { return block / blocks_of_crossbar_; }
  int emptiest(int first, int last) const;
  int stacked(const std::vector<std::uint16_t>& blocks, int crossbar) const;
  int k_rows(const Entry& entry, int crossbar) const;
  int rounded_up(int rows) const { return (rows + rows_at_once_ - 1) / rows_at_once_ * rows_at_once_; }

  int page_tokens_;
  std::vector<int> key_rows_;  // of each K block of a page, in whole groups of rows that work at once
  int value_blocks_;           // of a page
  int rows_at_once_;
  int crossbars_;
  int blocks_of_crossbar_;
  std::vector<std::uint16_t> users_;   // by block: the bitmap, with how many share each
  std::vector<int> free_of_crossbar_;  // the bitmap's sums
  std::vector<Entry> entries_;
  std::vector<Kept> kept_;
  int blocks_used_ = 0;
  int most_blocks_used_ = 0;
};

}  // namespace ouro::llm
