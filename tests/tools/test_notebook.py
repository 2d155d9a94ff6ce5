"""The Python module for notebooks, the example of docs/results.md, and that of the README."""

import contextlib
import io
import os
import pathlib
import re
import sys
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest

SOURCES = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCES / "tools"))
os.environ["MPLBACKEND"] = "Agg"

import ouroboros_results as results  # noqa: E402  (found in the folder above)

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'


def examples(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


class Notebook(ProgramTest):
    def setUp(self):
        super().setUp()
        os.environ["MPLCONFIGDIR"] = str(self.path)
        self.experiment(WORKLOAD)
        self.run_ok("small.h5")

    def test_the_examples_of_the_pages_run(self):
        pages = [examples(SOURCES / page) for page in ("README.md", "docs/results.md")]
        self.assertTrue(all(pages))
        for example in sum(pages, []):
            with contextlib.chdir(self.path), contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile(example, "example", "exec"), {})
            self.assertTrue(said.getvalue())
        for picture in ("roles.png", "ttft.png", "tokens.png", "core_energy.png", "links.png", "stations.png",
                        "energy.png"):
            self.assertTrue((self.path / picture).read_bytes().startswith(b"\x89PNG"), picture)

    def test_tables_are_the_datasets_of_the_file(self):
        with results.Run(self.path / "small.h5") as run, h5py.File(self.path / "small.h5") as file:
            for group in ("requests", "tokens", "cores", "links"):
                table = run.table(group)
                numbers = {name for name, data in file[group].items() if data.dtype.kind != "S"}
                self.assertEqual(set(table.dtype.names), numbers)
                for name in numbers:
                    np.testing.assert_array_equal(table[name], file[group][name])
            self.assertEqual(run.map(run.table("cores").macs)[5, 4], file["cores/macs"][5 * 9 + 4])
            begin, values = run.timeline("timeline/tokens_sampled")
            self.assertEqual(values.sum(), 7 * 20)
            self.assertLessEqual(begin[-1], file.attrs["makespan_ps"] * 1e-12)
            self.assertEqual(run.energy_j()["static"], file["energy/static_j"][0])

    def test_plots_show_the_numbers(self):
        with results.Run(self.path / "small.h5") as run:
            shown = results.plot_wafer(run, "macs").images[0].get_array()
            np.testing.assert_array_equal(shown, run.map(run.table("cores").macs))
            line = results.plot_latency(run, "latency").lines[0]
            np.testing.assert_array_equal(line.get_xdata(), np.sort(run.latencies_ms("latency")))
            line = results.plot_timeline(run, "timeline/busy_core_ps").lines[0]
            self.assertEqual(line.get_ydata().sum(), run.read("stages/busy_core_ps").sum())
            shown = results.plot_wafer(run, "energy").images[0].get_array()
            self.assertAlmostEqual(shown.sum() * 1e-6 / run.read("energy/dynamic_fj").sum() * 1e15, 1)
            flits = results.plot_links(run).images[0].get_array() * run.attributes("timeline")["link_flits_window_ps"]
            self.assertAlmostEqual(flits.sum() / 1000 * 4 * 12 / run.read("links/flits")[:, :4].sum(), 1)
            areas = results.plot_passages(run).collections
            self.assertEqual(len(areas), 3)
            token = run.table("passages")  # one: number 0
            whole = sum(values.sum() for values in run.passages_ns().values())
            self.assertAlmostEqual(whole, (token.launched_ps.max() - token.entered_ps.min()) * 1e-3)
            bars = results.plot_energy(run).patches
            millijoules = sum(bar.get_width() for bar in bars) * run.attributes()["output_tokens"]
            self.assertAlmostEqual(1e-3 * millijoules / sum(run.energy_j().values()), 1)

    def test_a_foreign_file_is_refused(self):
        with h5py.File(self.path / "other.h5", "w") as other:
            other["numbers"] = [1]
        with self.assertRaisesRegex(ValueError, "other.h5: is not a results file"):
            results.Run(self.path / "other.h5")


if __name__ == "__main__":
    unittest.main()
