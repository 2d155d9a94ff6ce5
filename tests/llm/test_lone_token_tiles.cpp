#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/llm/line_machine.hpp"
#include "tests/llm/lone_run.hpp"

// Matrices of several cores each, whose partial sums travel, in two blocks on a line of two dies of 22 cores.
// A core has 2 crossbars of 192 rows, so that it holds 384 rows of 128 words, and one page of one head.
//
// hidden 256, 2 heads of 128, FFN 640, vocabulary 256.

namespace ouro::tests {
namespace {

using wafer::Component;

constexpr int kBlocks = 2;
constexpr int kKvCores = 4;
constexpr int kPage = 128;

Cycle divide_up(std::int64_t amount, std::int64_t by) {
  return (amount + by - 1) / by;
}
Cycle pass(int rows) {
  return 8 * divide_up(rows, 32);
}
Cycle htree(std::int64_t bits) {
  return 5 + divide_up(bits, 1024) - 1;
}
Cycle sfu(std::int64_t elements) {
  return 8 + divide_up(elements, 64) - 1;
}

/// Bytes that a tile sends on: of a vector, or of a head.
struct Output {
  int bytes;
  int head = 0;
  bool query = false;
};

/// What one core does for a token.
struct HandTile {
  int rows;            ///< of 128 words, all its columns together
  int sums;            ///< columns that it works on
  bool takes = false;  ///< sums from the core before
  bool gives = false;  ///< sums to the core behind: those of one strip
  bool waits = false;  ///< gives only what it has taken and added to
  std::vector<Output> outputs{};
};

struct HandGroup {
  int input;  ///< bytes
  int strip;  ///< columns of a strip, gate and up together
  std::vector<HandTile> tiles;
};

// q, k, v of a head are strips of 256 rows: 0 to 2, then 3 to 5; 384 rows a core
const HandGroup kQkv{256,
                     128,
                     {{384, 256, false, true, false, {{128, 0, true}}},   // q, half of k
                      {384, 256, true, false, false, {{256, 0, false}}},  // k, v
                      {384, 256, false, true, false, {{128, 1, true}}},
                      {384, 256, true, false, false, {{256, 1, false}}}}};
// 2 strips of 256 rows
const HandGroup kOutput{
    256, 128, {{384, 256, false, true, false, {{128}}}, {128, 128, true, false, false, {{128}}}}};
// 5 strips of 256 rows for gate and as many for up: 512 rows
const HandGroup kGateUp{256,
                        256,
                        {{384, 256, false, true},
                         {384, 512, true, true, false, {{128}}},
                         {384, 512, true, true, false, {{128}}},
                         {384, 256, true, false, false, {{128}}},
                         {384, 256, false, true},
                         {384, 512, true, true, false, {{128}}},
                         {256, 256, true, false, false, {{128}}}}};
// 2 strips of 640 rows
const HandGroup kDown{640,
                      128,
                      {{384, 128, false, true},
                       {384, 256, true, true, false, {{128}}},
                       {384, 128, true, true, true},
                       {128, 128, true, false, false, {{128}}}}};
// as kOutput, with 32 candidates of 8 bytes from a core
const HandGroup kHead{
    256, 128, {{384, 256, false, true, false, {{256}}}, {128, 128, true, false, false, {{256}}}}};

/// Over the two edges of the H-tree: the input to each crossbar that the tile fills, and back its sums of
/// each strip that it holds rows of.
std::int64_t htree_bits(const HandGroup& group, int index) {
  const int rows_of_strip = group.input * group.strip / 128;
  const int end = 384 * index + group.tiles[static_cast<std::size_t>(index)].rows;
  std::int64_t bits = 0;
  for (int first = 384 * index; first < end; first += 192) {
    const int last = std::min(first + 192, end) - 1;
    bits += 8 * group.input + 32 * group.strip * (last / rows_of_strip - first / rows_of_strip + 1);
  }
  return bits;
}

/// The parts of something whole, complete when the last is there.
class Parts {
 public:
  explicit Parts(int expected) : missing_{expected} {}
  /// @return whether that was the last
  bool add(Cycle at) {
    whole_ = std::max(whole_, at);
    return --missing_ == 0;
  }
  Cycle whole() const { return whole_; }

