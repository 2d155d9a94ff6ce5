"""What a run leaves that was killed: a file that opens and says how far it came, for every command that reads one."""

import json
import signal
import subprocess
import time
import unittest

import h5py
from ouroboros_program import PROGRAM, ProgramTest

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 100000\n'


class KilledRun(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD + '[wafer.noc]\nfidelity = "stage"\n')
        run = subprocess.Popen([PROGRAM, "run", "small.toml", "--out", "run.h5", "--checkpoint-every", "0"],
                               cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(run.kill)
        for _ in range(3000):  # until some requests are in the file
            time.sleep(0.02)
            if (self.path / "run.h5.part").exists() and self.requests() > 0:
                break
        run.send_signal(signal.SIGKILL)
        run.wait()
        self.assertFalse((self.path / "run.h5").exists())

    def requests(self):
        summary = self.call("summary", "run.h5.part", "--json")
        return json.loads(summary.stdout).get("requests_done", 0) if summary.returncode == 0 else 0

    def test_it_can_be_read_by_every_command_that_reads_results(self):
        with h5py.File(self.path / "run.h5.part") as file:
            done, reached = len(file["requests/index"]), file.attrs["reached_ps"]
            self.assertEqual(file.attrs["complete"], 0)
            self.assertGreater(reached, 0)
            self.assertLess(done, 100000)
            stations = {name.decode() for name in file["stages/home_names"][()]}
        summary = self.call("summary", "run.h5.part")
        self.assertEqual(summary.returncode, 0, summary.stderr)
        self.assertTrue(summary.stdout.startswith("NOT COMPLETE"), summary.stdout)
        self.assertIn(f"served             {done} requests", summary.stdout)
        figures = json.loads(self.call("summary", "run.h5.part", "--json").stdout)
        self.assertEqual((figures["complete"], figures["requests_done"]), (0, done))
        self.assertAlmostEqual(figures["reached_ms"], reached * 1e-9)
        report = self.call("report", "run.h5.part", "-o", "page.html")
        self.assertEqual(report.returncode, 0, report.stderr)
        self.assertIn('"complete":0', (self.path / "page.html").read_text())
        trace = self.call("trace", "run.h5.part", "-o", "trace.json")
        self.assertEqual(trace.returncode, 0, trace.stderr)
        self.assertIn("the run did not end", trace.stdout)
        events = json.loads((self.path / "trace.json").read_text())["traceEvents"]
        self.assertGreater(sum(event["ph"] == "X" for event in events), done)
        ways = {event["name"][3:] for event in events if event["ph"] == "X" and "entered_us" in event.get("args", {})}
        self.assertEqual(ways, stations)
        same = self.call("diff", "run.h5.part", "run.h5.part")
        self.assertEqual(same.returncode, 0, same.stderr)


if __name__ == "__main__":
    unittest.main()
