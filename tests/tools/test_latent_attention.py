"""A model with latent attention, its first block dense: one answer on any ranks, its books balanced."""

import json
import unittest

import h5py
from ouroboros_program import ProgramTest, assign

LATENT = {"model_type": "deepseek_v3", "num_hidden_layers": 2, "hidden_size": 128, "intermediate_size": 256,
          "moe_intermediate_size": 128, "num_attention_heads": 4, "vocab_size": 256, "kv_lora_rank": 160,
          "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32, "q_lora_rank": 64,
          "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1}
PROMPT, OUTPUT, REQUESTS = 20, 10, 3
TOKENS = REQUESTS * (PROMPT + OUTPUT - 1)


class LatentAttention(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("small.json", json.dumps(LATENT))
        self.experiment(f'lengths = "fixed"\nprompt_tokens = {PROMPT}\noutput_tokens = {OUTPUT}\n'
                        f"requests = {REQUESTS}\n")

    def test_is_the_same_on_any_ranks_at_both_fidelities(self):
        self.expect_one_answer_at_both_fidelities()
        with h5py.File(self.path / "packet1.h5") as packet, h5py.File(self.path / "stage1.h5") as stage:
            self.assertEqual(packet["energy/counts"][()].tolist(), stage["energy/counts"][()].tolist())
            self.check_counts(packet)

    def check_counts(self, result):
        self.assertEqual(result.attrs["tokens_processed"], TOKENS)
        dense, routed = result["experts/tokens"][()]
        self.assertEqual(dense.sum(), 0)
        self.assertEqual(routed[:4].sum(), 2 * TOKENS)
        self.assertEqual(routed[4], TOKENS)  # the shared one
        names = [name.decode() for name in result["energy/component_names"][()]]
        counts = dict(zip(names, result["energy/counts"][()].sum(axis=(0, 1))))
        # K of 160 + 16 and V of 160, in two blocks of the model
        self.assertEqual(counts["kv_write"], TOKENS * 2 * 8 * (176 + 160))
        homes = [name.decode() for name in result["stages/home_names"][()]]
        self.assertEqual(homes[:7], [f"{matrix} of block 0" for matrix in (
            "QKV", "query", "head key", "head value", "O", "gate and up", "down")])
        self.assertIn("router of block 1", homes)
        self.assertEqual(set(result["stages/home_tokens"][()]), {TOKENS})

    def test_says_what_the_crossbars_keep(self):
        result = self.call("check", "small.toml")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("352 KV bytes a token; 672 in crossbars", result.stdout)
        self.assertIn("the first 1 blocks have no experts", result.stdout)

    def test_refuses_what_it_does_not_simulate(self):
        result = self.call("check", "small.toml", *assign("mapping.method=optimised"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("without experts and latent attention", result.stderr)
        self.write("small.json", json.dumps(LATENT | {"attention_bias": True}))
        result = self.call("check", "small.toml")
        self.assertEqual(result.returncode, 2)
        self.assertIn("latent attention with biases is not modelled", result.stderr)


if __name__ == "__main__":
    unittest.main()
