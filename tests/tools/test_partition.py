"""`ouroboros partition` says what a run will do, and an earlier run's counts can decide."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign

FIXED = 'lengths = "fixed"\nprompt_tokens = 10\noutput_tokens = 4\nrequests = 4\n'


class Partition(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(FIXED)

    def partition(self, *arguments, ranks=2):
        result = self.call("partition", "small.toml", "--ranks", str(ranks), *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def described(self, *arguments, ranks=2):
        return json.loads(self.partition("--json", *arguments, ranks=ranks))

    def ranks_of_dies(self, run):
        with h5py.File(self.path / run) as file:
            return file["engine/rank_of_die"][:].tolist()

    def test_a_run_takes_what_the_command_says_and_it_costs_least(self):
        for ranks in (2, 3):
            described = self.described(ranks=ranks)
            chosen = described["methods"][described["chosen"]]
            self.assertEqual(chosen["cost_events_a_token"],
                             min(method["cost_events_a_token"] for method in described["methods"]))
            self.run_ok(f"{ranks}.h5", ranks=ranks)
            self.assertEqual(self.ranks_of_dies(f"{ranks}.h5"), chosen["rank_of_die"])

    def test_a_method_that_is_named_is_the_chosen_one(self):
        regions = [1, 0, 1, 0, 1, 0]
        described = self.described(*assign("partition.method=list", f"partition.regions={regions}"))
        self.assertEqual(described["methods"][described["chosen"]]["rank_of_die"], regions)
        text = self.partition(*assign("partition.method=rectangles"))
        self.assertRegex(text, r"(?m)^rectangles .* chosen$")
        self.assertTrue(text.endswith("0 0 1\n0 0 1\n") or text.endswith("0 1 1\n0 1 1\n"), text)

    def test_the_events_of_an_earlier_run_decide(self):
        self.run_ok("one.h5")
        self.run_ok("three.h5", *assign("partition.method=rows"), ranks=3)
        with h5py.File(self.path / "one.h5") as one, h5py.File(self.path / "three.h5") as three:
            counts = one["engine/lp_events"][:]
            np.testing.assert_array_equal(counts, three["engine/lp_events"][:])
            self.assertEqual(counts.sum(), one["engine/events"][0])
        of_dies = counts[2:].astype(float)
        described = self.described("--partition-from", "one.h5")
        for method in described["methods"]:
            ranks = np.array(method["rank_of_die"])
            busiest = max(of_dies[ranks == rank].sum() for rank in (0, 1))
            self.assertAlmostEqual(method["balance"], 2 * busiest / of_dies.sum(), places=6)
        self.run_ok("from.h5", "--partition-from", "one.h5", ranks=2)
        self.assertEqual(self.ranks_of_dies("from.h5"), described["methods"][described["chosen"]]["rank_of_die"])
        self.assertEqual(self.call("diff", "one.h5", "from.h5").returncode, 0)

    def test_wrong_input_is_refused_in_a_sentence(self):
        self.run_ok("one.h5")
        for arguments, text in (
            (("--ranks", "7"), "7 ranks are more than the 6 dies that can be shared out; the largest useful number is 6"),
            (("--partition-from", "none.h5"), "none.h5"),
            (("--partition-from", "one.h5", "--set", "wafer.die_columns=4"),
             "one.h5: is of a wafer with 6 dies; a run on 8 is needed"),
        ):
            with self.subTest(text):
                result = self.call("partition", "small.toml", *arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn(text, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)


if __name__ == "__main__":
    unittest.main()
