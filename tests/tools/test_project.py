"""`project` predicts how long a recorded run would take on more ranks; `run --record` records it."""

import re
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
from ouroboros_program import PROGRAM, ProgramTest, assign, errors

FIXED = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 4\n'
CLUSTER = ("--latency", "1.5us", "--bandwidth", "12GB/s")
ROW = re.compile(r" *(\d+) +(\S+) +(\d+\.\d\d) +(\S+) % +(\S+)  (\S.*)")


def of_form(recording, name):
    """Of each event between processes, what it has in common with others."""
    return recording[f"form_{name}"][:][recording["form"][:]]


class Recorded(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(FIXED)

    def record(self, name, *arguments, ranks=1):
        return self.run_ok("run.h5", "--force", "--record", name, *arguments, ranks=ranks)


class Record(Recorded):
    def test_it_has_every_event_and_is_the_same_on_any_ranks(self):
        recordings = []
        for ranks in (1, 2, 3, 4):
            said = self.record(f"{ranks}.rec.h5", ranks=ranks).stderr
            size = (self.path / f"{ranks}.rec.h5").stat().st_size
            self.assertIn(f"recorded {ranks}.rec.h5, {1e-6 * size:.3g} MB: ", said)
            with h5py.File(self.path / f"{ranks}.rec.h5") as file, h5py.File(self.path / "run.h5") as result:
                recording = file["recording"]
                by_lp = np.zeros_like(result["engine/lp_events"][:])
                np.add.at(by_lp, recording["work_process"][:], recording["work_events"][:])
                self.assertEqual(by_lp.tolist(), result["engine/lp_events"][:].tolist())
                self.assertEqual(recording.attrs["events"], result.attrs["events"])
                self.assertEqual(recording.attrs["sends"], len(recording["form"]))
                # as the ranks themselves counted: an event for the controllers goes to each other rank
                controllers = (of_form(recording, "to") == 0).sum()
                self.assertEqual((ranks - 1) * controllers, result["engine/control_copies"][:].sum())
                recordings.append({name: dataset[:].tolist() for name, dataset in recording.items()})
        for recording in recordings[1:]:
            self.assertEqual(recording, recordings[0])

    def test_it_changes_nothing_of_the_result(self):
        self.record("a.rec.h5")
        self.run_ok("plain.h5")
        self.assertEqual(self.call("diff", "run.h5", "plain.h5").returncode, 0)

    def test_bytes_between_ranks_are_those_that_the_run_sent(self):
        self.record("two.rec.h5", ranks=2)
        with h5py.File(self.path / "two.rec.h5") as file:
            recording, engine = file["recording"], file["engine"]
            dies = engine["rank_of_die"][:]
            ranks = np.concatenate([[-1, dies[0]], dies])  # controllers everywhere, the host at the first die
            sender, receiver = ranks[of_form(recording, "from")], ranks[of_form(recording, "to")]
            crossing = ((sender >= 0) & (sender != receiver)).sum()
            head = 1 + 8 + 24  # of a batch
            sent = engine["bytes_sent"][:].sum() - head * engine["messages_sent"][:].sum()
            self.assertEqual(64 * crossing, sent)

    def test_a_stretch_has_what_is_handled_in_it_and_what_is_sent_or_under_way(self):
        self.record("whole.rec.h5")
        begin, end = 20_000_000, 50_000_000
        stretch = ("--record-from", "20 us", "--record-until", "50 us")
        self.record("some.rec.h5", *stretch)
        with h5py.File(self.path / "whole.rec.h5") as whole, h5py.File(self.path / "some.rec.h5") as some:
            whole, some = whole["recording"], some["recording"]
            self.assertEqual((some.attrs["from_ps"], some.attrs["until_ps"]), (begin, end))
            sent = np.cumsum(whole["gap_ps"][:])
            arrives = sent + of_form(whole, "delay_ps")
            inside = (arrives >= begin) & (sent < end)
            self.assertGreater((inside & (sent < begin)).sum(), 0, "nothing was under way")
            self.assertEqual(np.cumsum(some["gap_ps"][:]).tolist(), sent[inside].tolist())
            for name in ("from", "to", "kind", "delay_ps"):
                self.assertEqual(of_form(some, name).tolist(), of_form(whole, name)[inside].tolist(), name)
            # causes that came before are not in it
            age = whole["cause_age_ps"][:]
            age[sent - age < begin] = -1
            self.assertEqual(some["cause_age_ps"][:].tolist(), age[inside].tolist())
            window = whole.attrs["window_ps"]
            inside = (whole["work_window"][:] >= begin // window) & (whole["work_window"][:] * window < end)
            self.assertEqual(begin % window, 0)
            last = whole["work_window"][:] == end // window  # half of it
            self.assertAlmostEqual(some.attrs["events"], whole["work_events"][:][inside].sum(),
                                   delta=whole["work_events"][:][last].sum())
        self.record("two.rec.h5", *stretch, ranks=2)
        with h5py.File(self.path / "two.rec.h5") as two, h5py.File(self.path / "some.rec.h5") as some:
            for name, dataset in some["recording"].items():
                self.assertEqual(two["recording"][name][:].tolist(), dataset[:].tolist(), name)

    def test_what_is_wrong_is_refused_in_one_sentence(self):
        self.record("once.rec.h5")
        self.run_ok("run.h5", "--force", "--checkpoint-at", "1us")
        for arguments, text in (
            (("small.toml", "--out", "x.h5", "--record", "x.h5"), "--record: is the result itself"),
            (("small.toml", "--out", "x.h5", "--record", "once.rec.h5"), "exists"),
            (("--restart", "run.h5.checkpoint", "--out", "x.h5", "--record", "x.rec.h5"),
             "--record: a run that goes on has not recorded what was before"),
            (("small.toml", "--out", "x.h5", "--record-from", "1us"), "nothing is recorded; --record with a file"),
            (("small.toml", "--out", "x.h5", "--record", "x.rec.h5", "--record-from", "1"), "'1' has no unit"),
            (("small.toml", "--out", "x.h5", "--record", "x.rec.h5", "--record-from", "2us", "--record-until",
              "2us"), "--record-until: 2000000 ps is not after 2000000 ps"),
        ):
            with self.subTest(text):
                result = self.call("run", *arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(errors(result)), 1, result.stderr)
                self.assertIn(text, errors(result)[0])

    def test_a_run_that_stops_leaves_no_recording(self):
        self.write("small.toml", (self.path / "small.toml").read_text().replace("requests = 4", "requests = 4000"))
        run = subprocess.Popen([PROGRAM, "run", "small.toml", "--out", "long.h5", "--record", "long.rec.h5"],
                               cwd=self.path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 60
        while not (self.path / "long.rec.h5.part").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        run.send_signal(signal.SIGUSR2)
        said = run.communicate(timeout=120)[1]
        self.assertEqual(run.returncode, 4, said)
        self.assertIn("so there is no recording of it", said)
        self.assertFalse((self.path / "long.rec.h5").exists())


class Project(Recorded):
    def project(self, *arguments):
        result = self.call("project", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def rows(self, said):
        """{ranks: (wall seconds, speed-up, events a stretch)} of the table."""
        found = [match.groups() for match in map(ROW.fullmatch, said.splitlines()) if match]
        return {int(row[0]): (float(row[1]), float(row[2]), float(row[4])) for row in found}

    def test_a_row_for_each_number_of_ranks(self):
        self.record("two.rec.h5", ranks=2)
        for settings in ((), ("--synchronizer", "null-message"), ("--lookahead", "link"),
                         assign("partition.method=rectangles"), assign("partition.method=metis")):
            with self.subTest(settings):
                said = self.project("two.rec.h5", "--ranks", "1,2,3,6", *CLUSTER, *settings)
                rows = self.rows(said)
                self.assertEqual(list(rows), [1, 2, 3, 6], said)
                self.assertEqual(rows[1][1], 1.00)
                for ranks, (wall, speed_up, _) in rows.items():
                    self.assertLessEqual(speed_up, ranks)
                    self.assertAlmostEqual(speed_up, rows[1][0] / wall, delta=0.006)  # two places are printed
                self.assertNotIn("assumed", said)

    def test_without_promises_there_are_as_many_stretches_as_in_the_run(self):
        """Where nothing is foreseen, nothing is fitted: only the times of events for an LP itself are coarse."""
        for synchronizer in ("window", "null-message"):
            settings = assign("engine.lookahead=link", f"engine.synchronizer={synchronizer}", "partition.method=rows")
            self.record(f"{synchronizer}.rec.h5", *settings, ranks=2)
            with h5py.File(self.path / f"{synchronizer}.rec.h5") as file:
                engine = file["engine"]
                measured = engine["events"][:].sum() / engine["windows"][:].sum()
            predicted = self.rows(self.project(f"{synchronizer}.rec.h5", "--ranks", "2", *CLUSTER))[2][2]
            self.assertLess(abs(predicted / measured - 1), 0.25, synchronizer)

    def test_stretches_take_together_what_the_whole_takes(self):
        self.record("whole.rec.h5")
        cut = ("40 us",)
        self.record("first.rec.h5", "--record-until", *cut)
        self.record("second.rec.h5", "--record-from", *cut)
        # null messages: slices of time begin elsewhere
        for settings, close in (((), 0.05), (("--lookahead", "link"), 0.05), (("--synchronizer", "null-message"), 0.15)):
            with self.subTest(settings):
                said = {name: self.project(f"{name}.rec.h5", "--ranks", "1,3", *CLUSTER, "--event-time", "1us",
                                           *settings) for name in ("whole", "first", "second")}
                rows = {name: self.rows(text) for name, text in said.items()}
                self.assertIn("what was recorded, from 0 ms until 0.04 ms", said["first"])
                self.assertIn("what was recorded, from 0.04 ms on", said["second"])
                self.assertNotIn("what was recorded", said["whole"])
                self.assertIn("stated: 1000 ns an event", said["whole"])
                for ranks, tolerance in ((1, 1e-3), (3, close)):
                    parts = [rows[name][ranks][0] for name in ("first", "second")]
                    self.assertGreater(min(parts), 0.1 * sum(parts), "one is the whole")
                    self.assertAlmostEqual(sum(parts) / rows["whole"][ranks][0], 1, delta=tolerance)

    def test_longer_windows_are_no_less_balanced(self):
        self.record("one.rec.h5")
        said = self.project("one.rec.h5", "--ranks", "1,2,6", *CLUSTER)
        bounds = re.findall(r"^ *(\d+)((?:  +\d+\.\d\d){6})$", said, re.MULTILINE)
        self.assertEqual([int(ranks) for ranks, _ in bounds], [2, 6], said)
        for ranks, numbers in bounds:
            numbers = [float(number) for number in numbers.split()]
            self.assertEqual(numbers, sorted(numbers))
            self.assertLessEqual(self.rows(said)[int(ranks)][1], numbers[0])
            self.assertLessEqual(numbers[-1], int(ranks))

    def test_promises_are_better_than_links(self):
        self.record("one.rec.h5")
        stretch = {lookahead: self.rows(self.project("one.rec.h5", "--ranks", "2", *CLUSTER, "--lookahead",
                                                     lookahead))[2][2]
                   for lookahead in ("promises", "link")}
        self.assertGreater(stretch["promises"], 1.5 * stretch["link"])

    def test_a_run_on_one_rank_says_what_is_assumed(self):
        self.record("one.rec.h5")
        said = self.project("one.rec.h5", "--ranks", "1,2", *CLUSTER)
        self.assertEqual(list(self.rows(said)), [1, 2], said)
        self.assertIn("assumed", said)

    def test_a_slower_network_gives_no_faster_run(self):
        self.record("one.rec.h5")
        walls = [self.rows(self.project("one.rec.h5", "--ranks", "3", "--latency", latency, "--bandwidth",
                                        "1 GB/s"))[3][0]
                 for latency in ("0 us", "10 us", "1 ms")]
        self.assertEqual(walls, sorted(walls))
        self.assertLess(walls[1], walls[2])

    def test_what_is_wrong_is_refused_in_one_sentence(self):
        self.record("one.rec.h5")
        right = {"--ranks": "1,2", "--latency": "1us", "--bandwidth": "1GB/s"}
        for option, value, text in (
            ("--ranks", "1,512", "512 ranks are more than the 6 dies that can be shared out"),
            ("--ranks", "1,,2", "--ranks: '' is not a number of ranks"),
            ("--ranks", "1,two", "--ranks: 'two' is not a number of ranks"),
            ("--ranks", "0", "--ranks: '0' is not a number of ranks"),
            ("--ranks", "2.5", "--ranks: '2.5' is not a number of ranks"),
            ("--ranks", "99999999999", "--ranks: '99999999999' is not a number of ranks"),
            ("--latency", "1", "--latency: '1' has no unit"),
            ("--latency", "1 GB/s", "--latency: '1 GB/s' has unit 'GB/s'"),
            ("--bandwidth", "12 GB", "--bandwidth: '12 GB' has unit 'GB'"),
            ("--bandwidth", "0 GB/s", "--bandwidth: '0 GB/s' carries nothing"),
            ("--event-time", "0 ns", "--event-time: '0 ns' is no time"),
            ("--event-time", "3", "--event-time: '3' has no unit"),
            ("--synchronizer", "windows", "engine.synchronizer"),
            ("--lookahead", "none", "engine.lookahead"),
            ("--set", "workload.requests=1", "sections partition and engine can be set"),
            ("--set", "partition.metod=rows", "did you mean 'partition.method'?"),
        ):
            with self.subTest(f"{option} {value}"):
                arguments = [word for pair in (right | {option: value}).items() for word in pair]
                self.expect_refusal("one.rec.h5", *arguments, text=text)
        arguments = [word for pair in right.items() for word in pair]
        self.expect_refusal("none.h5", *arguments, text="there is no such file")
        self.expect_refusal("small.json", *arguments, text="is not an HDF5 file")
        self.expect_refusal("run.h5", *arguments, text="holds no recording")

    def expect_refusal(self, *arguments, text):
        result = self.call("project", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(errors(result)), 1, result.stderr)
        self.assertIn(text, errors(result)[0])


if __name__ == "__main__":
    unittest.main()
