#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/error.hpp"
#include "tests/llm/lone_run.hpp"

// Fidelity `flit` against `packet` with repeated unicast: tokens that wait for each other elsewhere, but the
// same packets over the same links. tests/llm/test_lone_token.cpp has its lone token by hand.

namespace ouro::tests {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> at(const std::string& fidelity, std::vector<std::string> machine) {
  machine.push_back("wafer.noc.fidelity=" + fidelity);
  machine.emplace_back("wafer.noc.multicast=unicast");
  return machine;
}

std::vector<std::string> busy(std::vector<std::string> machine) {
  for (const char* more : {"workload.lengths=fixed", "workload.requests=4", "workload.prompt_tokens=20",
                           "workload.output_tokens=6"})
    machine.emplace_back(more);
  return machine;
}

void expect_equal_counts(const std::string& config_json, const std::vector<std::string>& machine) {
  const auto packet = run_to_the_end(*read_model(config_json, at("packet", machine)));
  const auto flit = run_to_the_end(*read_model(config_json, at("flit", machine)));
  expect_equal_counts(flit, packet);
  EXPECT_EQ(flit.traffic.packets_received, flit.traffic.packets_sent);
  EXPECT_EQ(flit.traffic.flits_received, flit.traffic.flits_sent);
}

/// Several tiles for each matrix.
std::string wide_model(int layers) {
  return hugging_face_config(
      {.layers = layers, .hidden = 512, .ffn = 1024, .heads = 8, .kv_heads = 4, .vocab = 1024});
}

std::vector<std::string> grid_of_cores() {
  return {"wafer.die_columns=3", "wafer.die_rows=2",       "wafer.core_columns=4",
          "wafer.core_rows=4",   "wafer.core.crossbars=4", "wafer.core.crossbar_rows=384"};
}

TEST(FlitFidelity, SendsThePacketsOfThePacketFidelityWithRepeatedUnicast) {
  expect_equal_counts(wide_model(2), busy(grid_of_cores()));
}

TEST(FlitFidelity, SendsThemThroughSmallBuffersToo) {
  auto machine = busy(grid_of_cores());
  for (const char* more : {"wafer.noc.link_width=32 bit", "wafer.noc.virtual_channels=2",
                           "wafer.noc.buffer_flits=1", "workload.requests=1"})
    machine.emplace_back(more);
  expect_equal_counts(wide_model(2), machine);
}

/// Here K and V of a token are whole at a KV core before those of the token before it; had they not waited
/// there, the run would end with a broken contract.
TEST(FlitFidelity, KeepsTheOrderOfKAndVThatOvertookOthers) {
  auto machine = busy(grid_of_cores());
  for (const char* more : {"wafer.noc.link_width=8 bit", "wafer.core.crossbar_rows=128"})
    machine.emplace_back(more);
  expect_equal_counts(wide_model(1), machine);
}

TEST(FlitFidelity, SendsThemForWholeSequencesToo) {
  auto machine = busy(grid_of_cores());
  machine.emplace_back("serving.pipelining=sequence");
  expect_equal_counts(wide_model(1), machine);
}

TEST(FlitFidelity, SendsThemAroundDeadRoutersAndLinks) {
  const TemporaryFile map{"map.csv",
                          "kind,x,y,direction\nrouter,1,1,\nrouter,5,4,\nlink,2,0,east\ncore,7,7,\n"};
  auto machine = busy(grid_of_cores());
  machine.push_back("wafer.faults.map_file=" + map.path());
  expect_equal_counts(wide_model(2), machine);
}

TEST(FlitFidelity, SendsThemForExpertsToo) {
  const ToyModel model{
      .layers = 2, .type = "mixtral", .more = R"(, "num_local_experts": 4, "num_experts_per_tok": 2)"};
  expect_equal_counts(hugging_face_config(model), busy(grid_of_cores()));
}

constexpr const char* kEncoder =
    R"({"model_type": "bert", "_name_or_path": "toy", "num_hidden_layers": 2, "hidden_size": 128,
        "intermediate_size": 256, "num_attention_heads": 2, "vocab_size": 256, "hidden_act": "gelu",
        "max_position_embeddings": 2048, "type_vocab_size": 2})";

TEST(FlitFidelity, SendsThemForAnEncoderToo) {
  expect_equal_counts(kEncoder, busy(grid_of_cores()));
}

/// The next token needs the credit that announcements of the one before bring, over narrow links: the run
/// ends only if that does not wait for O, which waits for the whole sequence.
TEST(FlitFidelity, SendsThemForAnEncoderWithRoomForOneTokenToo) {
  auto machine = busy(grid_of_cores());
  for (const char* more : {"wafer.noc.link_width=8 bit", "wafer.core.output_buffer=767 B"})
    machine.emplace_back(more);
  const auto experiment = read_model(kEncoder, at("flit", machine));
  ASSERT_EQ(experiment->plan->window(), 1);
  expect_equal_counts(kEncoder, machine);
}

std::string refusal(std::vector<std::string> assignments) {
  try {
    read_toy({}, busy(std::move(assignments)));
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FlitFidelity, RefusesWhatItDoesNotSimulate) {
  const std::string flit = "wafer.noc.fidelity=flit", unicast = "wafer.noc.multicast=unicast";
  EXPECT_THAT(refusal({flit}),
              HasSubstr("wafer.noc.multicast: the routers of fidelity flit have no multicast; "
                        "\"unicast\", at packet, too, to compare them"));
  EXPECT_THAT(refusal({flit, unicast, "wafer.count=2", "wafer.joint.links=2"}),
              HasSubstr("2 wafers cannot be simulated flit by flit"));
  EXPECT_THAT(refusal({flit, unicast, "wafer.faults.runtime.cores=1"}),
              HasSubstr("the fidelity flit is not simulated while something fails"));
  EXPECT_THAT(
      refusal({flit, unicast, "wafer.clock=2 ps"}),
      HasSubstr("wafer.clock: a cycle of 2 ps is too short for the fidelity flit; at least \"3 ps\""));
  EXPECT_EQ(refusal({flit, unicast, "wafer.clock=3 ps"}), "accepted");
}

TEST(Network, NeedsTimeFromTheHostInterface) {
  EXPECT_THAT(refusal({"wafer.noc.wire_latency=0 cycles", "wafer.noc.die_crossing_latency=0 cycles"}),
              HasSubstr("wafer.noc.wire_latency: a token would come from the host interface in no time"));
}

}  // namespace
}  // namespace ouro::tests
