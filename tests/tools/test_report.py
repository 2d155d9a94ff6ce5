"""The page of `ouroboros report`, in a browser: it loads, zooms, and shows the numbers of the file."""

import json
import re
import unittest

import h5py
import numpy as np
from browser import Browser
from ouroboros_program import ProgramTest, assign

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'
STAGE = assign("wafer.noc.fidelity=stage")
COLUMNS, CORE_COLUMNS, CORE_ROWS = 9, 3, 4  # of the wafer and of a die
SIZES = ((1366, 768), (1920, 1080))
DEAD = 40


class Report(ProgramTest):
    def report(self, *runs, out="page.html"):
        result = self.call("report", *runs, "-o", out, "--force")
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.path / out

    def opened(self, browser, page):
        browser.open(page)
        # the map is drawn in the next frame
        browser.ask("POST", "/execute/async", {"script": "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))",
                                               "args": []})
        self.assertEqual(browser.messages(), [])
        self.assertEqual(browser.run("return performance.getEntriesByType('resource').length"), 0, "it loads something")

    def expect_numbers_of(self, browser, file, core):
        """The table beside the map has the file's values of that core, all of them."""
        rows = browser.run("return [...document.querySelectorAll('.inspector tr[data-path]')].map(row => "
                           "[row.dataset.path, row.dataset.index, row.dataset.raw])")
        shown = {(path, index): int(raw) for path, index, raw in rows}
        expected = {(f"/cores/{name}", str(core)): file[f"cores/{name}"][core]
                    for name in file["cores"] if file[f"cores/{name}"].shape == file["cores/alive"].shape}
        if "links" in file:
            expected |= {("/cores/energy_fj", f"{core},{component}"): energy
                         for component, energy in enumerate(file["cores/energy_fj"][core])}
            expected |= {("/links/flits", f"{core},{port}"): flits
                         for port, flits in enumerate(file["links/flits"][core])}
            expected |= {("/links/waited_ps", f"{core},{port}"): waited
                         for port, waited in enumerate(file["links/waited_ps"][core]) if waited > 0}
        self.assertEqual(shown, expected)

    def place(self, browser):
        return browser.run("return document.querySelector('.place').textContent")

    def test_it_zooms_to_a_core_by_keyboard_and_by_click_and_shows_its_numbers(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5")
        page = self.report("run.h5")
        with h5py.File(self.path / "run.h5") as file, Browser() as browser:
            self.opened(browser, page)
            browser.run("document.getElementById('wafer').scrollIntoView(); document.querySelector('canvas').focus()")
            # to die (1, 1), into it, and on to the core below and right of its first, into that
            browser.press("Right", "Down", "Enter", "Right", "Down", "Enter")
            core = (CORE_ROWS + 1) * COLUMNS + CORE_COLUMNS + 1
            self.assertEqual(self.place(browser), f"Wafer › die (1, 1) › core {core} at (4, 5)")
            self.expect_numbers_of(browser, file, core)
            browser.press("Right", "Right")  # over the border of the die
            self.assertIn("die (2, 1)", self.place(browser))
            self.expect_numbers_of(browser, file, core + 2)
            browser.press("Escape", "Escape")
            self.assertEqual(self.place(browser), "Wafer › cursor on die (2, 1)")
            totals = dict(browser.run("return [...document.querySelectorAll('.inspector tr[data-path]')].map(row => "
                                      "[row.dataset.path + row.dataset.index, row.dataset.raw])"))
            self.assertEqual(int(totals["/cores/macs"]), file["cores/macs"][()].sum())
            dynamic = file["energy/dynamic_fj"][()].sum(axis=(0, 1))
            for component in np.flatnonzero(dynamic):
                self.assertEqual(int(totals[f"/cores/energy_fj:,{component}"]), dynamic[component])
            self.assertEqual(int(totals["/links/flits:,3"]), file["links/flits"][:, 3].sum())

            # core (7, 6) on the wafer shows its die (2, 1), where it is (1, 2)
            for x, y, columns, rows in ((7, 6, COLUMNS, 8), (1, 2, CORE_COLUMNS, CORE_ROWS)):
                box = browser.run("const box = document.querySelector('canvas').getBoundingClientRect(); "
                                  "return [box.x, box.y, box.width, box.height]")
                size = min(box[2] / columns, box[3] / rows)
                left = box[0] + (box[2] - size * columns) / 2
                browser.click(left + (x + .5) * size, box[1] + (y + .5) * size)
            self.assertEqual(self.place(browser), f"Wafer › die (2, 1) › core {6 * COLUMNS + 7} at (7, 6)")
            self.expect_numbers_of(browser, file, 6 * COLUMNS + 7)
            self.assertEqual(browser.messages(), [])

    def test_every_map_is_drawn_and_none_is_of_one_colour(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5")
        with Browser() as browser:
            self.opened(browser, self.report("run.h5"))
            maps = browser.run("return [...document.getElementById('quantity').options].map(one => one.text)")
            for name in ("role of the core", "block", "crossbars busy", "dynamic energy", "dynamic energy: buffer", "faults",
                         "link load: east", "link load: to core", "KV blocks in use, peak"):
                self.assertIn(name, maps)
            for i, name in enumerate(maps):
                colours = browser.run(
                    "const select = document.getElementById('quantity'); select.selectedIndex = arguments[0]; "
                    "select.dispatchEvent(new Event('change')); const canvas = document.querySelector('canvas'); "
                    "const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); "
                    "const seen = new Set(); for (let at = 0; at < data.length; at += 4) "
                    "seen.add(data[at] + ',' + data[at + 1] + ',' + data[at + 2]); return seen.size", i)
                self.assertGreater(colours, 3, name)  # cells, borders and cursor

    def test_figures_are_those_of_the_summary(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5")
        figures = json.loads(self.call("summary", "run.h5", "--json").stdout)
        with Browser() as browser:
            self.opened(browser, self.report("run.h5"))
            cards = browser.run("return [...document.querySelectorAll('[data-figure]')].map(card => "
                                "[card.dataset.figure, card.firstChild.textContent])")
            self.assertGreaterEqual(len(cards), 12)
            for name, shown in cards:
                np.testing.assert_allclose(float(shown.replace(",", "")), figures[name], rtol=5e-4, err_msg=name)
            table = browser.run("return [...document.querySelectorAll('#summary details tbody tr')].map(row => "
                                "[...row.children].map(cell => cell.textContent))")
            self.assertEqual({name for name, _ in table}, set(figures) - {"bottleneck"})
            self.assertEqual(dict(table)["requests_done"], "7")
            self.assertIn(figures["bottleneck"], browser.run("return document.querySelector('.bottleneck').textContent"))
            charts = browser.run("return [...document.querySelectorAll('svg[role=img]')].map(one => one.ariaLabel)")
            for name in ("Cores busy, by stage", "Power", "KV pages in use", "Dynamic, by stage and phase",
                         "Links busy on average, by die", "Mean time of 1 recorded tokens at each station"):
                self.assertIn(name, charts)

    def test_what_a_later_version_adds_to_the_file_is_drawn(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5")
        with h5py.File(self.path / "run.h5", "r+") as file:
            blocks = len(file["stages/busy_core_ps"])
            for path, values, unit in (("timeline/activation_bytes", np.arange(1, 9), "byte"),
                                       ("timeline/waiting_ps", np.ones((8, 3), int), "ps"),
                                       ("timeline/waiting_ps_names", np.array([b"input", b"output", b"network"]), "1"),
                                       ("stages/stalled_ps", np.arange(3 * blocks).reshape(blocks, 3), "ps"),
                                       ("cores/failed_at_ps", np.arange(72), "ps")):
                file[path] = values
                file[path].attrs["unit"], file[path].attrs["meaning"] = unit, "new"
            for name in ("activation_bytes", "waiting_ps"):
                file["timeline"].attrs[f"{name}_window_ps"] = np.int64(2**22)
        with Browser() as browser:
            self.opened(browser, self.report("run.h5"))
            charts = browser.run("return [...document.querySelectorAll('svg[role=img]')].map(one => one.ariaLabel)")
            for name in ("activation bytes", "waiting", "stages: stalled"):
                self.assertIn(name, charts)
            self.assertIn("network", browser.run("return document.getElementById('over-time').textContent"))
            self.assertIn("failed at", browser.run("return document.getElementById('quantity').textContent"))
            self.assertIn("/timeline/activation_bytes", browser.run("return document.querySelector('.datasets').textContent"))

    def test_it_fits_the_window_and_prints(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5")
        self.run_ok("stage.h5", *STAGE)
        page = self.report("run.h5", "stage.h5")
        for width, height in SIZES:
            with self.subTest(width), Browser(width, height) as browser:
                self.opened(browser, page)
                overhang = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
                self.assertLessEqual(browser.run(overhang), 0)
                self.assertEqual(browser.run("return document.querySelectorAll('#wafer canvas').length"), 2)
                self.assertIn("no numbers of single cores and links",
                              browser.run("return document.getElementById('wafer').textContent"))
                browser.show_as("print")
                hidden = "return getComputedStyle(document.querySelector(arguments[0])).display"
                self.assertEqual([browser.run(hidden, one) for one in ("nav", ".controls")], ["none", "none"])
                browser.show_as("")
                paper = browser.print()
                self.assertTrue(paper.startswith(b"%PDF"))
                pages = len(re.findall(rb"/Type\s*/Page\b", paper))
                self.assertTrue(2 <= pages <= 25, pages)
                pictures = len(re.findall(rb"/Subtype\s*/Image", paper))
                self.assertGreaterEqual(pictures, 6, "both maps on the screen, and busy, energy, links, KV of the first run")
                self.assertTrue(browser.run("return [...document.querySelectorAll('details')].every(one => one.open)"),
                                "the configuration is printed too")

    def test_dead_cores_are_marked(self):
        self.experiment(WORKLOAD)
        self.write("faults.csv", f"kind,x,y,direction\ncore,{DEAD % COLUMNS},{DEAD // COLUMNS},\n")
        self.run_ok("run.h5", *assign("wafer.faults.map_file=faults.csv"))
        with h5py.File(self.path / "run.h5") as file, Browser() as browser:
            self.assertEqual(np.flatnonzero(file["cores/alive"][()] == 0).tolist(), [DEAD])
            self.opened(browser, self.report("run.h5"))
            self.assertIn("dead (1)", browser.run("return document.querySelector('#wafer .legend').textContent"))
            browser.run("document.querySelector('canvas').focus()")
            column, row = DEAD % COLUMNS, DEAD // COLUMNS
            browser.press("Enter", *["Right"] * column, *["Down"] * row, "Enter")
            self.assertIn(f"core {DEAD} ", self.place(browser))
            self.expect_numbers_of(browser, file, DEAD)
            self.assertIn("no, dead", browser.run("return document.querySelector('.inspector').textContent"))

    def test_a_run_that_did_not_end_is_marked_as_such(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *STAGE)
        with h5py.File(self.path / "run.h5", "r+") as file:  # as a killed run leaves it
            file.attrs["complete"] = np.int64(0)
            for name in ("digest", "events", "makespan_ps"):
                del file.attrs[name]
            for group in set(file) - {"requests", "tokens", "configuration", "workload"}:
                del file[group]
        with Browser() as browser:
            self.opened(browser, self.report("run.h5"))
            self.assertIn("NOT COMPLETE", browser.run("return document.querySelector('[role=alert]').textContent"))
            self.assertEqual(browser.run("return document.querySelectorAll('#latency svg').length"), 3)


class Network(ProgramTest):
    """The page of `ouroboros noc`."""

    def setUp(self):
        super().setUp()
        self.write("mesh.toml", "[wafer]\ndie_columns = 2\ndie_rows = 2\ncore_columns = 3\ncore_rows = 4\n"
                                "[wafer.noc]\nfidelity = \"flit\"\n[traffic]\nwarmup = \"100 cycles\"\n"
                                "measure = \"500 cycles\"\n")
        self.assertEqual(self.call("noc", "mesh.toml", "--out", "mesh.h5", "--rates", "0.05,0.2").returncode, 0)

    def test_it_shows_latency_over_load_and_the_flits_of_each_link(self):
        self.assertEqual(self.call("report", "mesh.h5", "-o", "mesh.html").returncode, 0)
        with h5py.File(self.path / "mesh.h5") as file, Browser() as browser:
            browser.open(self.path / "mesh.html")
            browser.ask("POST", "/execute/async", {"script": "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))",
                                                   "args": []})
            self.assertEqual(browser.messages(), [])
            cells = dict(browser.run("return [...document.querySelectorAll('[data-figure]')].map(cell => "
                                     "[cell.dataset.figure, cell.textContent])"))
            for study in (0, 1):
                for name in ("injection_rate", "mean_latency", "p99_latency"):
                    np.testing.assert_allclose(float(cells[f"study_{study}_{name}"]), file[f"noc/{name}"][study], rtol=5e-4)
            charts = browser.run("return [...document.querySelectorAll('svg[role=img]')].map(one => one.ariaLabel)")
            self.assertEqual(charts, ["Latency of a packet", "Throughput"])
            self.assertEqual(browser.run("return document.querySelectorAll('#wafer canvas').length"), 2)
            browser.run("document.querySelector('canvas').focus()")
            browser.press("Enter", "Right", "Down", "Enter")
            rows = browser.run("return [...document.querySelectorAll('.inspector')].flatMap(table => "
                               "[...table.querySelectorAll('tr[data-path=\"/noc/link_flits\"]')].map(row => "
                               "[row.dataset.index, row.dataset.raw]))")
            expected = {f"{study},7,{port}": file["noc/link_flits"][study, 7, port] for study in (0, 1) for port in range(5)}
            self.assertEqual({index: int(raw) for index, raw in rows}, expected)

    def test_summary_says_what_noc_said_and_a_trace_is_refused(self):
        said = self.call("noc", "mesh.toml", "--out", "again.h5", "--rates", "0.05,0.2").stdout
        summary = self.call("summary", "mesh.h5")
        self.assertEqual(summary.returncode, 0, summary.stderr)
        self.assertEqual(summary.stdout.splitlines()[:3], said.splitlines()[:3])
        figures = json.loads(self.call("summary", "mesh.h5", "--json").stdout)
        with h5py.File(self.path / "mesh.h5") as file:
            self.assertEqual(figures["studies"], 2)
            self.assertEqual(figures["study_1_mean_latency_cycles"], file["noc/mean_latency"][1])
            self.assertEqual(figures["study_0_p99_latency_cycles"], file["noc/p99_latency"][0])
        same = self.call("diff", "mesh.h5", "again.h5", "--rtol", "0")
        self.assertEqual(same.returncode, 0, same.stdout)
        refused = self.call("trace", "mesh.h5")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("mesh.h5: is of the network alone", refused.stderr)


class Files(ProgramTest):
    def test_a_page_is_not_overwritten_unless_asked(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *STAGE)
        self.write("run.html", "precious")
        result = self.call("report", "run.h5")
        self.assertEqual(result.returncode, 2)
        self.assertIn("run.html: already exists", result.stderr)
        self.assertEqual((self.path / "run.html").read_text(), "precious")
        self.assertEqual(self.call("report", "run.h5", "--force").returncode, 0)
        self.assertIn("<html", (self.path / "run.html").read_text())

    def test_texts_of_a_run_are_no_part_of_the_page(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *STAGE)
        with h5py.File(self.path / "run.h5", "r+") as file:
            file.attrs["code_version"] = "</script><script>document.title = 'owned'</script>"
        self.assertEqual(self.call("report", "run.h5").returncode, 0)
        with Browser() as browser:
            browser.open(self.path / "run.html")
            self.assertIn("run.h5", browser.run("return document.title"))
            self.assertIn("owned", browser.run("return document.getElementById('configuration').textContent"))


class Bottleneck(ProgramTest):
    """Each rule of docs/results.md, on a file that is made to meet it."""

    def said(self, change):
        (self.path / "changed.h5").write_bytes((self.path / "run.h5").read_bytes())
        with h5py.File(self.path / "changed.h5", "r+") as file:
            for name in ("home_stalled_ps", "home_stalled_input_ps"):
                file[f"stages/{name}"][()] = 0
            file["tokens/retired_ps"][()] = file["tokens/issued_ps"][()] + 10**15  # the pipeline is full
            change(file)
        return json.loads(self.call("summary", "changed.h5", "--json").stdout)["bottleneck"]

    def test_the_first_rule_that_holds_is_said(self):
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *STAGE)

        def nothing(file):
            pass

        def empty_pipeline(file):
            span = file.attrs["makespan_ps"]
            each = span // file.attrs["tokens_processed"] * 5  # so that 5 are under way, of 13 home cores
            file["tokens/retired_ps"][()] = file["tokens/issued_ps"][()] + each

        def late_arrivals(file):
            file["requests/arrival_ps"][()] = np.linspace(0, 0.85 * file.attrs["makespan_ps"], 7).astype(int)
            file["requests/admitted_ps"][()] = file["requests/arrival_ps"][()]

        def stall(file):
            late_arrivals(file)
            file["stages/home_stalled_ps"][:7] = file.attrs["makespan_ps"] * 3 // 10
            file["stages/home_stalled_input_ps"][:7] = file.attrs["makespan_ps"] * 2 // 10

        def stall_between(file):
            stall(file)
            file["stages/home_stalled_input_ps"][:7] = file.attrs["makespan_ps"] // 10

        def queue(file):
            stall(file)
            requests = file["requests"]
            requests["admitted_ps"][()] = (requests["arrival_ps"][()] + requests["done_ps"][()]) // 2
            file["timeline/sequences_running"][0] = file["kv"].attrs["sequences_at_most"]

        def full_memory(file):
            queue(file)
            file["timeline/sequences_running"][0] = file["kv"].attrs["sequences_at_most"] - 1

        def preempted(file):
            file["timeline/sequences_running"][0] = file["kv"].attrs["sequences_at_most"]
            file["requests/recomputed_tokens"][0] = file.attrs["tokens_processed"] // 10

        for change, begin in ((nothing, "ffn: the pipeline is full"), (empty_pipeline, "too few tokens under way: 5.0 on"),
                              (late_arrivals, "arrivals: the last request came after 85 %"),
                              (stall, "the slowest stage, down of block 1: the home core before it had a token ready"),
                              (stall_between, "the slowest stage, gate and up of block 1: its home core had a token ready"),
                              (queue, "admission: requests waited for 50 % of their time"),
                              (full_memory, "KV memory: up to"),
                              (preempted, "KV memory: ")):
            with self.subTest(change.__name__):
                self.assertTrue(self.said(change).startswith(begin), self.said(change))


if __name__ == "__main__":
    unittest.main()
