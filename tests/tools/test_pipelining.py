"""Pipelining by sequences, the baseline, beside that by tokens; and what stations' time goes into."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign, errors

MIXED = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = 12\n'
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens
SEQUENCE = assign("serving.pipelining=sequence")
STAGE = assign("wafer.noc.fidelity=stage")


class Pipelining(ProgramTest):
    def expect_one_answer(self, *settings, ways):
        self.run_ok("one.h5", "--force", *settings)
        for ranks, method, synchronizer in ways:
            with self.subTest(settings=settings, ranks=ranks, method=method, synchronizer=synchronizer):
                way = assign(f"partition.method={method}", "partition.regions=[3,0,2,1,1,0]",
                             f"engine.synchronizer={synchronizer}")
                self.run_ok("way.h5", "--force", *settings, *way, ranks=ranks)
                diff = self.call("diff", "one.h5", "way.h5")
                self.assertEqual(diff.returncode, 0, diff.stdout)
        with h5py.File(self.path / "one.h5") as result:
            self.assertGreater(result["requests/preemptions"][()].sum(), 0)

    def test_sequences_are_one_answer_on_any_ranks(self):
        self.experiment(MIXED)
        self.expect_one_answer(*SEQUENCE, *SMALL_KV, ways=[(2, "rows", "window"), (3, "rectangles", "null-message")])
        self.expect_one_answer(*SEQUENCE, *SMALL_KV, *STAGE,
                               ways=[(2, "rows", "null-message"), (4, "list", "window")])

    def test_a_sequence_mode_run_goes_on_from_a_checkpoint(self):
        self.experiment(MIXED)
        self.run_ok("whole.h5", *SEQUENCE, *SMALL_KV, *STAGE)
        self.run_ok("cut.h5", *SEQUENCE, *SMALL_KV, *STAGE, "--checkpoint-at", "200 us", ranks=2)
        (self.path / "cut.h5").unlink()
        result = self.call("run", "--restart", "cut.h5.checkpoint", "--out", "cut.h5", ranks=3)
        self.assertEqual(result.returncode, 0, result.stderr)
        diff = self.call("diff", "whole.h5", "cut.h5")
        self.assertEqual(diff.returncode, 0, diff.stdout)

    def test_too_few_sequences_hold_it_back(self):
        self.experiment('lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 2\nrequests = 2\n')
        self.run_ok("run.h5", *SEQUENCE, *STAGE)
        said = json.loads(self.call("summary", "run.h5", "--json").stdout)["bottleneck"]
        self.assertRegex(said, "^too few sequences: each of 13 home cores takes one at a time")

    def test_what_fills_the_pipeline_or_the_memory_holds_it_back(self):
        # as jobs/sweeps/held_back.toml: many short decoding sequences; few long ones, of which four fit
        decoding = 'lengths = "fixed"\nprompt_tokens = 1\noutput_tokens = 20\nrequests = 60\n'
        long = 'lengths = "fixed"\nprompt_tokens = 220\noutput_tokens = 30\nrequests = 8\n'
        for workload, settings, begin in ((decoding, (), "the slowest stage, "),
                                          (long, assign("wafer.core.crossbar_rows=256"), "KV memory: ")):
            with self.subTest(begin):
                self.experiment(workload)
                self.run_ok("run.h5", "--force", *STAGE, *settings)
                said = json.loads(self.call("summary", "run.h5", "--json").stdout)["bottleneck"]
                self.assertTrue(said.startswith(begin), said)

    def test_both_pipelinings_do_the_same_work(self):
        self.experiment(MIXED)
        for fidelity in ("packet", "stage"):
            self.run_ok("token.h5", "--force", *assign(f"wafer.noc.fidelity={fidelity}"))
            self.run_ok("sequence.h5", "--force", *assign(f"wafer.noc.fidelity={fidelity}"), *SEQUENCE)
            with h5py.File(self.path / "token.h5") as token, h5py.File(self.path / "sequence.h5") as sequence:
                for name in ("tokens_processed", "output_tokens"):
                    self.assertEqual(token.attrs[name], sequence.attrs[name])
                self.assertLess(token.attrs["makespan_ps"], sequence.attrs["makespan_ps"])
                counts = [file["energy/counts"][()].sum(axis=(0, 1)) for file in (token, sequence)]
                if fidelity == "stage":
                    # heads lie elsewhere where another sequence is the first: same work, other hops
                    self.assertEqual(counts[0][0], counts[1][0])

    def test_the_time_of_each_station_adds_up_to_the_makespan(self):
        self.experiment(MIXED)
        for settings in ((), SEQUENCE, STAGE, SEQUENCE + STAGE):
            with self.subTest(settings=settings):
                self.run_ok("run.h5", "--force", *settings, *assign("workload.arrivals=poisson",
                                                                    "workload.rate_per_s=10000"))
                figures = json.loads(self.call("summary", "run.h5", "--json").stdout)
                with h5py.File(self.path / "run.h5") as file:
                    self.assertGreater(file["requests/arrival_ps"][0], 0)  # the makespan does not begin at 0
                    stages = file["stages"]
                    states = stages["home_state_ps"][()]
                    self.assertEqual(states.shape, (13, 8))
                    self.assertEqual(set(states.sum(axis=1)), {file.attrs["makespan_ps"]})
                    self.assertGreaterEqual(states.min(), 0)
                    peak = stages["home_tokens_peak"][()] * stages["home_token_bytes"][()]
                    held = stages["home_tokens_held_ps"][()] * stages["home_token_bytes"][()]
                    self.assertAlmostEqual(figures["activation_peak_mb"], 1e-6 * peak.sum())
                    self.assertAlmostEqual(figures["activation_mean_mb"], 1e-6 * held.sum() / file.attrs["makespan_ps"])
                    self.assertTrue(np.all(stages["home_tokens_held_ps"][()] <=
                                           stages["home_tokens_peak"][()] * file.attrs["makespan_ps"]))
                    # by hand: vectors of 512 (QKV, gate and up, LM head), 4 heads of 128 (O), 1024 (down); residuals
                    # but in block 0's QKV
                    of_block = [1024, 512, 1024, 1024]
                    self.assertEqual(stages["home_token_bytes"][()].tolist(),
                                     [512] + of_block[1:] + 2 * of_block + [1024])

    def test_limits_on_prompt_tokens_are_refused_with_sequences(self):
        self.experiment(MIXED)
        for key in ("prefill_window", "prefill_chunk"):
            result = self.call("run", "small.toml", "--out", "no.h5", *SEQUENCE, *assign(f"serving.{key}=4"))
            self.assertEqual(result.returncode, 2)
            self.assertRegex(errors(result)[0], f"serving.{key}: a prompt enters as a whole.*; 0")
        result = self.call("run", "small.toml", "--out", "no.h5", *assign("serving.pipelining=layer"))
        self.assertEqual(result.returncode, 2)
        self.assertRegex(errors(result)[0], "serving.pipelining.*token.*sequence")


if __name__ == "__main__":
    unittest.main()
