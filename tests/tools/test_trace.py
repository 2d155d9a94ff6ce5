"""`ouroboros trace`: the events are those of the file, and no more than its size allows."""

import collections
import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign, errors

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'


class Trace(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *assign("output.record_token_every=5", "output.record_stations_every=10", "serving.max_running=3"))

    def trace(self, *arguments):
        result = self.call("trace", "run.h5", "-o", "trace.json", "--force", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout, json.loads((self.path / "trace.json").read_text())["traceEvents"]

    def test_it_has_every_request_token_and_window_of_the_file(self):
        _, events = self.trace()
        spans = collections.defaultdict(list)
        for event in events:
            spans[event["name"]].append(event)
        with h5py.File(self.path / "run.h5") as file:
            requests = {name: data[()] for name, data in file["requests"].items()}
            tokens = {name: data[()] for name, data in file["tokens"].items()}
            self.assertEqual(len(spans["decoding"]), 7)
            self.assertEqual(len(spans["queued"]), (requests["admitted_ps"] > requests["arrival_ps"]).sum())
            self.assertGreater(len(spans["queued"]), 0)
            ends = {event["tid"]: event["ts"] + event["dur"] for event in spans["decoding"]}
            for index, done in zip(requests["index"], requests["done_ps"]):
                self.assertAlmostEqual(ends[index], done * 1e-6)
            found = {event["args"]["number"]: event for event in spans["decode token"] + spans["prefill token"]}
            self.assertEqual(sorted(found), sorted(tokens["number"]))
            for row, number in enumerate(tokens["number"]):
                self.assertAlmostEqual(found[number]["ts"], tokens["issued_ps"][row] * 1e-6)
                self.assertAlmostEqual(found[number]["dur"],
                                       (tokens["retired_ps"][row] - tokens["issued_ps"][row]) * 1e-6)
                self.assertEqual(found[number]["name"].startswith("decode"), tokens["decode"][row] == 1)
            counters = [event for event in events if event["ph"] == "C" and event["pid"] == 1]
            self.assertEqual(len(counters), sum(len(data) for group in ("timeline", "kv") for name, data in file[group].items() if name != "link_flits"))
            busy = sum(sum(event["args"].values()) for event in counters if event["name"].startswith("busy_core_ps"))
            self.assertEqual(busy, file["timeline/busy_core_ps"][()].sum())

    def test_it_has_each_station_of_recorded_tokens_and_the_links_of_each_die(self):
        _, events = self.trace()
        with h5py.File(self.path / "run.h5") as file:
            rows = {name: data[()] for name, data in file["passages"].items()}
            flits = file["timeline/link_flits"][()]
            window = int(file["timeline"].attrs["link_flits_window_ps"])
        names = [f"{name} of block {block}" for block in range(3) for name in ("QKV", "O", "gate and up", "down")]
        names.append("the LM head")
        own = collections.defaultdict(list)
        for event in events:
            if event["ph"] == "X" and event["pid"] == 4:
                own[event["tid"]].append(event)
        self.assertEqual(sorted(own), sorted(set(rows["number"])))
        for number, spans in own.items():
            order = np.argsort(rows["station"][rows["number"] == number])
            gathered, launched = (rows[f"{name}_ps"][rows["number"] == number][order] for name in ("gathered", "launched"))
            ways = [span for span in spans if span["name"].startswith("to ")]
            self.assertEqual([span["name"] for span in ways], [f"to {name}" for name in names])
            np.testing.assert_allclose([span["ts"] + span["dur"] for span in ways], gathered * 1e-6)
            np.testing.assert_allclose([span["ts"] for span in ways[1:]], launched[:-1] * 1e-6)
            for before, after in zip(spans, spans[1:]):  # one after the other: a viewer draws them in one line
                self.assertLessEqual(before["ts"] + before["dur"], after["ts"] + 1e-9)
        counters = [event for event in events if event["ph"] == "C" and event["pid"] == 5]
        self.assertEqual(len(counters), flits.size)
        of_die = [event["args"]["flits"] for event in counters if event["name"].startswith("die 4 ")]
        self.assertEqual(of_die, flits[:, 4].tolist())
        self.assertAlmostEqual(counters[-1]["ts"], (len(flits) - 1) * window * 1e-6)

    def test_what_is_selected_is_there_and_nothing_else(self):
        _, whole = self.trace()
        _, events = self.trace("--requests", "2,4-5", "--blocks", "1", "--dies", "0,3", "--from", "20 us", "--to", "0.1 ms")
        self.assertTrue(all(event in whole for event in events))
        timed = [event for event in events if event["ph"] != "M"]
        self.assertTrue(all(event["ts"] < 100 and event["ts"] + event.get("dur", 5) >= 20 for event in timed))
        self.assertEqual({event["tid"] for event in timed if event["pid"] in (2, 3)}, {2, 4, 5})
        of_stations = [event for event in timed if event["pid"] == 4]
        self.assertTrue(of_stations and all("of block 1" in event["name"] for event in of_stations))
        self.assertEqual({event["name"].split(" (")[0] for event in timed if event["pid"] == 5}, {"die 0", "die 3"})

    def test_a_selection_that_is_none_is_refused(self):
        for arguments, text in ((("--requests", "1,x"), "--requests: 'x' is neither a number nor a range"),
                                (("--dies", "5-2"), "--dies: '5-2' is neither"),
                                (("--from", "5 us", "--to", "5 us"), "--to: is not after --from"),
                                (("--from", "5"), "--from: ")):
            with self.subTest(arguments):
                result = self.call("trace", "run.h5", "-o", "none.json", *arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(errors(result)), 1)
                self.assertIn(text, errors(result)[0])

    def test_it_is_as_large_as_it_may_be_and_says_what_it_left_out(self):
        _, whole = self.trace()
        size = (self.path / "trace.json").stat().st_size
        said, events = self.trace("--max-mb", str(size / 2 * 1e-6))
        self.assertLessEqual((self.path / "trace.json").stat().st_size, size / 2)
        self.assertGreater((self.path / "trace.json").stat().st_size, 0.45 * size)
        self.assertIn(f"with {len(events)} events, left out {len(whole) - len(events)} for the size", said)
        self.assertEqual(events, whole[:len(events)])

    def test_a_size_that_is_none_is_refused(self):
        result = self.call("trace", "run.h5", "--max-mb", "0")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--max-mb", result.stderr)


if __name__ == "__main__":
    unittest.main()
