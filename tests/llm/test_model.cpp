#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "engine/error.hpp"
#include "llm/model.hpp"
#include "llm/model_import.hpp"

namespace ouro::llm {
namespace {

/// A published model, with what docs/design.md says that an importer must find.
struct Published {
  const char* name;
  const char* config;
  std::int64_t parameters;
  std::int64_t kv_bytes;
};

constexpr Published kPublished[] = {
    {"LLaMA-13B, early style",
     R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 13824,
         "max_sequence_length": 2048, "num_attention_heads": 40, "num_hidden_layers": 40,
         "vocab_size": 32000, "pad_token_id": -1, "rms_norm_eps": 1e-06})",
     13'015'864'320, 409'600},
    {"LLaMA-30B",
     R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 6656, "intermediate_size": 17920,
         "max_position_embeddings": 2048, "num_attention_heads": 52, "num_hidden_layers": 60,
         "vocab_size": 32000, "tie_word_embeddings": false})",
     32'528'943'616, 798'720},
    {"LLaMA-65B",
     R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 8192, "intermediate_size": 22016,
         "max_position_embeddings": 2048, "num_attention_heads": 64, "num_hidden_layers": 80,
         "vocab_size": 32000, "tie_word_embeddings": false})",
     65'285'660'672, 1'310'720},
    {"Baichuan-13B",
     R"({"model_type": "baichuan", "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 13696,
         "model_max_length": 4096, "num_attention_heads": 40, "num_hidden_layers": 40,
         "vocab_size": 64000, "tie_word_embeddings": false})",
     13'264'901'120, 409'600},
    {"Qwen2.5-32B",
     R"({"model_type": "qwen2", "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 27648,
         "max_position_embeddings": 131072, "num_attention_heads": 40, "num_hidden_layers": 64,
         "num_key_value_heads": 8, "sliding_window": 131072, "vocab_size": 152064})",
     32'763'876'352, 131'072},
    {"Qwen3-32B",
     R"({"model_type": "qwen3", "attention_bias": false, "head_dim": 128, "hidden_act": "silu",
         "hidden_size": 5120, "intermediate_size": 25600, "max_position_embeddings": 40960,
         "num_attention_heads": 64, "num_hidden_layers": 64, "num_key_value_heads": 8,
         "rope_scaling": null, "sliding_window": null, "use_sliding_window": false,
         "tie_word_embeddings": false, "vocab_size": 151936})",
     32'762'123'264, 131'072},
    {"Llama-3-70B",
     R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 8192, "intermediate_size": 28672,
         "max_position_embeddings": 8192, "num_attention_heads": 64, "num_hidden_layers": 80,
         "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": false})",
     70'553'706'496, 163'840},
    {"Llama-2-7b",
     R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 11008,
         "max_position_embeddings": 4096, "num_attention_heads": 32, "num_hidden_layers": 32,
         "num_key_value_heads": 32, "vocab_size": 32000, "tie_word_embeddings": false})",
     6'738'415'616, 262'144},  // 2 x 32 layers x 4096
};

void PrintTo(const Published& model, std::ostream* out) {
  *out << model.name;
}

class PublishedModel : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedModel, HasItsExactParameterCountAndKvSize) {
  const auto model = import_hugging_face(GetParam().config, GetParam().name);
  EXPECT_EQ(parameter_count(model), GetParam().parameters);
  EXPECT_EQ(kv_bytes_per_token(model), GetParam().kv_bytes);
}

INSTANTIATE_TEST_SUITE_P(Models, PublishedModel, ::testing::ValuesIn(kPublished));

/// A small model: two blocks of four heads of 8. `more` replaces or adds keys: a later key wins.
ModelDescription import_small(const std::string& more = "") {
  return import_hugging_face(
      R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 48,
          "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100)" +
          (more.empty() ? "" : ", " + more) + "}",
      "config.json");
}