 private:
  int missing_;
  Cycle whole_ = 0;
};

/// One token's way through the whole machine, the pipeline being empty otherwise.
class LoneToken {
 public:
  explicit LoneToken(int context) : context_{context}, line_{agenda_, kCores, kCores / 2} {}

  /// @return  cycles from the controllers' release to the sampled token
  Cycle run() {
    agenda_.at(100,
               [this] { line_.send_from_host(qkv_home(0), 256, [this](Cycle tail) { norm(0, tail); }); });
    agenda_.run();
    return sampled_;
  }

  wafer::EnergyCounts counts() const {
    auto counts = line_.counts();
    counts += work_;
    return counts;
  }

 private:
  static constexpr int kWeightCores = 4 + 2 + 7 + 4;
  static constexpr int kBlockCores = kWeightCores + kKvCores;
  static constexpr int kHeadHome = kBlocks * kBlockCores;
  static constexpr int kCores = kHeadHome + 2;

  static int qkv_home(int block) { return block * kBlockCores; }
  static int kv_core(int block, int ring) { return qkv_home(block) + 4 + ring; }
  static int output_home(int block) { return kv_core(block, kKvCores); }
  static int gate_up_home(int block) { return output_home(block) + 2; }
  static int down_home(int block) { return gate_up_home(block) + 7; }

  // ---- a group of tiles

  using Send = std::function<void(int core, const Output& output)>;

  /// Multicast to the tiles, their passes and partial sums; `send` when a tile's outputs are there.
  void compute(int home, const HandGroup& group, Cycle activation, const Send& send) {
    auto parts = std::make_shared<std::vector<Parts>>();
    for (const auto& tile : group.tiles) parts->emplace_back(tile.takes ? 2 : 1);
    line_.multicast(
        home, static_cast<int>(group.tiles.size()), group.input, [=, this, &group](int i, Cycle tail) {
          const auto& tile = group.tiles[static_cast<std::size_t>(i)];
          const Cycle end =
              tail + htree(8 * group.input) + pass(std::min(tile.rows, 192)) + htree(32 * tile.sums);
          work_[Component::mac] += 128 * tile.rows;
          work_[Component::htree] += htree_bits(group, i);
          if (tile.gives && !tile.waits)
            agenda_.at(end, [=, this, &group] { give(home, group, i, activation, parts, send); });
          add_part(home, group, i, activation, parts, send, end);
        });
  }

  using PartsOfTiles = std::shared_ptr<std::vector<Parts>>;

  void give(int home, const HandGroup& group, int i, Cycle activation, const PartsOfTiles& parts,
            const Send& send) {
    line_.send(home + i, home + i + 1, 4 * group.strip, [=, this, &group](Cycle tail) {
      add_part(home, group, i + 1, activation, parts, send, tail);
    });
  }

  void add_part(int home, const HandGroup& group, int i, Cycle activation, const PartsOfTiles& parts,
                const Send& send, Cycle at) {
    const auto& tile = group.tiles[static_cast<std::size_t>(i)];
    auto& part = (*parts)[static_cast<std::size_t>(i)];
    if (!part.add(at)) return;
    Cycle done = part.whole();
    if (tile.takes) {
      done += sfu(group.strip);
      work_[Component::sfu_simple] += group.strip;
    }
    if (!tile.outputs.empty()) done += activation;
    agenda_.at(done, [=, this, &group, &tile] {
      if (tile.waits) give(home, group, i, activation, parts, send);
      for (const auto& output : tile.outputs) send(home + i, output);
    });
  }

  // ---- a block

  void credit(int from, int to) {
    line_.send(from, to, 1, [](Cycle) {});
  }

  /// Norm of the vector that is at the home of QKV (or of the LM head behind the last block), and on.
  void norm(int block, Cycle whole) {
    work_[Component::sfu_simple] += 4 * 256;
    work_[Component::sfu_special] += 2;
    agenda_.at(whole + 2 * sfu(256), [=, this] { block == kBlocks ? lm_head() : qkv(block); });
  }

  Cycle add_residual(Cycle whole) {
    work_[Component::sfu_simple] += 256;
    return whole + sfu(256);
  }

