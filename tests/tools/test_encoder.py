"""An encoder: one answer on any ranks and after a restart, and what its result says of requests without outputs."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign

MODEL = {"model_type": "bert", "_name_or_path": "small", "num_hidden_layers": 3, "hidden_size": 512,
         "intermediate_size": 1024, "num_attention_heads": 4, "hidden_act": "gelu", "vocab_size": 1024,
         "max_position_embeddings": 512, "type_vocab_size": 2}
# lengths of one page and of two; three KV cores a block hold few of them at a time, and a late request comes first
ROWS = "".join(f"0.{i // 3 * 60:06},{length},{i % 2},{i % 3}\n" for i, length in enumerate([70, 1, 130, 9, 200, 33] * 3))


class Encoder(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("small.json", json.dumps(MODEL))
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens,priority\n" + ROWS)
        self.experiment('lengths = "trace"\ntrace_file = "trace.csv"\narrivals = "traced"\nrequests = 0\n'
                        '[output]\nrecord_token_every = 1\n')
        self.small = assign("wafer.core.input_buffer=48 KiB")

    def test_is_the_same_on_any_ranks_and_after_a_restart(self):
        self.expect_one_answer_and_restart(*self.small, checkpoint_at="0.05 ms")

    def test_serves_every_request_and_gives_all_memory_back(self):
        result = self.run_ok("one.h5", *self.small)
        self.assertIn("TTFT               none", result.stdout)
        self.assertIn("energy a token", result.stdout)
        with h5py.File(self.path / "one.h5") as file:
            requests = {name: values[()] for name, values in file["requests"].items()}
            lengths = [int(row.split(",")[1]) for row in ROWS.splitlines()]
            self.assertEqual(sorted(requests["index"]), list(range(len(lengths))))
            self.assertTrue((requests["prompt_tokens"] == np.take(lengths, requests["index"])).all())
            self.assertTrue((requests["output_tokens"] == 0).all())
            self.assertTrue((requests["first_token_ps"] == -1).all())
            self.assertTrue((requests["preemptions"] == 0).all())
            self.assertEqual(file.attrs["tokens_processed"], sum(lengths))
            self.assertGreater((requests["admitted_ps"] > requests["arrival_ps"]).sum(), 0, "memory was never short")

            # a request is done when its last token has left, and no token leaves before all have entered
            tokens = {name: values[()] for name, values in file["tokens"].items()}
            for index, done in zip(requests["index"], requests["done_ps"]):
                mine = tokens["request"] == index
                self.assertEqual(tokens["retired_ps"][mine].max(), done)
                self.assertGreater(tokens["retired_ps"][mine].min(), tokens["issued_ps"][mine].max())

            # 48 KiB hold 3 pages of queries of 128 bytes
            self.assertLessEqual(file["kv"].attrs["query_bytes_peak_of_core"], 49152)
            self.assertGreater(file["kv"].attrs["query_bytes_peak_of_core"], 200 * 128 // 2)
            counts = dict(zip(file["energy/component_names"].asstr(), file["energy/counts"][()].sum(axis=(0, 1))))
            weights = 3 * (512 * 1536 + 512 * 512 + 2 * 512 * 1024)
            self.assertEqual(counts["mac"], sum(n * weights + 3 * 2 * 512 * n * n for n in lengths))
            self.assertEqual(counts["kv_write"], 3 * 8 * 1024 * sum(lengths))

    def test_readers_take_a_run_without_outputs(self):
        self.run_ok("one.h5", *self.small)
        figures = json.loads(self.call("summary", "one.h5", "--json").stdout)
        self.assertNotIn("ttft_p50_ms", figures)
        self.assertNotIn("energy_per_output_token_mj", figures)
        joules = figures["static_energy_j"] + figures["dynamic_energy_j"]
        self.assertAlmostEqual(figures["energy_per_prompt_token_mj"], 1e3 * joules / figures["prompt_tokens"])
        for command in (("report", "one.h5"), ("trace", "one.h5")):
            result = self.call(*command)
            self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
