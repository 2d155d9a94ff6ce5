#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/state_archive.hpp"
#include "llm/prefix_cache.hpp"

namespace ouro::llm {

/// Where the K and V of one head of one sequence lie, from page `first_page` on, until the next extent.
struct KvExtent {
  int core = 0;        ///< number in the ring of KV cores, the same in every transformer block
  int first_page = 0;  ///< a page is the K and the V of kv_block_columns tokens
};

}  // namespace ouro::llm

OURO_ARCHIVE_AS_BYTES(ouro::llm::KvExtent);

namespace ouro::llm {

enum class KvPlacing {
  anywhere,     ///< a head goes on on the next core that has a free page
  whole_heads,  ///< all pages of a head lie on one core, and are given at once
};

/// The page tables of all sequences: which KV core of a block holds which part of a head.
///
/// Every transformer block has the same ring of KV cores and gets the same pages, so one table serves all
/// blocks. Cores may hold different numbers of pages; one with none is passed over. Heads of a sequence start
/// at consecutive cores of the ring, and each sequence starts where the one before ended, so that the next
/// token's writes are elsewhere than this token's reads (docs/design.md). A head stays on its core while that
/// has a free page. Heads for which there is no page where they want it take turns around the ring, so that
/// they do not meet on one core. Fragments, the free crossbars of weight cores, are the last places of the
/// ring; only such heads come to them.
///
/// Stretches of prompts can be kept in a cache, whose pages sequences with the same prompt share: their
/// tables name the same pages, and only the last owner gives them back. Pages are shared whole, so a sequence
/// never writes into a shared one.
class KvController {
 public:
  /// @param pages_of_core   pages that each core of the ring holds
  /// @param heads           KV heads of the model
  /// @param page_tokens     tokens of a page
  /// @param sequences       most that hold pages at a time
  /// @param stretch_pages   pages of a head in a stretch of the cache
  /// @param fragments       so many cores at the end of the ring are fragments, but not all
  /// @param placing         whether a head may go on on another core
  KvController(std::vector<int> pages_of_core, int heads, int page_tokens, int sequences,
               int stretch_pages = 1, int fragments = 0, KvPlacing placing = KvPlacing::anywhere);

  int page_tokens() const { return page_tokens_; }
  int sequences() const { return static_cast<int>(sequences_.size()); }
  /// Pages of all heads that `tokens` tokens of one sequence take.
  std::int64_t pages_for(std::int64_t tokens) const {
    return heads_ * ((tokens + page_tokens_ - 1) / page_tokens_);
  }

  /// Tokens of one sequence that so many pages of all heads hold.
  std::int64_t tokens_that_fit(std::int64_t pages) const { return pages / heads_ * page_tokens_; }

  std::int64_t pages_total() const { return pages_total_; }
  std::int64_t pages_used() const { return pages_used_; }
  std::int64_t pages_free() const { return pages_total_ - pages_used_; }
  /// Used by the cache only: grow() takes them when no page is free.
  std::int64_t pages_cached() const { return cache_.unused() * pages_of_stretch(); }
  std::int64_t pages_available() const { return pages_free() + pages_cached(); }

  /// Gives the sequence in `slot` its place in the ring; it must hold no pages.
  /// @param request  index of its request
  /// @param length   tokens of a sequence that are all known from the start; 0 for one that grows
  void open(int slot, std::uint64_t request = 0, std::int32_t length = 0);
  std::int32_t length(int slot) const { return sequences_[static_cast<std::size_t>(slot)].length; }

  /// Whether a sequence that has no pages gets those of `tokens` tokens; pages of the cache may be taken.
  bool has_room_for(std::int64_t tokens) const;
  /// Tokens of the longest sequence that there can be.
  std::int64_t longest_sequence() const { return longest_; }
  std::uint64_t request_of(int slot) const { return sequences_[static_cast<std::size_t>(slot)].request; }

  /// Pages that one head of the sequence has.
  int pages_of(int slot) const { return sequences_[static_cast<std::size_t>(slot)].pages; }

  /// Pages of all its heads that it shares with nobody.
  std::int64_t pages_owned(int slot) const {
    return std::int64_t{heads_} * pages_of(slot) - shared(slot) * pages_of_stretch();
  }

