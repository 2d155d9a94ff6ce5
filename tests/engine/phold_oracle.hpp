#pragma once

#include <set>
#include <vector>

#include "engine/digest.hpp"
#include "engine/verification.hpp"
#include "tests/engine/phold.hpp"

namespace ouro::tests {

/// PHOLD run by the plainest loop there is: one ordered set, no queue, region or synchronizer of the engine.
inline engine::RunVerdict run_phold_sequentially(const PholdConfig& config) {
  std::set<engine::Event> pending;
  std::vector<PholdObject> objects;
  std::vector<std::uint64_t> sent(config.objects), handled(config.objects);
  std::vector<engine::Digest> digests(config.objects);

  const auto send_from = [&](std::uint32_t from, engine::Time now, std::uint64_t hops) {
    const auto [to, delay] = objects[from].next();
    engine::Event event{now + delay, to, engine::LpId{from}, sent[from]++, {}};
    event.set(PholdMessage{hops});
    pending.insert(event);
  };
  for (std::uint32_t i = 0; i < config.objects; ++i) {
    objects.emplace_back(config, engine::LpId{i});
    for (int j = 0; j < config.start_events; ++j) send_from(i, engine::Time{}, 0);
  }
  while (pending.begin()->time < config.end) {
    const auto event = *pending.begin();
    pending.erase(pending.begin());
    const auto to = event.to.value();
    digests[to].add(event);
    ++handled[to];
    send_from(to, event.time, event.as<PholdMessage>().hops + 1);
  }

  engine::RunVerdict verdict;
  for (std::uint32_t i = 0; i < config.objects; ++i) {
    verdict.digest += engine::digest_term(engine::LpId{i}, digests[i].value());
    verdict.events += handled[i];
  }
  return verdict;
}

}  // namespace ouro::tests
