"""`summary` and `diff` with tolerances, against figures that an independent reader computes."""

import json
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
from ouroboros_program import PROGRAM, ProgramTest, assign, errors

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'
STAGE = assign("wafer.noc.fidelity=stage")


def figures_of(path):
    """What the summary must say, from the definitions in docs/results.md."""
    with h5py.File(path) as file:
        requests = {name: data[()] for name, data in file["requests"].items()}
        makespan = file.attrs["makespan_ps"]
        expected = {}
        several = requests["output_tokens"] > 1
        times = {
            "ttft": requests["first_token_ps"] - requests["arrival_ps"],
            "tpot": ((requests["done_ps"] - requests["first_token_ps"])[several]
                     / (requests["output_tokens"][several] - 1)),
            "latency": requests["done_ps"] - requests["arrival_ps"],
            "queued": requests["admitted_ps"] - requests["arrival_ps"],
        }
        for name, picoseconds in times.items():
            expected[f"{name}_mean_ms"] = picoseconds.mean() * 1e-9
            expected[f"{name}_max_ms"] = picoseconds.max() * 1e-9
            for percent in (50, 90, 95, 99):
                expected[f"{name}_p{percent}_ms"] = np.percentile(picoseconds, percent) * 1e-9
        outputs, prompts = requests["output_tokens"].sum(), requests["prompt_tokens"].sum()
        expected["makespan_ms"] = makespan * 1e-9
        expected["output_tokens_per_s"] = outputs / (makespan * 1e-12)
        expected["prompt_and_output_tokens_per_s"] = (outputs + prompts) / (makespan * 1e-12)
        expected["requests_per_s"] = len(requests["index"]) / (makespan * 1e-12)
        joules = file["energy/dynamic_fj"][()].sum(axis=(0, 1)) * 1e-15
        names = [name.decode() for name in file["energy/component_names"][()]]
        parts = dict(zip(names, joules, strict=True)) | {"static": file["energy/static_j"][0]}
        for name, energy in parts.items():
            expected[f"energy_{name}_per_output_token_mj"] = 1e3 * energy / outputs
        expected["static_energy_j"] = parts["static"]
        expected["dynamic_energy_j"] = joules.sum()
        expected["energy_per_output_token_mj"] = 1e3 * sum(parts.values()) / outputs
        expected["mean_power_w"] = sum(parts.values()) / (makespan * 1e-12)
        columns, rows = file["cores"].attrs["columns"], file["cores"].attrs["rows"]
        expected["mean_core_use_percent"] = 100 * file["stages/busy_core_ps"][()].sum() / makespan / (columns * rows)
        expected["kv_pages_peak_percent"] = 100 * file["kv/pages_used"][()].max() / file["kv"].attrs["pages_total"]
        if "links" in file:
            wafers = file["cores"].attrs["wafers"]
            links = 2 * wafers * ((columns - 1) * rows // wafers + (rows // wafers - 1) * columns)
            ports = [name.decode() for name in file["links/port_names"][()]]
            flits = file["links/flits"][()].reshape(rows, columns, len(ports))[:, :, :4]
            last = np.arange(rows // wafers, rows, rows // wafers)  # each of the rows below a border of wafers
            between = flits[last - 1, :, ports.index("south")].sum() + flits[last, :, ports.index("north")].sum()
            inside = flits.sum() - between  # at 1 GHz a flit takes 1000 ps
            expected["mean_link_use_percent"] = 100 * inside * 1000 / makespan / links
        expected["ranks"] = file["engine"].attrs["ranks"]
        expected["events_per_token"] = file["engine/events"][()].sum() / file.attrs["tokens_processed"]
        return expected


class Figures(ProgramTest):
    def json(self, file):
        result = self.call("summary", file, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def test_each_figure_is_that_of_the_file(self):
        self.experiment(WORKLOAD)
        two_wafers = assign("wafer.count=2", "wafer.joint.columns=[1, 7]")
        for out, settings in (("packet.h5", ()), ("stage.h5", STAGE), ("two.h5", two_wafers),
                              ("single.h5", (*STAGE, *assign("workload.output_tokens=1")))):
            self.run_ok(out, *settings)
            said = self.json(out)
            with np.errstate(invalid="ignore"), self.subTest(out):
                expected = figures_of(self.path / out) if out != "single.h5" else {}
                for name, value in expected.items():
                    # printed in full, summed in another order
                    np.testing.assert_allclose(said[name], value, rtol=1e-12, atol=1e-12, err_msg=name)
                with h5py.File(self.path / out) as file:
                    self.assertEqual(said["digest"], file.attrs["digest"])
                    self.assertEqual(said["output_tokens"], file.attrs["output_tokens"])
        self.assertFalse([name for name in said if name.startswith("tpot")], "no request has two outputs")
        self.assertRegex(self.call("summary", "single.h5").stdout, r"TPOT +none")

    def test_run_prints_what_summary_says(self):
        self.experiment(WORKLOAD)
        printed = self.run_ok("run.h5", ranks=2).stdout
        self.assertTrue(printed.endswith(self.call("summary", "run.h5").stdout), printed)

    def test_keys_end_in_their_unit(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *STAGE)
        counts = {"complete", "tokens_processed", "requests_done", "prompt_tokens", "output_tokens", "preemptions",
                  "recomputed_tokens", "cached_tokens", "ranks", "digest", "code_version", "bottleneck"}
        counts |= {name for name in self.json("run.h5") if name.startswith("workload_rows")}
        for name in self.json("run.h5"):
            if name not in counts:
                self.assertRegex(name, "_(ms|mj|j|w|s|mb|percent|per_s|per_wall_s|per_token)$")


class Tolerances(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD)
        self.run_ok("packet.h5")
        self.run_ok("stage.h5", *STAGE)

    def test_equal_runs_have_no_difference(self):
        result = self.call("diff", "packet.h5", "packet.h5", "--rtol", "0")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^0 of \d+ quantities differ")

    def test_a_difference_counts_where_it_is_beyond_the_tolerance(self):
        ms = [figures_of(self.path / name)["ttft_p50_ms"] for name in ("packet.h5", "stage.h5")]
        off = (ms[1] - ms[0]) / ms[0]
        self.assertNotEqual(off, 0)
        wide = self.call("diff", "packet.h5", "stage.h5", "--rtol", "100")
        self.assertEqual(wide.returncode, 0, wide.stdout)
        line = next(line.split() for line in wide.stdout.splitlines() if line.startswith("ttft_p50_ms"))
        self.assertEqual(line, ["ttft_p50_ms", f"{ms[0]:.6g}", f"{ms[1]:.6g}", f"{100 * off:+.3f}%"])
        for tolerance, code in ((1.001 * abs(off), 0), (0.999 * abs(off), 1)):
            result = self.call("diff", "packet.h5", "stage.h5", "--rtol", "100",
                               "--tolerance", f"ttft_p50_ms={tolerance}")
            self.assertEqual(result.returncode, code, result.stdout)
            self.assertEqual(result.stdout.count("  beyond "), code)

    def test_a_dataset_is_compared_by_its_worst_value(self):
        arguments = ("diff", "packet.h5", "changed.h5", "--rtol", "0", "--tolerance")
        (self.path / "changed.h5").write_bytes((self.path / "packet.h5").read_bytes())
        with h5py.File(self.path / "changed.h5", "r+") as file:
            flits = file["links/flits"]
            core, port = np.argwhere(flits[()] == flits[()].max())[0]
            flits[core, port] *= 2
        self.assertEqual(self.call(*arguments, "/links/flits=1").returncode, 0)
        result = self.call(*arguments, "/links/flits=0.99")
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"/links/flits[{core},{port}]", result.stdout)
        self.assertIn("+100.000%  beyond 99%", result.stdout)

    def test_what_is_no_tolerance_or_has_none(self):
        def refused(sentence, *arguments):
            result = self.call("diff", "packet.h5", "stage.h5", *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(sentence, result.stderr)

        refused("'ttft_p50_ms' is no tolerance; write NAME=x", "--tolerance", "ttft_p50_ms")
        refused("'ttft_p50_ms=-1' is no tolerance", "--tolerance", "ttft_p50_ms=-1")
        refused("called 'ttft_p51_ms'; did you mean 'ttft_p50_ms'?", "--tolerance", "ttft_p51_ms=1")
        refused("called '/links/flits'", "--tolerance", "/links/flits=1")  # stage has no links
        refused("'/stages/names' is text", "--tolerance", "/stages/names=1")
        refused("--rtol", "--rtol", "-1")


class Unfinished(ProgramTest):
    def test_a_killed_run_leaves_a_file_that_says_how_far_it_came(self):
        self.experiment('lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 200000\n')
        part = self.path / "run.h5.part"
        with subprocess.Popen([PROGRAM, "run", "small.toml", "--out", "run.h5", *STAGE], cwd=self.path,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            deadline = time.monotonic() + 100
            while time.monotonic() < deadline and self.requests_in(part) == 0:
                time.sleep(0.05)
            run.send_signal(signal.SIGKILL)
        done = self.requests_in(part)
        self.assertGreater(done, 0)
        said = self.call("summary", part.name)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertRegex(said.stdout, r"^NOT COMPLETE +the run did not end; what follows is up to [\d.]+ ms")
        figures = json.loads(self.call("summary", part.name, "--json").stdout)
        self.assertEqual(figures["complete"], 0)
        self.assertEqual(figures["requests_done"], done)
        self.assertNotIn("output_tokens_per_s", figures)
        with h5py.File(part) as file:
            self.assertEqual(file.attrs["requests_done"], done)
            self.assertEqual(figures["reached_ms"], file.attrs["reached_ps"] * 1e-9)
            self.assertLessEqual(file["requests/done_ps"][()].max(), file.attrs["reached_ps"])
        self.assertFalse((self.path / "run.h5").exists())

    @staticmethod
    def requests_in(part):
        """How many can be read now; HDF5 does not update a file in one step."""
        try:
            with h5py.File(part) as file:
                return len(file["requests/index"])
        except (OSError, KeyError):
            return 0

    def test_a_file_that_is_not_of_a_run_is_refused(self):
        self.experiment(WORKLOAD)
        self.assertEqual(self.call("map", "small.toml", "--out", "map.h5").returncode, 0)
        for command in (["summary", "map.h5"], ["diff", "map.h5", "map.h5", "--rtol", "1"], ["report", "map.h5"],
                        ["trace", "map.h5"]):
            result = self.call(*command)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(errors(result), ["map.h5: is not of a run of a model; a result of `ouroboros run` is needed"])
        self.assertEqual(self.call("diff", "map.h5", "map.h5").returncode, 0)


if __name__ == "__main__":
    unittest.main()
