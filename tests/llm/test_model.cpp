#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

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
    {"Mixtral-8x7B",
     R"({"model_type": "mixtral", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
         "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2,
         "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "sliding_window": null,
         "tie_word_embeddings": false, "vocab_size": 32000})",
     46'702'792'704, 65'536},
    {"DeepSeek-V3, without its layer for the token after the next",
     R"({"model_type": "deepseek_v3", "attention_bias": false, "first_k_dense_replace": 3,
         "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
         "max_position_embeddings": 163840, "moe_intermediate_size": 2048, "moe_layer_freq": 1,
         "n_routed_experts": 256, "n_shared_experts": 1, "num_attention_heads": 128,
         "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
         "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
         "qk_rope_head_dim": 64, "quantization_config": {"quant_method": "fp8"},
         "tie_word_embeddings": false, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280})",
     671'026'419'200, 35'136},
    {"BERT-large, without pooler and task",
     R"({"model_type": "bert", "hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096,
         "num_hidden_layers": 24, "num_attention_heads": 16, "max_position_embeddings": 512,
         "type_vocab_size": 2, "vocab_size": 30522, "position_embedding_type": "absolute"})",
     334'092'288, 0},
    {"T5-11B",
     R"({"model_type": "t5", "is_encoder_decoder": true, "d_model": 1024, "d_kv": 128, "d_ff": 65536,
         "num_layers": 24, "num_decoder_layers": 24, "num_heads": 128, "n_positions": 512,
         "relative_attention_num_buckets": 32, "feed_forward_proj": "relu", "vocab_size": 32128,
         "tie_word_embeddings": true})",
     11'307'321'344, 786'432},
};

void PrintTo(const Published& model, std::ostream* out) {
  *out << model.name;
}

class PublishedModel : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedModel, HasItsExactParameterCountAndKvSize) {
  const auto model = import_hugging_face(GetParam().config, GetParam().name).model;
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
             "config.json")
      .model;
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
  EXPECT_EQ(refusal_with(R"("model_type": "gpt2")"),
            "config.json: model_type: no model type 'gpt2'; known: llama, baichuan, mistral, qwen2, qwen3, "
            "mixtral, "
            "qwen2_moe, qwen3_moe, deepseek_v2, deepseek_v3, bert, t5");
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
      "config.json: num_local_experts: a mixture of experts is not modelled; a model of type 'llama' is read "
      "without");
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

/// What the importer tells of a config.json with these keys besides those of a small model.
std::vector<std::string> notes_with(const std::string& more) {
  return import_hugging_face(R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 32,
                                 "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2,
                                 "vocab_size": 100)" +
                                 more + "}",
                             "config.json")
      .notes;
}

TEST(ModelImport, NamesTheDefaultsThatItTook) {
  EXPECT_EQ(notes_with(""),
            (std::vector<std::string>{
                "'tie_word_embeddings' is not given: false, embedding and LM head are two matrices",
                "'num_key_value_heads' is not given: 4, as many as num_attention_heads"}));
  EXPECT_TRUE(notes_with(R"(, "tie_word_embeddings": true, "num_key_value_heads": 2)").empty());
}

TEST(ModelImport, SaysWhichKeysHaveNoEffect) {
  const std::string given = R"(, "tie_word_embeddings": true, "num_key_value_heads": 2)";
  EXPECT_TRUE(notes_with(given + R"(, "rope_theta": 1e4, "torch_dtype": "float16")").empty());
  EXPECT_EQ(notes_with(given + R"(, "rope_theta": 1e4, "num_kv_heads": 2, "alibi": true)"),
            std::vector<std::string>{"without effect: alibi, num_kv_heads"});
}

// ---- families of small models, counted by hand

std::int64_t parameters(const std::string& json) {
  return parameter_count(import_hugging_face(json, "config.json").model);
}

