"""`ouroboros trace`: the events are those of the file, and no more than its size allows."""

import collections
import json
import unittest

import h5py
from ouroboros_program import ProgramTest, assign

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'


class Trace(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD)
        self.run_ok("run.h5", *assign("output.record_token_every=5", "serving.max_running=3"))

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
            counters = [event for event in events if event["ph"] == "C"]
            self.assertEqual(len(counters), sum(len(data) for group in ("timeline", "kv") for data in file[group].values()))
            busy = sum(sum(event["args"].values()) for event in counters if event["name"].startswith("busy_core_ps"))
            self.assertEqual(busy, file["timeline/busy_core_ps"][()].sum())

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
