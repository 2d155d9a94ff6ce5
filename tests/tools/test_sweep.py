"""A sweep runs what is missing, some runs side by side, and joins all results into one table."""

import csv
import math
import os
import pathlib
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
from ouroboros_program import PROGRAM, WAFER, ProgramTest, errors

BASE = WAFER + '[workload]\nlengths = "fixed"\nrequests = 3\nprompt_tokens = 4\noutput_tokens = 3\n'
FOUR = """[sweep]
experiment = "base.toml"
[grid]
wafer.noc.fidelity = ["packet", "stage"]
workload.prompt_tokens = [4, 8]
"""
NAMES = [f"fidelity={fidelity},prompt_tokens={prompt}" for fidelity in ("packet", "stage") for prompt in (4, 8)]


class Sweep(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("base.toml", BASE)
        self.write("four.toml", FOUR)

    def sweep_ok(self, file="four.toml", *arguments):
        result = self.call("sweep", file, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def rows(self, directory="four"):
        with open(self.path / directory / "table.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def results(self, directory="four"):
        return {path.stem: path.stat().st_mtime_ns for path in (self.path / directory / "runs").glob("*.h5")}

    def refusal(self, *arguments):
        result = self.call("sweep", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(errors(result)), 1, result.stderr)
        return errors(result)[0]

    def test_each_run_is_what_run_gives_and_the_table_has_its_figures(self):
        result = self.sweep_ok()
        self.assertEqual(sorted(self.results()), sorted(NAMES))
        self.assertIn("4 of 4 runs done, 0 running, 0 failed", result.stderr)
        rows = self.rows()
        self.assertEqual([row["run"] for row in rows], NAMES)
        self.assertEqual([row["workload.prompt_tokens"] for row in rows], ["4", "8", "4", "8"])
        for row in rows:
            alone = self.call("run", "base.toml", "--out", "alone.h5", "--force",
                              "--set", "wafer.noc.fidelity=" + row["wafer.noc.fidelity"],
                              "--set", "workload.prompt_tokens=" + row["workload.prompt_tokens"])
            self.assertEqual(alone.returncode, 0, alone.stderr)
            self.assertEqual(self.call("diff", "alone.h5", f"four/runs/{row['run']}.h5").returncode, 0)
            with h5py.File(self.path / "alone.h5") as file:
                self.check_figures(row, file)

    def check_figures(self, row, file):
        requests = {name: data[:] for name, data in file["requests"].items()}
        seconds = file.attrs["makespan_ps"] * 1e-12
        outputs = requests["output_tokens"].sum()
        ttft = (requests["first_token_ps"] - requests["arrival_ps"]) * 1e-9
        tpot = (requests["done_ps"] - requests["first_token_ps"]) * 1e-9 / (requests["output_tokens"] - 1)
        joules = file["energy/dynamic_fj"][:].sum() * 1e-15 + file["energy/static_j"][0]
        self.assertEqual(row["digest"], file.attrs["digest"])
        for name, expected in {
            "requests_done": 3, "output_tokens": 9, "makespan_ms": 1e3 * seconds,
            "prompt_tokens": requests["prompt_tokens"].sum(),
            "output_tokens_per_s": outputs / seconds,
            "ttft_p50_ms": np.percentile(ttft, 50),
            "ttft_p99_ms": np.percentile(ttft, 99),
            "tpot_p99_ms": np.percentile(tpot, 99),
            "energy_per_output_token_mj": 1e3 * joules / outputs,
        }.items():
            self.assertAlmostEqual(float(row[name]) / expected, 1, places=9, msg=name)

    def test_the_tables_in_hdf5_and_csv_say_the_same(self):
        self.sweep_ok()
        rows = self.rows()
        with h5py.File(self.path / "four/table.h5") as table:
            columns = {"run": table["runs/name"].asstr()[:]}
            for name, data in table["figures"].items():
                columns[name] = data.asstr()[:] if data.dtype.kind == "S" else data[:]
            columns["wafer.noc.fidelity"] = table["overrides/wafer.noc.fidelity"].asstr()[:]
            columns["workload.prompt_tokens"] = table["overrides/workload.prompt_tokens"][:]
            self.assertEqual(columns["workload.prompt_tokens"].dtype, np.int64)
            self.assertEqual(table["figures/ttft_p50_ms"].attrs["unit"], "ms")
            table.visititems(lambda name, item: self.assertTrue(
                isinstance(item, h5py.Group) or item.attrs["meaning"], name))
        for name, values in columns.items():
            self.assertEqual([type(values[0])(row[name]) for row in rows], list(values), name)

    def simulated_rows(self):
        """Without what the simulator itself took, which a run again takes anew."""
        with h5py.File(self.path / "four/table.h5") as table:
            own = set(table["engine"])
        return [{name: value for name, value in row.items() if name not in own} for row in self.rows()]

    def test_a_second_call_runs_nothing_and_a_lost_or_changed_run_again(self):
        self.sweep_ok()
        first, rows = self.results(), self.simulated_rows()
        self.sweep_ok()
        self.assertEqual(self.results(), first)
        directory = self.path / "four/runs"
        (directory / f"{NAMES[0]}.h5").unlink()
        whole = (directory / f"{NAMES[1]}.h5").read_bytes()
        (directory / f"{NAMES[1]}.h5").write_bytes(whole[: len(whole) // 2])
        with h5py.File(directory / f"{NAMES[2]}.h5", "r+") as unfinished:
            unfinished.attrs["complete"] = np.int64(0)
        self.sweep_ok()
        again = self.results()
        self.assertEqual([again[name] != first[name] for name in NAMES], [True, True, True, False])
        self.assertEqual(self.simulated_rows(), rows)

    def test_what_is_done_stays_when_the_sweep_grows_and_not_when_the_base_changes(self):
        self.sweep_ok()
        first = self.results()
        self.write("four.toml", FOUR.replace("[4, 8]", "[4, 6, 8]"))
        self.assertIn("6 runs, 4 of them done before", self.sweep_ok().stderr)
        self.assertEqual({name: self.results()[name] for name in NAMES}, first)
        self.write("base.toml", BASE.replace("requests = 3", "requests = 4"))
        self.assertIn("6 results are of another configuration", self.sweep_ok().stderr)
        self.assertEqual({row["requests_done"] for row in self.rows()}, {"4"})

    def test_comments_and_lines_of_the_base_are_no_change(self):
        self.sweep_ok()
        first = self.results()
        self.write("base.toml", "# The base.\n\n" + BASE)
        self.sweep_ok()
        self.assertEqual(self.results(), first)
        self.sweep_ok("four.toml", "--force")
        self.assertTrue(all(self.results()[name] != first[name] for name in NAMES))

    def test_a_run_that_fails_does_not_stop_the_others_and_is_tried_again(self):
        self.write("some.toml", '[sweep]\nexperiment = "base.toml"\n[grid]\n'
                                'model.config = ["small.json", "later.json"]\n')
        result = self.call("sweep", "some.toml")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"config=later.json failed with code 2: .*later.json")
        good, bad = self.rows("some")
        self.assertEqual((good["done"], bad["done"], bad["digest"], bad["ttft_p50_ms"]), ("1", "0", "", ""))
        with h5py.File(self.path / "some/table.h5") as table:
            self.assertTrue(math.isnan(table["figures/ttft_p50_ms"][1]))
        first = self.results("some")
        self.write("later.json", (self.path / "small.json").read_text())
        self.sweep_ok("some.toml")
        self.assertEqual(self.results("some")["config=small.json"], first["config=small.json"])
        self.assertEqual(len({row["digest"] for row in self.rows("some")}), 1)

    def test_a_table_where_every_run_failed(self):
        self.write("none.toml", '[sweep]\nexperiment = "base.toml"\n[grid]\nmodel.config = ["none.json"]\n')
        self.assertEqual(self.call("sweep", "none.toml").returncode, 1)
        self.assertEqual(self.rows("none")[0]["done"], "0")

    def test_runs_on_two_ranks_give_the_same(self):
        self.sweep_ok()
        self.write("ranks.toml", FOUR.replace("[grid]", "ranks = 2\n[grid]"))
        self.sweep_ok("ranks.toml", "--jobs", "2")
        self.assertEqual([row["digest"] for row in self.rows("ranks")], [row["digest"] for row in self.rows()])
        with h5py.File(self.path / f"ranks/runs/{NAMES[0]}.h5") as result:
            self.assertEqual(result["engine"].attrs["ranks"], 2)

    def test_a_sweep_that_is_wrong_is_refused_before_anything_runs(self):
        for text, said in {
            FOUR.replace("base.toml", "nowhere.toml"): "nowhere.toml: there is no such file",
            FOUR.replace("prompt_tokens", "promt_tokens"): "did you mean 'workload.prompt_tokens'?",
            FOUR.replace("[4, 8]", "[]"): "workload.prompt_tokens has no value",
            FOUR.replace("[4, 8]", "[4, 4]"): "are the same",
            FOUR.replace("[4, 8]", '[4, "8"]'): "an integer such as",
            "no toml": "four.toml:1",
        }.items():
            with self.subTest(said):
                self.write("four.toml", text)
                self.assertIn(said, self.refusal("four.toml"))
                self.assertFalse((self.path / "four").exists())
        self.assertIn("nowhere.toml", self.refusal("nowhere.toml"))

    def test_it_does_not_run_under_mpirun_nor_where_no_directory_can_be(self):
        refused = self.call("sweep", "four.toml", ranks=2)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("without mpirun", refused.stderr)
        self.assertIn("base.toml", self.refusal("four.toml", "--out", "base.toml/sweep"))

    def start_long(self, *arguments):
        self.write("long.toml", FOUR.replace("[4, 8]", "[4, 8]\nworkload.requests = [20000]"))
        return subprocess.Popen([PROGRAM, "sweep", "long.toml", "--jobs", "2", *arguments], cwd=self.path,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait_for_runs(self, count=2):
        for _ in range(600):
            if len(list((self.path / "long/runs").glob("*.part"))) >= count:
                return
            time.sleep(0.05)
        self.fail("no run has begun")

    def children(self):
        """Commands of this test's runs that are still there."""
        commands = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
                here = os.readlink(path.parent / "cwd")
            except OSError:
                continue
            if here == str(self.path) and b"run" in words:
                commands.append(words)
        return commands

    def wait_for_no_children(self):
        for _ in range(200):
            if not self.children():
                return
            time.sleep(0.05)
        self.fail(f"still there: {self.children()}")

    def test_ctrl_c_ends_the_runs_and_the_next_call_goes_on(self):
        sweep = self.start_long()
        self.wait_for_runs()
        self.assertGreaterEqual(len(self.children()), 2)
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate(timeout=30)
        self.assertEqual(sweep.returncode, 128 + signal.SIGINT, said)
        self.assertIn("the same command goes on", said)
        self.wait_for_no_children()
        self.write("long.toml", FOUR)
        self.sweep_ok("long.toml")

    def test_a_sweep_that_is_killed_leaves_no_run_behind(self):
        sweep = self.start_long()
        self.wait_for_runs()
        sweep.kill()
        sweep.communicate(timeout=30)
        self.wait_for_no_children()

    def test_a_second_sweep_in_the_same_directory_is_refused(self):
        sweep = self.start_long()
        self.wait_for_runs()
        self.assertIn("another sweep works there", self.refusal("four.toml", "--out", "long"))
        self.sweep_ok("four.toml")  # beside it
        sweep.terminate()
        sweep.communicate(timeout=30)


if __name__ == "__main__":
    unittest.main()