TEST(ModelImport, CountsAMixtralByHand) {
  // embedding and head 2 x 100 x 32; a block: q, o 2 x 32 x 32; k, v 2 x 32 x 16; router 32 x 4; 4 experts of
  // 3 x 32 x 48; norms 2 x 32; and the last norm
  EXPECT_EQ(parameters(R"({"model_type": "mixtral", "hidden_size": 32, "intermediate_size": 48,
                           "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3,
                           "vocab_size": 100, "num_local_experts": 4, "num_experts_per_tok": 2})"),
            2 * 3'200 + 3 * (2'048 + 1'024 + 128 + 4 * 4'608 + 64) + 32);
}

TEST(ModelImport, CountsAQwenWithExpertsByHand) {
  const std::string small = R"("hidden_size": 32, "intermediate_size": 999, "moe_intermediate_size": 16,
                               "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1,
                               "vocab_size": 100, "num_experts": 6, "num_experts_per_tok": 2})";
  const std::int64_t attention = 2 * 32 * 32 + 2 * 32 * 16;
  const std::int64_t outer = 2 * 3'200 + 32;
  const std::int64_t expert = 3 * 32 * 16;
  // biases of q, k, v; 6 experts, one shared of twice their size, and a router of 6 + 1 columns
  EXPECT_EQ(parameters(R"({"model_type": "qwen2_moe", "shared_expert_intermediate_size": 32, )" + small),
            outer + attention + 64 + (6 + 2) * expert + 32 * 7 + 64);
  EXPECT_EQ(parameters(R"({"model_type": "qwen3_moe", "head_dim": 8, )" + small),
            outer + attention + 6 * expert + 32 * 6 + 64 + 2 * 8);
}

TEST(ModelImport, CountsADeepSeekByHand) {
  const auto deepseek = [](const std::string& more) {
    return parameters(R"({"model_type": "deepseek_v3", "hidden_size": 32, "intermediate_size": 96,
                          "moe_intermediate_size": 16, "num_attention_heads": 4, "num_hidden_layers": 3,
                          "vocab_size": 100, "n_routed_experts": 8, "n_shared_experts": 1,
                          "num_experts_per_tok": 2, "first_k_dense_replace": 1, "kv_lora_rank": 20,
                          "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6)" +
                      more + "}");
  };
  const std::int64_t kv = 32 * (20 + 4) + 20 + 20 * 4 * (8 + 6) + 4 * 6 * 32;
  const std::int64_t ffn = 3 * 32 * 96 + 2 * ((8 + 1) * 3 * 32 * 16 + 32 * 8 + 8);
  const std::int64_t rest = 2 * 3'200 + 32 + 3 * 64;
  EXPECT_EQ(deepseek(R"(, "q_lora_rank": 10)"), rest + ffn + 3 * (kv + 32 * 10 + 10 + 10 * 4 * 12));
  EXPECT_EQ(deepseek(R"(, "q_lora_rank": null)"), rest + ffn + 3 * (kv + 32 * 4 * 12));
  EXPECT_EQ(deepseek(R"(, "topk_method": "greedy")"), rest + ffn - 2 * 8 + 3 * (kv + 32 * 4 * 12));
}

TEST(ModelImport, CountsABertByHand) {
  EXPECT_EQ(parameters(R"({"model_type": "bert", "hidden_act": "gelu", "hidden_size": 32,
                           "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2,
                           "vocab_size": 100, "max_position_embeddings": 64, "type_vocab_size": 3})"),
            (100 + 64 + 3 + 2) * 32 + 2 * (4 * (32 * 32 + 32) + 2 * 32 * 48 + 48 + 32 + 4 * 32));
}

