"""A model with experts: one answer on any ranks, and the use of its experts in the result."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import MODEL, ProgramTest, assign

EXPERTS = MODEL | {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 3\n'


class Experts(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("small.json", json.dumps(EXPERTS))
        self.experiment(WORKLOAD)

    def test_is_the_same_on_any_ranks_at_both_fidelities(self):
        self.expect_one_answer_at_both_fidelities()

    def test_counts_what_each_expert_did(self):
        self.run_ok("equal.h5", *assign("model.expert_skew=0"))
        self.run_ok("skewed.h5", *assign("model.expert_skew=2", "wafer.noc.fidelity=stage"))
        with h5py.File(self.path / "equal.h5") as equal, h5py.File(self.path / "skewed.h5") as skewed:
            for result in (equal, skewed):
                tokens = result.attrs["tokens_processed"]
                self.assertEqual(tokens, 3 * (20 + 10 - 1))
                use = result["experts/tokens"][()]
                self.assertEqual(use.shape, (3, 4))
                self.assertTrue((use.sum(axis=1) == 2 * tokens).all())
            self.assertLess(np.ptp(equal["experts/tokens"][()]), np.ptp(skewed["experts/tokens"][()]))

    def test_takes_weights_from_a_file(self):
        rows = [f"{block},{expert},1" for block in range(3) for expert in (1, 3)]
        self.write("weights.csv", "block,expert,weight\n" + "\n".join(rows) + "\n")
        self.run_ok("file.h5", *assign("model.expert_weights=weights.csv"))
        with h5py.File(self.path / "file.h5") as result:
            use = result["experts/tokens"][()]
            self.assertEqual(use[:, [0, 2]].sum(), 0)
            self.assertTrue((use[:, [1, 3]] == result.attrs["tokens_processed"]).all())

    def test_refuses_weights_of_a_model_without_experts(self):
        self.write("small.json", json.dumps(MODEL))
        result = self.call("check", "small.toml", *assign("model.expert_weights=weights.csv"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("model small has no experts; leave it empty", result.stderr)


if __name__ == "__main__":
    unittest.main()
