"""An encoder-decoder: one answer on any ranks, wafers and after a restart; its memory, and what its result says of it."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign

MODEL = {"model_type": "t5", "_name_or_path": "small", "num_layers": 2, "num_decoder_layers": 3, "d_model": 256,
         "d_kv": 64, "d_ff": 512, "num_heads": 4, "vocab_size": 512, "feed_forward_proj": "relu"}
LENGTHS = [(150, 120), (1, 3), (130, 200), (40, 1), (256, 90), (33, 140)] * 3
ROWS = "".join(f"0,{prompt},{outputs},{i % 2}\n" for i, (prompt, outputs) in enumerate(LENGTHS))
WEIGHTS = 4 * 256 * 256 + 2 * 256 * 512  # of a block, without cross attention


class EncoderDecoder(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("small.json", json.dumps(MODEL))
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens,priority\n" + ROWS)
        self.experiment('lengths = "trace"\ntrace_file = "trace.csv"\narrivals = "all_at_once"\nrequests = 0\n'
                        '[output]\nrecord_token_every = 1\n')
        self.small = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")

    def test_is_the_same_on_any_ranks_and_after_a_restart(self):
        self.expect_one_answer_and_restart(*self.small, checkpoint_at="0.4 ms")

    def test_is_the_same_on_two_wafers_with_any_ranks(self):
        two = assign("wafer.count=2", "wafer.joint.links=3", "workload.requests=4")
        self.run_ok("one.h5", *two)
        self.run_ok("two.h5", *two, ranks=2)
        self.expect_equal("one.h5", "two.h5")

    def test_serves_every_request_from_pages_of_its_own(self):
        self.run_ok("one.h5", *self.small)
        with h5py.File(self.path / "one.h5") as file:
            requests = {name: values[()] for name, values in file["requests"].items()}
            self.assertEqual(sorted(requests["index"]), list(range(len(LENGTHS))))
            for index, prompt, outputs in zip(requests["index"], requests["prompt_tokens"], requests["output_tokens"]):
                self.assertEqual((prompt, outputs), LENGTHS[index])
            self.assertGreater(requests["preemptions"].sum(), 0)
            asked = sum(prompt + outputs for prompt, outputs in LENGTHS)  # a start token, but not the last output
            self.assertEqual(file.attrs["tokens_processed"], asked + requests["recomputed_tokens"].sum())

            tokens = {name: values[()] for name, values in file["tokens"].items()}
            of_decoder = tokens["number"] >= 2**31
            self.assertEqual(len(tokens["number"]), file.attrs["tokens_processed"])
            for index, preemptions in zip(requests["index"], requests["preemptions"]):
                if preemptions > 0:
                    continue
                prompt, outputs = LENGTHS[index]
                mine = tokens["request"] == index
                self.assertEqual(sorted(tokens["position"][mine & ~of_decoder]), list(range(prompt)))
                self.assertEqual(list(tokens["position"][mine & of_decoder]), list(range(outputs)))
                # the decoder begins when the encoder has all of the prompt behind it
                self.assertGreater(tokens["issued_ps"][mine & of_decoder].min(),
                                   tokens["retired_ps"][mine & ~of_decoder].max())

    def test_counts_what_a_reader_of_the_lengths_expects(self):
        self.run_ok("one.h5")  # with room for all: nothing is computed twice
        with h5py.File(self.path / "one.h5") as file:
            self.assertEqual(file["requests/preemptions"][()].sum(), 0)
            counts = dict(zip(file["energy/component_names"].asstr(), file["energy/counts"][()].sum(axis=(0, 1))))
            prompts = np.array([prompt for prompt, _ in LENGTHS])
            outputs = np.array([outputs for _, outputs in LENGTHS])
            encoder = 2 * (WEIGHTS * prompts + 2 * 256 * prompts**2)
            cross_kv = 3 * 2 * 256 * 256 * prompts
            own = 2 * 256 * (outputs * (outputs + 1) // 2)
            decoder = 3 * ((WEIGHTS + 2 * 256 * 256) * outputs + own + 2 * 256 * prompts * outputs)
            lm_head = 256 * 512 * outputs
            self.assertEqual(counts["mac"], (encoder + cross_kv + decoder + lm_head).sum())
            self.assertEqual(counts["kv_write"], 8 * 512 * ((2 + 3) * prompts + 3 * outputs).sum())

    def test_readers_say_which_stack_a_station_is_of(self):
        self.run_ok("one.h5", *self.small)
        with h5py.File(self.path / "one.h5") as file:
            names = list(file["stages/home_names"].asstr())
            self.assertEqual(len(names), 2 * 4 + 3 + 3 * 6 + 1)
            self.assertEqual(names[0], "encoder QKV of block 0")
            self.assertEqual(names[8:11], [f"decoder cross K and V of block {block}" for block in (2, 3, 4)])
            self.assertEqual(names[13:15], ["decoder cross query of block 2", "decoder cross O of block 2"])
            self.assertLessEqual(file["kv/encoder_pages_used"][()].max(), file["kv"].attrs["encoder_pages_total"])
        said = json.loads(self.call("summary", "one.h5", "--json").stdout)["bottleneck"]
        self.assertRegex(said, r"^KV memory: up to \d+ % of its pages \(\d+ % of the encoder's\) were in use")
        for command in (("report", "one.h5"), ("trace", "one.h5")):
            result = self.call(*command)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_run_with_few_prompts_says_so(self):
        self.run_ok("one.h5", *assign("workload.requests=2"))
        said = json.loads(self.call("summary", "one.h5", "--json").stdout)["bottleneck"]
        self.assertTrue(said.startswith("too few prompts at a time: home cores had no token for"), said)


if __name__ == "__main__":
    unittest.main()