  void qkv(int block) {
    const int home = qkv_home(block);
    heads_.assign(2, Parts{2});            // a head's inputs are from two tiles
    attention_.assign(2, Parts{pages()});  // a page is on a core of its own
    outputs_ = Parts{2};
    compute(home, kQkv, 0, [=, this](int core, const Output& output) { send_to_head(block, core, output); });
    residual_ = Parts{2 + 1};  // O tiles and the residual
    line_.send(home, gate_up_home(block), 256,
               [=, this](Cycle tail) { add_to_attention_output(block, tail); });
    credit(home, block == 0 ? Line::kHost : down_home(block - 1));
  }

  // The second pages lie behind the first: head 0 has cores 0 and 2 of the ring, head 1 has 1 and 3.
  int pages() const { return context_ > kPage ? 2 : 1; }
  int newest(int head) const { return head + 2 * (pages() - 1); }

  void send_to_head(int block, int core, const Output& output) {
    const int head = output.head;
    if (output.query && pages() == 2) {
      line_.send(core, kv_core(block, head), output.bytes,
                 [=, this](Cycle tail) { attend_old_page(block, head, tail); });
    }
    line_.send(core, kv_core(block, newest(head)), output.bytes, [=, this](Cycle tail) {
      auto& inputs = heads_[static_cast<std::size_t>(head)];
      if (inputs.add(tail)) attend_newest_page(block, head, inputs.whole());
    });
  }

  /// Score, softmax, S x V over `tokens` tokens of a page.
  Cycle attention(int tokens) {
    work_[Component::mac] += 2 * 128 * tokens;
    work_[Component::htree] += (8 * 128 + 32 * tokens) + (8 * tokens + 32 * 128);
    work_[Component::sfu_special] += tokens + 1;
    work_[Component::sfu_simple] += 3 * tokens;
    return pass(128) + htree(32 * tokens) + 3 * sfu(tokens) + pass(tokens) + htree(32 * 128);
  }

  void attend_old_page(int block, int head, Cycle ready) {
    agenda_.at(ready + attention(kPage), [=, this] {
      const int bytes = 4 * 128 + 2 * 4;  // 32-bit outputs, maximum and sum
      line_.send(kv_core(block, head), kv_core(block, newest(head)), bytes,
                 [=, this](Cycle tail) { add_attention(block, head, tail); });
    });
  }

  void attend_newest_page(int block, int head, Cycle ready) {
    const Cycle write_k = 128;  // a column
    const Cycle write_v = 1;    // a row
    work_[Component::kv_write] += 2 * 8 * 128;
    add_attention(block, head, ready + write_k + write_v + attention(context_ - kPage * (pages() - 1)));
  }

  void add_attention(int block, int head, Cycle at) {
    auto& parts = attention_[static_cast<std::size_t>(head)];
    if (!parts.add(at)) return;
    Cycle done = parts.whole();
    if (pages() == 2) {  // rescaled and added
      done += 2 * sfu(2 * 128);
      work_[Component::sfu_simple] += 2 * (2 * 128);
      work_[Component::sfu_special] += 2 + 1;
    }
    agenda_.at(done, [=, this] {
      line_.send(kv_core(block, newest(head)), output_home(block), 128, [=, this](Cycle tail) {
        if (outputs_.add(tail)) agenda_.at(outputs_.whole(), [=, this] { output(block); });
      });
    });
  }

  void output(int block) {
    const int home = output_home(block);
    compute(home, kOutput, 0, [=, this](int core, const Output& part) {
      line_.send(core, gate_up_home(block), part.bytes,
                 [=, this](Cycle tail) { add_to_attention_output(block, tail); });
    });
    credit(home, qkv_home(block));
  }

  void add_to_attention_output(int block, Cycle tail) {
    if (!residual_.add(tail)) return;
    work_[Component::sfu_simple] += 4 * 256;
    work_[Component::sfu_special] += 2;
    agenda_.at(add_residual(residual_.whole()) + 2 * sfu(256), [=, this] { gate_up(block); });
  }

  void gate_up(int block) {
    const int home = gate_up_home(block);
    inner_ = Parts{5};  // tiles with outputs
    const Cycle silu = 2 * sfu(128);
    compute(home, kGateUp, silu, [=, this](int core, const Output& part) {
      work_[Component::sfu_special] += 2 * 128;
      work_[Component::sfu_simple] += 3 * 128;
      line_.send(core, down_home(block), part.bytes, [=, this](Cycle tail) {
        if (inner_.add(tail)) agenda_.at(inner_.whole(), [=, this] { down(block); });
      });
    });
    block_output_ = Parts{2 + 1};
    line_.send(home, qkv_home(block + 1), 256, [=, this](Cycle tail) { add_to_block_output(block, tail); });
    credit(home, output_home(block));
  }

