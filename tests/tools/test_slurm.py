"""The batch scripts in jobs/, submitted to a real SLURM on this machine."""

import csv
import os
import pathlib
import re
import subprocess
import sys
import unittest

import h5py
from ouroboros_program import PROGRAM, WAFER, ProgramTest
from slurm_cluster import Cluster, wait_until, why_not

JOBS = pathlib.Path(__file__).resolve().parents[2] / "jobs"
SKIPPED = 77  # SKIP_RETURN_CODE of the test
SHORT = 'lengths = "fixed"\nrequests = 3\nprompt_tokens = 4\noutput_tokens = 3\n'
ENDLESS = SHORT.replace("requests = 3", "requests = 200000")
SLICES = SHORT.replace("requests = 3", "requests = 8000")  # some seconds long


class Slurm(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        super().setUp()
        self.experiment(SHORT)

    def submit(self, script, *arguments, options=("--ntasks=2",)):
        """Submits from the directory of the test, by the script's path."""
        return self.cluster.call("sbatch", "--parsable", *options, str(JOBS / script), *arguments,
                                 cwd=self.path).strip()

    def log(self, job, name="ouroboros"):
        return (self.path / f"{name}-{job}.log").read_text()

    def wait(self, job, state="COMPLETED", **limits):
        try:
            self.cluster.wait_for(job, "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", **limits)
        except TimeoutError as late:
            self.fail(f"{late}\n{self.logs()}")
        self.assertEqual(self.cluster.state(job), state, self.logs())

    def logs(self):
        return "\n".join(f"{file.name}:\n{file.read_text()}" for file in self.path.rglob("*.log"))

    def digest(self, name):
        with h5py.File(self.path / name) as file:
            self.assertEqual(file.attrs["complete"], 1)
            return file.attrs["digest"], file["engine"].attrs["ranks"]

    def run_here(self, *arguments):
        self.run_ok("here.h5", *arguments)
        return self.digest("here.h5")[0]

    def test_a_run_ends_well_on_one_node_and_over_two(self):
        one = self.submit("run.sbatch", "small.toml")
        two = self.submit("nodes.sbatch", "small.toml", "--out", "two.h5",
                          options=("--ntasks-per-node=2",))
        expected = self.run_here()
        self.wait(one)
        self.wait(two)
        self.assertEqual(self.digest("small.h5"), (expected, 2))
        self.assertEqual(self.digest("two.h5"), (expected, 4))
        self.assertIn("4 ranks on n[1-2]", self.log(two))

    def test_a_run_that_fails_is_a_job_that_fails(self):
        job = self.submit("run.sbatch", "small.toml", "--set", "wafer.clok=1 GHz")
        self.wait(job, "FAILED")
        self.assertEqual(self.cluster.fields(job)["ExitCode"], "2:0")
        self.assertIn("did you mean 'wafer.clock'?", self.log(job))

    def test_what_is_missing_is_said_with_what_to_do(self):
        missing = self.submit("run.sbatch", "nowhere.toml")
        nothing = self.submit("run.sbatch")
        os.environ["OUROBOROS"] = "/nowhere/ouroboros"
        self.cluster.environment["OUROBOROS"] = "/nowhere/ouroboros"
        unbuilt = self.submit("run.sbatch", "small.toml")
        self.cluster.environment["OUROBOROS"] = os.environ["OUROBOROS"] = PROGRAM
        for job, texts in ((missing, ("there is no file 'nowhere.toml'", "call: sbatch")),
                           (nothing, ("no file is named", "run.sbatch EXPERIMENT.toml")),
                           (unbuilt, ("/nowhere/ouroboros is not there", "tools/quickstart", "site.sh"))):
            self.wait(job, "FAILED")
            self.assertEqual(self.cluster.fields(job)["ExitCode"], "2:0")
            for text in texts:
                self.assertIn(text, self.log(job))

    def test_the_scripts_outside_of_slurm_say_how_they_are_called(self):
        for script in sorted(JOBS.glob("*.sbatch")):
            with self.subTest(script.name):
                result = subprocess.run(["bash", str(script)], env=self.cluster.environment, capture_output=True,
                                        text=True, cwd=self.path)
                self.assertNotEqual(result.returncode, 0)
                self.assertRegex(result.stderr, "this is for SLURM; call: (sbatch|ouroboros sweep)")

    def test_a_cancelled_run_leaves_no_result_and_no_process(self):
        self.experiment(ENDLESS)
        job = self.submit("run.sbatch", "small.toml")
        wait_until(lambda: list(self.path.glob("small.h5.part")), "the run has begun")
        self.cluster.call("scancel", job)
        self.wait(job, "CANCELLED")
        self.assertFalse((self.path / "small.h5").exists())
        wait_until(lambda: not self.processes(), "its processes have ended")

    def test_a_run_over_three_time_slices_gives_what_one_slice_gives(self):
        self.experiment(SLICES)
        job = self.submit("requeue.sbatch", "small.toml", "--set", "engine.heartbeat=100 ms")
        for slices in (1, 2):
            self.wait_for_progress(job, slices)
            self.cluster.call("scancel", "--signal=USR1", "--batch", job)  # as SLURM does before the time limit
            wait_until(lambda: self.cluster.fields(job)["Restarts"] == str(slices), f"restart {slices}")
            self.assertFalse((self.path / "small.h5").exists(), "it was over before it was stopped")
        self.wait(job)
        self.assertEqual(self.cluster.fields(job)["Restarts"], "2")
        self.run_ok("whole.h5", ranks=2)
        self.assertEqual(self.call("diff", "small.h5", "whole.h5").returncode, 0)

    def wait_for_progress(self, job, slices):
        """Until the run has begun so many times, and goes on."""
        file = self.path / f"ouroboros-{job}.log"
        def is_so():
            parts = file.read_text().split(" 2 ranks\n") if file.exists() else []
            return len(parts) == slices + 1 and parts[-1].count("simulated ") >= 3
        wait_until(is_so, f"slice {slices} goes on")

    def processes(self):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(path / "cwd") == str(self.path) and b"ouroboros" in (path / "cmdline").read_bytes():
                    found.append(path.name)
            except OSError:
                continue
        return found

    def write_sweep(self):
        self.write("four.toml", '[sweep]\nexperiment = "small.toml"\nranks = 2\n[grid]\n'
                                'wafer.noc.fidelity = ["packet", "stage"]\n'
                                'model.config = ["small.json", "later.json"]\n')

    def sweep(self, *options):
        return subprocess.run([PROGRAM, "sweep", "four.toml", "--slurm", str(JOBS / "sweep.sbatch"), *options],
                              cwd=self.path, env=self.cluster.environment, capture_output=True, text=True)

    def rows(self):
        with open(self.path / "four/table.csv", newline="", encoding="utf-8") as file:
            return {row["run"]: row["digest"] for row in csv.DictReader(file)}

    def test_a_sweep_is_an_array_that_joins_its_results_and_goes_on_with_what_failed(self):
        self.write_sweep()
        submitted = self.sweep()
        array, join = re.search(r"array (\d+) with 4 runs, and job (\d+)", submitted.stderr).groups()
        again = self.sweep()
        if self.cluster.state(join) in ("PENDING", "RUNNING"):
            self.assertEqual(again.returncode, 2)
            self.assertIn(f"scancel {array}", again.stderr)
        self.wait(join, "FAILED")  # since two runs have no result
        digests = self.rows()
        self.assertEqual([name for name, digest in digests.items() if not digest],
                         ["fidelity=packet,config=later.json", "fidelity=stage,config=later.json"])
        self.assertEqual(digests["fidelity=packet,config=small.json"], self.run_here())

        (self.path / "later.json").write_bytes((self.path / "small.json").read_bytes())
        array, join = re.search(r"array (\d+) with 2 runs, and job (\d+)", self.sweep("--jobs", "1").stderr).groups()
        self.wait(join)
        digests = self.rows()
        self.assertEqual(digests["fidelity=packet,config=later.json"], digests["fidelity=packet,config=small.json"])
        self.assertNotIn("", digests.values())
        self.assertIn("4 of them done before", self.sweep().stderr)

    def chain(self, *arguments):
        return self.cluster.call(str(JOBS / "chain"), *arguments, cwd=self.path).split()

    def test_a_chain_runs_step_by_step_and_ends_where_one_fails(self):
        rows = ("--set", "mapping.method=rows")
        for job in self.chain("small.toml", *rows):
            self.wait(job)
        self.assertEqual(self.digest("small.h5")[0], self.run_here(*rows))
        self.assertIn("</html>", (self.path / "small.html").read_text())
        self.write("wrong.toml", "[wafer]\nclok = 1\n")
        bad = self.chain("wrong.toml")
        self.wait(bad[0], "FAILED")
        for job in bad[1:]:
            self.wait(job, "CANCELLED")
        self.assertFalse((self.path / "wrong.h5").exists())


if __name__ == "__main__":
    if reason := why_not():
        print(f"SKIPPED: THE BATCH SCRIPTS ARE NOT TESTED, there is no SLURM here: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
