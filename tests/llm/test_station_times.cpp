#include <gtest/gtest.h>

#include "llm/station_times.hpp"

namespace ouro::tests {
namespace {

using engine::Duration;
using engine::kNever;
using engine::Time;
using llm::ReadyToken;
using llm::StationState;
using llm::StationTimes;
using llm::Token;

Time at(int ps) {
  return Time{Duration{ps}};
}

Duration of(const StationTimes& times, StationState state, int end) {
  return times.between(Time{}, at(end))[static_cast<std::size_t>(state)];
}

TEST(StationTimes, GivesEachMomentToWhatTheNextTokenWaitedFor) {
  StationTimes times;
  // parts from 10 to 50, of which the link needs 15; normalised at 57; the rest of its sequence at 60; KV
  // cores free at 80, a credit at 100 from a token that was whole at the next station at 93
  times.launch({Token{}, at(10), at(50), at(57)},
               {.kv_since = at(60), .credit_since = at(80), .whole_ahead = at(93)}, Duration{15},
               Duration{30}, at(100));

  EXPECT_EQ(of(times, StationState::no_token, 200), Duration{10 + 70});
  EXPECT_EQ(of(times, StationState::home, 200), Duration{15 + 7});
  EXPECT_EQ(of(times, StationState::network, 200), Duration{25});
  EXPECT_EQ(of(times, StationState::sequence, 200), Duration{3});
  EXPECT_EQ(of(times, StationState::kv_write, 200), Duration{20});
  EXPECT_EQ(of(times, StationState::output_buffer, 200), Duration{13});
  EXPECT_EQ(of(times, StationState::input_buffer, 200), Duration{7});
  EXPECT_EQ(of(times, StationState::passes, 200), Duration{30});
}

TEST(StationTimes, WaitsForNothingWhileThereArePasses) {
  StationTimes times;
  times.launch({Token{}, at(0), at(0), at(0)}, {}, Duration{}, Duration{100}, at(0));
  times.launch({Token{}, at(10), at(20), at(30)}, {.credit_since = at(30)}, Duration{}, Duration{100},
               at(60));
  times.launch({Token{}, at(0), at(70), at(210)}, {}, Duration{}, Duration{1}, at(210));

  EXPECT_EQ(of(times, StationState::output_buffer, 300), Duration{});
  EXPECT_EQ(of(times, StationState::input_buffer, 300), Duration{});
  EXPECT_EQ(of(times, StationState::passes, 300), Duration{201});
  EXPECT_EQ(of(times, StationState::home, 300), Duration{10});
  EXPECT_EQ(of(times, StationState::no_token, 300), Duration{89});
}

TEST(StationTimes, BeginWithTheFirstArrival) {
  StationTimes times;
  times.launch({Token{}, at(40), at(40), at(40)}, {}, Duration{}, Duration{5}, at(40));
  const auto between = times.between(at(30), at(100));
  EXPECT_EQ(between[static_cast<std::size_t>(StationState::no_token)], Duration{10 + 55});
  EXPECT_EQ(between[static_cast<std::size_t>(StationState::passes)], Duration{5});
}

ReadyToken token(std::uint32_t number, int flags = 0) {
  return {Token{.number = number, .flags = static_cast<std::uint8_t>(flags)}, {}, {}, {}};
}

TEST(ReadyTokens, LeaveInTheirOrder) {
  llm::ReadyTokens tokens;
  tokens.add(token(1));
  EXPECT_EQ(tokens.next(), nullptr);
  tokens.add(token(0));
  EXPECT_EQ(tokens.pop().token.number, 0U);
  EXPECT_EQ(tokens.pop().token.number, 1U);
  EXPECT_EQ(tokens.next(), nullptr);
}

TEST(ReadyTokens, LeaveWhenAllOfTheirBatchAreHere) {
  constexpr int kFirst = Token::kIsFollowed;
  constexpr int kMiddle = Token::kFollows | Token::kIsFollowed;
  constexpr int kLast = Token::kFollows;
  llm::ReadyTokens tokens;
  tokens.add(token(0, kFirst));
  tokens.add(token(2, kLast));
  tokens.add(token(3, kFirst));
  EXPECT_EQ(tokens.next(), nullptr);
  tokens.add(token(1, kMiddle));
  for (const std::uint32_t number : {0U, 1U, 2U}) {
    ASSERT_NE(tokens.next(), nullptr);
    EXPECT_EQ(tokens.pop().token.number, number);
  }
  EXPECT_EQ(tokens.next(), nullptr) << "the second batch is not whole";
  tokens.add(token(4, kLast));
  EXPECT_EQ(tokens.pop().token.number, 3U);
}

}  // namespace
}  // namespace ouro::tests
