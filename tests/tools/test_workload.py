"""Workloads: what `ouroboros workload` says of them, and what a run's result file keeps of it."""

import json
import os
import subprocess
import unittest

import h5py
from ouroboros_program import PROGRAM, ProgramTest, assign, errors

HEADER = "arrival_s,prompt_tokens,output_tokens\n"
TRACED = 'lengths = "trace"\narrivals = "traced"\ntrace_file = "{}"\nrequests = 0\n'


class Workload(ProgramTest):
    def workload(self, *arguments):
        result = self.call("workload", "small.toml", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_prefixes_and_classes_are_counted(self):
        rows = [{"timestamp": 0, "input_length": 1200, "output_length": 3, "hash_ids": [1, 2, 3]},
                {"timestamp": 7, "input_length": 1100, "output_length": 1, "hash_ids": [1, 2, 4], "priority": 1}]
        self.write("trace.jsonl", "\n".join(json.dumps(row) for row in rows))
        self.experiment(TRACED.format("trace.jsonl"))
        self.assertEqual(self.workload().splitlines(), [
            "# 2 rows; 2 requests in 0.007 s, longest 1203 tokens, 2 classes of priority",
            "# prompts: 2300 tokens, 1100 to 1200 a request, mean 1150.0",
            "# outputs: 4 tokens, 1 to 3 a request, mean 2.0",
            "# prefixes: 6 blocks, 4 different; an unlimited cache holds 2 leading blocks, 1024 tokens"])

    def test_odd_rows_are_refused_with_their_line_or_dropped_and_counted(self):
        self.write("trace.csv", HEADER + "0,5,2\r\n0,0,2\r\n2,5,1\r\n1,6,1\r\n3,50,50")
        self.experiment(TRACED.format("trace.csv"))
        policies = assign("serving.max_context=20", "serving.over_context=drop", "workload.out_of_order=delay")
        for command in ("workload", "run"):
            refused = self.call(command, "small.toml")
            self.assertEqual(refused.returncode, 2)
            self.assertRegex(errors(refused)[0], r"^trace.csv:5: the row is earlier than the one before")
        said = "5 rows: 1 without prompt or output dropped, 1 over the maximum context dropped, 1 out of order delayed"
        self.assertIn(said, self.workload(*policies))
        self.assertIn(said, self.run_ok("one.h5", *policies).stdout)
        with h5py.File(self.path / "one.h5") as result:
            read = {name: dataset[0] for name, dataset in result["workload"].items()}
            self.assertEqual(sorted(result["requests/prompt_tokens"][()]), [5, 5, 6])
        self.assertEqual(read, {
            "rows": 5, "rows_without_tokens": 1, "rows_out_of_order": 0, "rows_over_context": 1, "rows_delayed": 1,
            "rows_truncated": 0, "requests": 3, "prompt_tokens": 16, "output_tokens": 4, "longest_context": 7,
            "longest_request": 0})

    def peak_memory(self, rows):
        with open(self.path / "trace.csv", "w", encoding="ascii") as trace:  # row by row: a child starts with our peak
            trace.write(HEADER)
            trace.writelines(f"{row // 1000},{row % 900 + 1},{row % 70 + 1}\n" for row in range(rows))
        with subprocess.Popen([PROGRAM, "workload", "small.toml"], cwd=self.path, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss

    def test_memory_does_not_grow_with_the_rows(self):
        self.experiment(TRACED.format("trace.csv"))
        few = self.peak_memory(1_000)
        self.assertLess(self.peak_memory(300_000), few + 1_000)  # kB; a byte a row would be 300


if __name__ == "__main__":
    unittest.main()