  /// Gives each head of the sequence pages until `tokens` tokens fit.
  /// @return  false, with nothing changed, if there are too few; else pages of the cache may have been taken
  bool grow(int slot, std::int64_t tokens);

  /// Takes all pages of the sequence back, but those that are in the cache.
  void release(int slot);

  /// Whether the sequence has pages on this core of the ring.
  bool uses_core(int slot, int core) const;
  /// The ring goes on without this core, on which no sequence has pages.
  /// @return  pages that it had
  std::int64_t close(int core);

  int stretch_tokens() const { return stretch_pages_ * page_tokens_; }
  std::int64_t pages_of_stretch() const { return std::int64_t{heads_} * stretch_pages_; }
  /// Stretches of the sequence that are in the cache.
  std::int64_t shared(int slot) const;

  /// How many of the first of these stretches are in the cache.
  int cached_stretches(std::span<const std::uint64_t> keys) const;
  /// Of their pages, those that pages_available() counts.
  std::int64_t available_pages_of(std::span<const std::uint64_t> keys) const;
  /// Gives a sequence that is open and has no pages those of these stretches, which are in the cache.
  /// @return  their numbers
  std::vector<int> adopt(int slot, std::span<const std::uint64_t> keys);
  /// Puts a stretch of the sequence into the cache.
  /// @return  its number; none if another one has the key
  std::optional<int> keep(int slot, int stretch, std::uint64_t key);
  /// Numbers of the stretches that were taken from the cache since the last call.
  std::vector<int> take_evicted() { return std::exchange(evicted_, {}); }

  /// Extents of a head, in the order of its tokens.
  std::span<const KvExtent> extents(int slot, int head) const {
    return sequences_[static_cast<std::size_t>(slot)].heads[static_cast<std::size_t>(head)];
  }

  using RingCores = boost::container::small_vector<int, 6>;
  /// Cores that hold a head's tokens up to `position`, each once; last the one that holds the newest.
  RingCores cores_of_head(int slot, int head, int position) const;

  /// Of a head's tokens up to `position`, those on this core of the ring.
  int tokens_on_core(int slot, int head, int position, int core) const;

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [heads, page_tokens, placing, total, kv_cores, used, next_start, next_turn, stretch_pages, cache,
           evicted, free, longest, sequences] = *this;
    engine::archive_fields(archive, total, used, next_start, next_turn, cache, evicted, free, sequences);
  }

 private:
  struct Sequence {
    std::uint64_t request = 0;
    std::int32_t length = 0;
    int start = 0;                              ///< core of head 0's first page
    int pages = 0;                              ///< of each head
    std::vector<std::optional<int>> stretches;  ///< number in the cache, up to the last that is there
    std::vector<std::vector<KvExtent>> heads;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      auto& [of, tokens, first_core, pages_of_head, shared, extents] = *this;
      engine::archive_fields(archive, of, tokens, first_core, pages_of_head, shared, extents);
    }
  };

  void add_page(Sequence& sequence, int head);
  std::int64_t find_longest_sequence() const;
  void place_whole_heads(Sequence& sequence, int pages);
  bool has_room(int core, int pages = 1) const {
    return free_pages_[static_cast<std::size_t>(core)] >= pages;
  }
  int core_with_room(int wanted, int pages = 1);
  int pages_of_head(std::int64_t tokens) const {
    return static_cast<int>((tokens + page_tokens_ - 1) / page_tokens_);
  }
  int core_of_page(const Sequence& sequence, int head, int page) const;
  void evict();

  int heads_;
  int page_tokens_;
  KvPlacing placing_;
  std::int64_t pages_total_;
  int kv_cores_;  // of the ring, without fragments
  std::int64_t pages_used_ = 0;
  int next_start_ = 0;
  int next_turn_ = 0;  // where to look first for a page that is not where it is wanted
  int stretch_pages_;
  PrefixCache cache_;
  std::vector<int> evicted_;
  std::vector<int> free_pages_;  // by core of the ring
  std::int64_t longest_;
  std::vector<Sequence> sequences_;
};

}  // namespace ouro::llm
