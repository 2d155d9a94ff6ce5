#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "engine/state_archive.hpp"
#include "engine/time.hpp"
#include "llm/message.hpp"

namespace ouro::llm {

/// A token that a home core has, and since when.
struct ReadyToken {
  Token token;
  engine::Time first{};  ///< its first part was there
  engine::Time whole{};  ///< its last part
  engine::Time ready{};  ///< it was normalised

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [of, begin, end, normalised] = *this;
    engine::archive_fields(archive, of, begin, end, normalised);
  }
};

/// The tokens that may leave a home core, in the order of their numbers, whatever the order in which they got
/// ready: those of a batch when all of it is here. Token by token, each is a batch of its own.
class ReadyTokens {
 public:
  void add(const ReadyToken& token) {
    const auto earlier = [](const ReadyToken& a, const ReadyToken& b) {
      return a.token.number < b.token.number;
    };
    if (tokens_.empty() || earlier(tokens_.back(), token)) {
      tokens_.push_back(token);  // which takes new memory now and then, and insert() each time
    } else {
      tokens_.insert(std::upper_bound(tokens_.begin(), tokens_.end(), token, earlier), token);
    }
    while (followed_ - next_ < tokens_.size() && tokens_[followed_ - next_].token.number == followed_) {
      const bool closes = tokens_[followed_ - next_].token.closes_batch();
      ++followed_;
      if (closes) leave_before_ = followed_;
    }
  }

  /// The token that is to leave next; nullptr if it or others of its batch are not here.
  const ReadyToken* next() const { return next_ < leave_before_ ? &tokens_.front() : nullptr; }
  /// When that token was whole, or all of the batch that begins with it.
  engine::Time next_whole() const {
    auto token = tokens_.begin();
    auto whole = token->whole;
    if (!token->token.opens_batch()) return whole;
    while (!token->token.closes_batch()) whole = std::max(whole, (++token)->whole);
    return whole;
  }
  ReadyToken pop() {
    const ReadyToken token = tokens_.front();
    tokens_.pop_front();
    ++next_;
    return token;
  }

  /// @param next  number of the token that leaves next
  void clear(std::uint32_t next) {
    tokens_.clear();
    next_ = followed_ = leave_before_ = next;
  }

  bool empty() const { return tokens_.empty(); }
  std::size_t size() const { return tokens_.size(); }

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [tokens, next, followed, leave_before] = *this;
    engine::archive_fields(archive, tokens, next, followed, leave_before);
  }

 private:
  std::deque<ReadyToken> tokens_;   // by number
  std::uint32_t next_ = 0;          // the number of the token that leaves next
  std::uint32_t followed_ = 0;      // all tokens from next_ to before it are here
  std::uint32_t leave_before_ = 0;  // the last batch that is whole ends before it
};

}  // namespace ouro::llm