TEST(ModelImport, CountsAT5ByHand) {
  const auto t5 = [](const std::string& more) {
    return parameters(R"({"model_type": "t5", "d_model": 32, "d_kv": 4, "d_ff": 48, "num_layers": 2,
                          "num_decoder_layers": 3, "num_heads": 6, "vocab_size": 100,
                          "relative_attention_num_buckets": 5)" +
                      more + "}");
  };
  const std::int64_t attention = 4 * 32 * 24;
  const std::int64_t outer = 3'200 + 2 * (32 + 5 * 6);
  EXPECT_EQ(t5(""), outer + 2 * (attention + 2 * 32 * 48 + 64) + 3 * (2 * attention + 2 * 32 * 48 + 96));
  EXPECT_EQ(t5(R"(, "feed_forward_proj": "gated-gelu")") - t5(""), 5 * 32 * 48);
  EXPECT_EQ(t5(R"(, "tie_word_embeddings": false)") - t5(""), 3'200);
}

TEST(ModelImport, RefusesExpertsThatItDoesNotDescribe) {
  const auto refusal = [](const std::string& more) {
    return refusal_of(R"({"model_type": "qwen2_moe", "hidden_size": 32, "intermediate_size": 48,
                          "moe_intermediate_size": 16, "num_attention_heads": 4, "num_hidden_layers": 1,
                          "vocab_size": 100, "num_experts": 6, "num_experts_per_tok": 2, )" +
                      more + "}");
  };
  EXPECT_EQ(refusal(R"("decoder_sparse_step": 2)"),
            "config.json: decoder_sparse_step: 2 is not accepted; it must be 1: every block has experts");
  EXPECT_EQ(refusal(R"("mlp_only_layers": [0])"),
            "config.json: mlp_only_layers: [0] is not accepted; it must be an empty list");
  EXPECT_EQ(
      refusal(R"("shared_expert_intermediate_size": 40)"),
      "config.json: shared_expert_intermediate_size: 40 is not accepted; it must be a multiple of the 16 "
      "of moe_intermediate_size");
  EXPECT_EQ(refusal(R"("num_experts_per_tok": 7)"),
            "config.json: num_experts_per_tok: 7 is not accepted; it must be at most the 6 of num_experts");
  EXPECT_EQ(refusal(R"("mlp_only_layers": [], "decoder_sparse_step": 1)"), "accepted");
  EXPECT_EQ(refusal_with(R"("model_type": "mixtral")"),
            "config.json: no key 'num_experts_per_tok'; the model's shape needs it");
}

TEST(ShippedModel, HasTheShapesOfThePaper) {
  EXPECT_EQ(parameter_count(shipped_model("llama-13b")), 13'015'864'320);
  EXPECT_EQ(parameter_count(shipped_model("llama-32b")), 32'528'943'616);
  EXPECT_EQ(parameter_count(shipped_model("llama-65b")), 65'285'660'672);
  EXPECT_EQ(parameter_count(shipped_model("baichuan-13b")), 13'264'901'120);
  EXPECT_EQ(kv_bytes_per_token(shipped_model("qwen-32b")), 131'072);
  EXPECT_EQ(shipped_model("qwen-32b").name, "qwen-32b");
  EXPECT_EQ(kv_bytes_per_token(shipped_model("qwen-32b-mha")), 5 * 131'072);
  EXPECT_EQ(parameter_count(shipped_model("bert-large")), 334'092'288);
  EXPECT_EQ(parameter_count(shipped_model("t5-11b")), 11'307'321'344);
  // 26 blocks of 66 experts and a dense one, as published: 15.7 thousand million
  EXPECT_EQ(parameter_count(shipped_model("deepseek-v2-lite")), 15'706'484'224);
  EXPECT_EQ(kv_bytes_per_token(shipped_model("deepseek-v2-lite")), 27 * 576);
}

TEST(ShippedModel, ListsWhatThereIsForAnUnknownName) {
  try {
    shipped_model("llama-14b");
    FAIL() << "accepted";
  } catch (const engine::InputError& error) {
    EXPECT_STREQ(error.what(),
                 "no shipped model 'llama-14b'; there are baichuan-13b, bert-large, deepseek-v2-lite, "
                 "llama-13b, llama-32b, "
                 "llama-65b, qwen-32b-mha, qwen-32b, t5-11b");
  }
}

}  // namespace
}  // namespace ouro::llm
