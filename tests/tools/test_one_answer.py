"""The same configuration gives the same bits on any number of ranks and with any partition."""

import unittest

import h5py
from ouroboros_program import ProgramTest

BUSY = 'lengths = "fixed"\nprompt_tokens = 40\noutput_tokens = 120\nrequests = 160\n[serving]\nadmission_threshold = 0.0\n'


class OneAnswer(ProgramTest):
    def expect_equal(self, a, b):
        result = self.call("diff", a, b)
        self.assertEqual(result.returncode, 0, result.stdout)

    def run_everywhere(self):
        self.run_ok("one.h5")
        ways = [(2, "rows"), (3, "rectangles"), (4, "rows"), (2, "list")]
        for number, (ranks, method) in enumerate(ways):
            out = f"way{number}.h5"
            self.run_ok(out, "--set", f"partition.method={method}", "--set", "partition.regions=[0,1,0,1,0,1]",
                        ranks=ranks)
            self.expect_equal("one.h5", out)

    def test_a_run_with_preemptions_is_the_same_on_any_ranks_and_partition(self):
        self.experiment(BUSY)
        self.run_everywhere()
        with h5py.File(self.path / "one.h5") as result:
            self.assertGreater(result["requests/preemptions"][()].sum(), 0)
            self.assertEqual(result["kv/evictions"][()].sum(), result["requests/preemptions"][()].sum())

    def test_a_traced_run_is_the_same_on_any_ranks_and_partition(self):
        self.write("trace.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                                "2023-11-16 18:15:46.6805900,37,4\r\n"
                                "2023-11-16 18:15:46.6806000,9,0\r\n"
                                "2023-11-16 18:15:46.6809000,130,3")
        self.experiment('lengths = "trace"\narrivals = "traced"\ntrace_file = "trace.csv"\nrequests = 0\n')
        self.run_everywhere()
        with h5py.File(self.path / "one.h5") as result:
            self.assertEqual(sorted(result["requests/prompt_tokens"][()]), [37, 130])
            self.assertEqual(sorted(result["requests/arrival_ps"][()]), [0, 310_000_000])

    def test_another_seed_is_another_answer_and_the_stored_configuration_the_same(self):
        self.experiment('lengths = "histogram"\narrivals = "poisson"\nrate_per_s = 100000.0\nrequests = 3\n')
        self.run_ok("a.h5")
        self.run_ok("b.h5", "--set", "workload.seed=2")
        result = self.call("diff", "a.h5", "b.h5")
        self.assertEqual(result.returncode, 1)
        self.assertIn("digest", result.stdout)
        with h5py.File(self.path / "a.h5") as first:
            self.write("small.toml", first["configuration/resolved_toml"][()].decode())
        self.run_ok("again.h5")
        self.expect_equal("a.h5", "again.h5")


if __name__ == "__main__":
    unittest.main()