std::string refusal_of(const std::string& json_text) {
  try {
    import_hugging_face(json_text, "config.json");
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refusal_with(const std::string& more) {
  try {
    import_small(more);
  } catch (const engine::InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ModelImport, ReadsEveryField) {
  const auto model = import_small(
      R"("num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": true, "max_position_embeddings": 64,
         "_name_or_path": "small")");
  EXPECT_EQ(model, (ModelDescription{.name = "small",
                                     .layers = 2,
                                     .hidden_size = 32,
                                     .ffn_size = 48,
                                     .attention_heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 16,
                                     .vocab_size = 100,
                                     .tied_embeddings = true,
                                     .trained_context = 64}));
  EXPECT_EQ(query_width(model), 64);
  EXPECT_EQ(kv_width(model), 32);
  EXPECT_EQ(pipeline_stages(model), 12);
  EXPECT_EQ(block_weight_bytes(model), 32 * 64 + 2 * 32 * 32 + 64 * 32 + 3 * 32 * 48);
}

TEST(ModelImport, NamesAModelAfterItsFileWhereItHasNoName) {
  EXPECT_EQ(import_small().name, "config.json");
}

TEST(ModelImport, TakesMissingKvHeadsAndContextAsFullHeadsAndUnknown) {
  EXPECT_EQ(import_small().kv_heads, 4);
  EXPECT_EQ(import_small(R"("num_key_value_heads": null)").kv_heads, 4);
  EXPECT_EQ(import_small().head_dim, 8);
  EXPECT_EQ(import_small().trained_context, 0);
}

TEST(ModelImport, StoresATiedEmbeddingOnce) {
  EXPECT_EQ(parameter_count(import_small()) - parameter_count(import_small(R"("tie_word_embeddings": true)")),
            100 * 32);
}

TEST(ModelImport, AddsTheBiasesThatAModelTypeHas) {
  const auto added = [](const char* type) {
    const auto of = [&](const char* bias) {
      return import_small(std::string{R"("model_type": ")"} + type + R"(", "attention_bias": )" + bias);
    };
    return parameter_count(of("true")) - parameter_count(of("false"));
  };
  EXPECT_EQ(added("llama"), 2 * (3 * 32 + 32));  // two layers: q, k, v and o
  EXPECT_EQ(added("qwen3"), 2 * (3 * 32 + 32));
  EXPECT_EQ(added("qwen2"), 2 * 3 * 32);
  EXPECT_TRUE(import_small(R"("model_type": "qwen2")").qkv_bias);
  EXPECT_FALSE(import_small(R"("model_type": "qwen3")").qkv_bias);
}

TEST(ModelImport, RefusesUnknownModelTypesWithTheKnownOnes) {
  EXPECT_EQ(
      refusal_with(R"("model_type": "mixtral")"),
      "config.json: model_type: no model type 'mixtral'; known: llama, baichuan, mistral, qwen2, qwen3");
  EXPECT_EQ(refusal_of("{}"), "config.json: no key 'model_type'; it says how to read the other keys");
}

TEST(ModelImport, RefusesAMissingKeyByName) {
  EXPECT_EQ(refusal_of(R"({"model_type": "llama", "hidden_size": 32, "num_attention_heads": 4})"),
            "config.json: no key 'num_hidden_layers'; the model's shape needs it");
  EXPECT_EQ(refusal_with(R"("vocab_size": null)"),
            "config.json: no key 'vocab_size'; the model's shape needs it");
}

TEST(ModelImport, RefusesSizesThatAreNoSizes) {
  for (const char* value : {"0", "-1", "10001", "2.0", "\"2\"", "true", "[2]", "18446744073709551617"}) {
    const std::string key = R"("num_hidden_layers": )";
    EXPECT_EQ(refusal_with(key + value),
              std::string{"config.json: num_hidden_layers: "} +
                  (value[0] == '1' && value[1] == '8' ? "1.8446744073709552e+19" : value) +
                  " is not accepted; it must be a whole number from 1 to 10000");
  }
  EXPECT_EQ(import_small(R"("num_hidden_layers": 10000)").layers, 10'000);
}

TEST(ModelImport, RefusesHeadsThatDoNotDivide) {
  EXPECT_EQ(
      refusal_with(R"("num_key_value_heads": 3)"),
      "config.json: num_key_value_heads: 3 is not accepted; it must be a divisor of the 4 attention heads");
  EXPECT_EQ(refusal_with(R"("num_attention_heads": 5)"),
            "config.json: num_attention_heads: 5 is not accepted; it must be a divisor of the hidden size 32 "
            "where no head_dim is given");
  EXPECT_EQ(refusal_with(R"("num_attention_heads": 5, "head_dim": 8)"), "accepted");
}

TEST(ModelImport, RefusesWhatItDoesNotModel) {
  EXPECT_EQ(
      refusal_with(R"("num_local_experts": 8)"),
      "config.json: num_local_experts: a mixture of experts is not modelled; known are dense decoders with "
      "full attention");
  for (const char* key : {"num_experts", "n_routed_experts", "q_lora_rank", "kv_lora_rank",
                          "is_encoder_decoder", "add_cross_attention", "use_sliding_window", "mlp_bias"}) {
    EXPECT_NE(refusal_with('"' + std::string{key} + R"(": true)"), "accepted") << key;
    EXPECT_EQ(refusal_with('"' + std::string{key} + R"(": false)"), "accepted") << key;
    EXPECT_EQ(refusal_with('"' + std::string{key} + R"(": null)"), "accepted") << key;
  }
  EXPECT_EQ(refusal_with(R"("hidden_act": "gelu")"),
            "config.json: hidden_act: gelu is not accepted; it must be silu");
}

TEST(ModelImport, RefusesWeightsOfOtherThan8Bits) {
  EXPECT_EQ(
      refusal_with(R"("quantization_config": {"bits": 4, "quant_method": "awq"})"),
      R"(config.json: quantization_config: {"bits":4,"quant_method":"awq"} is not accepted; it must be 8 bits a weight)");
  EXPECT_EQ(refusal_with(R"("quantization_config": {"bits": 8, "quant_method": "gptq"})"), "accepted");
  EXPECT_EQ(refusal_with(R"("quantization_config": {"quant_method": "fp8"})"), "accepted");
  EXPECT_NE(refusal_with(R"("quantization_config": 8)"), "accepted");
}

TEST(ModelImport, RefusesAWindowBelowTheContextOfMistral) {
  const std::string mistral =
      R"("model_type": "mistral", "max_position_embeddings": 4096, "sliding_window": )";
  EXPECT_EQ(refusal_with(mistral + "4095"),
            "config.json: sliding_window: 4095 is not accepted; it must be null or the whole context: "
            "sliding-window attention is not modelled");
  EXPECT_EQ(refusal_with(mistral + "4096"), "accepted");
  EXPECT_EQ(refusal_with(mistral + "null"), "accepted");
}

TEST(ModelImport, SaysWhereAFileStopsBeingJson) {
  EXPECT_EQ(refusal_of("{\n  \"layers\": 1,\n  oops\n}"), "config.json:3: not JSON from here on");
  EXPECT_EQ(refusal_of(""), "config.json:1: not JSON from here on");
  EXPECT_EQ(refusal_of("[]"), "config.json: not a JSON object; a config.json is one");
}

TEST(ShippedModel, HasTheShapesOfThePaper) {
  EXPECT_EQ(parameter_count(shipped_model("llama-13b")), 13'015'864'320);
  EXPECT_EQ(parameter_count(shipped_model("llama-32b")), 32'528'943'616);
  EXPECT_EQ(parameter_count(shipped_model("llama-65b")), 65'285'660'672);
  EXPECT_EQ(parameter_count(shipped_model("baichuan-13b")), 13'264'901'120);
  EXPECT_EQ(kv_bytes_per_token(shipped_model("qwen-32b")), 131'072);
  EXPECT_EQ(shipped_model("qwen-32b").name, "qwen-32b");
}

TEST(ShippedModel, ListsWhatThereIsForAnUnknownName) {
  try {
    shipped_model("llama-14b");
    FAIL() << "accepted";
  } catch (const engine::InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "no shipped model 'llama-14b'; there are baichuan-13b, llama-13b, llama-32b, llama-65b, qwen-32b");
  }
}

}  // namespace
}  // namespace ouro::llm