  void down(int block) {
    const int home = down_home(block);
    compute(home, kDown, 0, [=, this](int core, const Output& part) {
      line_.send(core, qkv_home(block + 1), part.bytes,
                 [=, this](Cycle tail) { add_to_block_output(block, tail); });
    });
    credit(home, gate_up_home(block));
  }

  void add_to_block_output(int block, Cycle tail) {
    if (block_output_.add(tail)) norm(block + 1, add_residual(block_output_.whole()));
  }

  void lm_head() {
    candidates_ = Parts{2};
    compute(kHeadHome, kHead, 0, [=, this](int core, const Output& part) {
      line_.send(core, Line::kHost, part.bytes, [=, this](Cycle tail) {
        if (candidates_.add(tail)) agenda_.at(candidates_.whole() + 100, [=, this] { sample(); });
      });
    });
    credit(kHeadHome, down_home(kBlocks - 1));
  }

  void sample() {
    sampled_ = agenda_.now();
    line_.send_from_host(kHeadHome, 1, [](Cycle) {});  // a credit
  }

  int context_;
  Agenda agenda_;
  Line line_;
  wafer::EnergyCounts work_;
  std::vector<Parts> heads_;
  std::vector<Parts> attention_;
  Parts outputs_{0};
  Parts residual_{0};
  Parts inner_{0};
  Parts block_output_{0};
  Parts candidates_{0};
  Cycle sampled_ = 0;
};

TEST(LoneTokenOverTiles, TakesTheTimeAndTheEnergyOfAHandModelWithEveryContextUpToTwoPages) {
  auto machine = line_of_cores(2, 22);
  machine.emplace_back("wafer.core.crossbars=2");
  machine.emplace_back("wafer.core.crossbar_rows=192");
  const ToyModel model{.layers = 2, .hidden = 256, .ffn = 640, .heads = 2, .kv_heads = 2, .head_dim = 128};
  constexpr int kTokens = 160;  // a page has 128
  const auto run = run_lone_tokens(model, machine, kTokens);
  ASSERT_EQ(run.tokens.size(), std::size_t{kTokens});

  std::array<wafer::EnergyCounts, 2> expected;
  for (int context = 1; context <= kTokens; ++context) {
    LoneToken token{context};
    const auto& record = run.tokens[static_cast<std::size_t>(context - 1)];
    ASSERT_EQ(record.retired - record.issued, std::chrono::nanoseconds{token.run()}) << "context " << context;
    expected[context == 1 ? 0 : 1] += token.counts();
  }
  EXPECT_EQ(run.counts[0].of, expected[0].of);
  EXPECT_EQ(run.counts[1].of, expected[1].of);
}

TEST(CrossbarPlacement, ChangesTheEnergyOfTheHTreeAndNothingElse) {
  const ToyModel model{.layers = 2, .hidden = 256, .ffn = 640, .heads = 2, .kv_heads = 2, .head_dim = 128};
  const auto run = [&](const std::string& placement, const std::string& fidelity) {
    auto machine = line_of_cores(2, 22);
    for (const auto& more :
         {std::string{"wafer.core.crossbars=4"}, std::string{"wafer.core.crossbar_rows=128"},
          "wafer.core.crossbar_placement=" + placement, "wafer.noc.fidelity=" + fidelity})
      machine.push_back(more);
    return run_lone_tokens(model, machine, 3);
  };
  const auto optimised = run("optimised", "packet");
  auto by_input = run("by_input", "packet");
  for (std::size_t i = 0; i < optimised.tokens.size(); ++i)
    EXPECT_EQ(optimised.tokens[i].retired, by_input.tokens[i].retired);
  EXPECT_EQ(run("by_input", "stage").counts[0].of, by_input.counts[0].of);
  // a strip of 256 rows, in two crossbars: its sums meet at a node above them, or at the root
  EXPECT_LT(optimised.counts[0][Component::htree], by_input.counts[0][Component::htree]);
  by_input.counts[0][Component::htree] = optimised.counts[0][Component::htree];
  EXPECT_EQ(optimised.counts[0].of, by_input.counts[0].of);
}

}  // namespace
}  // namespace ouro::tests
