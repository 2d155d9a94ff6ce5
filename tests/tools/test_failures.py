"""What fails while the wafer works: one answer on any ranks and through restarts, and what the result says of it."""

import csv
import pathlib
import unittest

import h5py
from ouroboros_program import ProgramTest, assign, errors

BUSY = 'lengths = "fixed"\nprompt_tokens = 60\noutput_tokens = 30\nrequests = 8\n'
HEADER = "time_ns,kind,x,y,direction\n"
FAILURES = ("50000,core,0,0,\n90000,core,4,4,\n120000,link,3,3,east\n150000,router,5,2,\n"
            "180000,core,0,1,\n180000,core,1,1,\n")
LIST = assign("wafer.faults.runtime.file=fail.csv")
# slow die borders make windows long, and runs on several ranks short
SMALL = assign("wafer.core.crossbar_rows=512", "wafer.noc.die_crossing_latency=200 cycles")


class Failures(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(BUSY)
        self.write("fail.csv", HEADER + FAILURES)

    def test_give_one_answer_on_one_to_four_ranks(self):
        self.run_ok("one.h5", *LIST, *SMALL)
        for ranks, more in ((2, ()), (3, assign("partition.method=rectangles", "engine.synchronizer=null-message")),
                            (4, assign("partition.method=list", "partition.regions=[3,0,2,1,1,0]"))):
            self.run_ok("way.h5", "--force", *LIST, *SMALL, *more, ranks=ranks)
            self.expect_equal("one.h5", "way.h5")
        with h5py.File(self.path / "one.h5") as file:
            group = file["failures"]
            self.assertEqual(len(group["kind"]), 6)
            self.assertIn(3, group["effect"][()])  # weights moved
            self.assertGreater(group["tokens_discarded"][()].sum(), 0)
            self.assertGreater(group["sequences_lost"][()].sum(), 0)
            acted = group["effect"][()] > 0
            self.assertGreater(acted.sum(), 3)
            self.assertTrue(all((group["stopped_ps"][()] < group["resumed_ps"][()])[acted]))
            self.assertTrue(all((group["resumed_ps"][()] <= group["recovered_ps"][()])[acted]))
            self.assertEqual(sorted(file["requests/index"][()]), list(range(8)))
            self.assertEqual(72 - file["cores/alive"][()].sum(), 5)
            self.assertEqual(group.attrs["requests_unserved"], 0)
            moving = group["effect"][()].tolist().index(3)
            moved = [int(group[name][moving]) for name in ("stopped_ps", "resumed_ps")]

        # a checkpoint before anything fails, while weights move, and after
        for at in ("20 us", f"{sum(moved) // 2} ps", "170 us"):
            with self.subTest(at=at):
                self.run_ok("a.h5", "--force", *LIST, *SMALL, "--checkpoint-at", at, ranks=2)
                result = self.call("run", "--restart", "a.h5.checkpoint", "--out", "b.h5", "--force", ranks=3)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.expect_equal("one.h5", "b.h5")

    def test_are_summed_up(self):
        result = self.run_ok("one.h5", *LIST, *SMALL)
        self.assertIn("fail at run time: 4 cores, 1 router, 1 link, from 0.05 to 0.18 ms", result.stderr)
        self.assertIn("# fail at run time: 4 cores", self.call("check", "small.toml", *LIST).stdout)
        self.assertRegex(result.stdout, r"\nfailures +6: 1 rerouted packets, ")
        self.assertRegex(result.stdout, r"\nlost work +\d+ tokens in flight, and \d+ tokens of KV of \d+ sequences")
        self.assertRegex(result.stdout, r"\naround failures +\S+ output tokens/s before the first, \S+ until recovered")
        self.assertNotIn("HALTED", result.stdout)

    def test_that_leave_nothing_to_work_with_end_the_run_and_say_why(self):
        self.write("fail.csv", HEADER + "100000,link,0,0,east\n100000,link,0,0,south\n")
        result = self.run_ok("halt.h5", *LIST, ranks=2)
        self.assertRegex(result.stdout, r"\nHALTED +the live routers are cut in two; [1-8] requests are not done\n")
        self.run_ok("one.h5", *LIST)
        self.expect_equal("halt.h5", "one.h5")

    def test_before_the_first_token_end_the_run_as_well(self):
        self.write("fail.csv", HEADER + "0,link,0,0,east\n0,link,0,0,south\n")
        result = self.run_ok("halt.h5", *LIST)
        self.assertRegex(result.stdout, r"\nHALTED +the live routers are cut in two; 8 requests are not done\n")

    def test_are_refused_in_one_sentence(self):
        for sentence, rows in (("fail.csv:2: x: '9' is not accepted", "5,core,9,1,\n"),
                               ("fail.csv:2: time_ns: '-1' is not accepted", "-1,core,1,1,\n"),
                               ("fail.csv:3: the core at (1, 1) is already dead", "5,core,1,1,\n7,core,1,1,\n")):
            self.write("fail.csv", HEADER + rows)
            result = self.call("run", "small.toml", *LIST)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertEqual(len(errors(result)), 1, result.stderr)
            self.assertIn(sentence, errors(result)[0])
        result = self.call("noc", "small.toml", *assign("wafer.faults.runtime.cores=1"))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("nothing fails while the network alone is simulated", errors(result)[0])

    def test_have_a_sweep(self):
        sweep = pathlib.Path(__file__).resolve().parents[2] / "jobs" / "sweeps" / "failed_cores.toml"
        text = sweep.read_text().replace("../llama13b.toml", "small.toml")
        self.write("few.toml", text)
        result = self.call("sweep", "few.toml")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path / "few" / "table.csv", newline="") as table:
            rows = list(csv.DictReader(table))
        self.assertEqual([row["wafer.faults.runtime.cores"] for row in rows][0], "0")
        self.assertTrue(all(float(row["output_tokens_per_s"]) > 0 for row in rows))


if __name__ == "__main__":
    unittest.main()
