"""The same configuration gives the same bits on any number of ranks and with any partition."""

import unittest

import h5py
from ouroboros_program import ProgramTest, assign

FIXED = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 8\n'
FEW = 'lengths = "fixed"\nprompt_tokens = 8\noutput_tokens = 5\nrequests = 4\n'
METHODS = ("auto", "rows", "rectangles", "pipeline", "metis", "list")
FINELY = assign("wafer.core.crossbar_rows=384", "workload.requests=4")  # 2 to 6 cores a group of matrices
BUSY = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = 16\n'
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens


class OneAnswer(ProgramTest):
    def run_everywhere(self, *settings):
        self.run_ok("one.h5", *settings)
        ways = [(2, "rows"), (3, "rectangles"), (4, "auto"), (2, "list")]
        for number, (ranks, method) in enumerate(ways):
            out = f"way{number}.h5"
            partition = assign(f"partition.method={method}", "partition.regions=[0,1,0,1,0,1]")
            self.run_ok(out, *settings, *partition, ranks=ranks)
            self.expect_equal("one.h5", out)

    def test_every_partition_on_every_number_of_ranks(self):
        self.experiment(FEW)
        self.run_ok("one.h5")
        regions = {1: "[0,0,0,0,0,0]", 2: "[1,0,1,0,1,0]", 3: "[2,2,0,1,0,1]", 4: "[3,0,2,1,1,0]"}
        for ranks in (1, 2, 3, 4):
            for method in ("list",) if ranks == 1 else METHODS:
                with self.subTest(ranks=ranks, method=method):
                    out = f"{ranks}_{method}.h5"
                    settings = assign(f"partition.method={method}", f"partition.regions={regions[ranks]}")
                    self.run_ok(out, *settings, ranks=ranks)
                    self.expect_equal("one.h5", out)

    def test_both_synchronizers_with_and_without_promises(self):
        self.experiment(FIXED)
        self.run_ok("one.h5")
        for ranks in (2, 4):
            for synchronizer in ("window", "null-message"):
                for lookahead in ("promises", "held", "link"):
                    with self.subTest(ranks=ranks, synchronizer=synchronizer, lookahead=lookahead):
                        settings = assign(f"engine.synchronizer={synchronizer}", f"engine.lookahead={lookahead}")
                        self.run_ok("way.h5", "--force", *settings, ranks=ranks)
                        self.expect_equal("one.h5", "way.h5")

    def test_a_machine_that_is_cut_finely_is_the_same_on_any_ranks(self):
        self.experiment(FIXED)
        self.run_ok("one.h5", *FINELY)
        self.run_ok("three.h5", *FINELY, ranks=3)
        self.expect_equal("one.h5", "three.h5")

    def test_unicast_is_another_machine_with_the_same_tokens(self):
        self.experiment(FIXED)
        self.run_ok("tree.h5", *FINELY)
        self.run_ok("unicast.h5", *FINELY, *assign("wafer.noc.multicast=unicast"))
        self.run_ok("two.h5", *FINELY, *assign("wafer.noc.multicast=unicast"), ranks=2)
        self.expect_equal("unicast.h5", "two.h5")
        with h5py.File(self.path / "tree.h5") as tree, h5py.File(self.path / "unicast.h5") as unicast:
            for name in ("tokens_processed", "output_tokens", "requests_done"):
                self.assertEqual(tree.attrs[name], unicast.attrs[name])
            self.assertNotEqual(tree.attrs["digest"], unicast.attrs["digest"])
            self.assertLess(tree["links/flits"][:, :4].sum(), unicast["links/flits"][:, :4].sum())

    def test_a_run_with_preemptions_is_the_same_on_any_ranks_and_partition(self):
        self.experiment(BUSY)
        self.run_everywhere(*SMALL_KV)
        with h5py.File(self.path / "one.h5") as result:
            self.assertGreater(result["requests/preemptions"][()].sum(), 0)
            self.assertGreater(result["requests/recomputed_tokens"][()].sum(), 0)
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
        self.assertRegex(self.call("check", "small.toml").stdout, "# 3 rows: 1 without prompt or output dropped; 2 requests")

    def test_another_seed_is_another_answer_and_the_stored_configuration_the_same(self):
        self.experiment('lengths = "histogram"\narrivals = "poisson"\nrate_per_s = 100000.0\nrequests = 3\n')
        self.run_ok("a.h5")
        self.run_ok("b.h5", "--set", "workload.seed=2")
        result = self.call("diff", "a.h5", "b.h5")
        self.assertEqual(result.returncode, 1)
        for name in ("attribute 'digest'", "attribute 'seed'", "'/cores/macs'", "a.h5", "b.h5"):
            self.assertIn(name, result.stdout)
        with h5py.File(self.path / "a.h5") as first:
            self.write("small.toml", first["configuration/resolved_toml"][()].decode())
        self.run_ok("again.h5")
        self.expect_equal("a.h5", "again.h5")


if __name__ == "__main__":
    unittest.main()
