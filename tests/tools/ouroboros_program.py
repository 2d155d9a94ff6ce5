"""Runs the program on a small machine, for the tests of this folder."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["OUROBOROS"]
MPIEXEC = os.environ["MPIEXEC"]

MODEL = {
    "model_type": "llama", "_name_or_path": "small", "num_hidden_layers": 3, "hidden_size": 512,
    "intermediate_size": 1024, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128,
    "vocab_size": 1024,
}
WAFER = """
[wafer]
die_columns = 3
die_rows = 2
core_columns = 3
core_rows = 4
[wafer.core]
crossbars = 4
[model]
config = "small.json"
"""


def assign(*assignments):
    """Arguments that set these over what the experiment says."""
    return [word for assignment in assignments for word in ("--set", assignment)]


def errors(result):
    """What a call logged as errors, of the user's input or of the program's own, over all its ranks."""
    return re.findall(r"^\S+ (?:error|critical) \[rank \d+\] (.*)$", result.stderr, re.MULTILINE)


class ProgramTest(unittest.TestCase):
    """Each test has a directory of its own, with the model small.json."""

    def setUp(self):
        self._directory = tempfile.TemporaryDirectory()
        self.addCleanup(self._directory.cleanup)
        self.path = pathlib.Path(self._directory.name)
        (self.path / "small.json").write_text(json.dumps(MODEL))

    def write(self, name, text):
        (self.path / name).write_bytes(text.encode())

    def call(self, *arguments, ranks=1):
        command = [PROGRAM, *arguments]
        if ranks > 1:
            command = [MPIEXEC, "-n", str(ranks), *command]
        return subprocess.run(command, cwd=self.path, capture_output=True, text=True, timeout=250)

    def run_ok(self, out, *arguments, ranks=1):
        result = self.call("run", "small.toml", "--out", out, *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def expect_equal(self, a, b):
        """Every simulated quantity of two results."""
        result = self.call("diff", a, b)
        self.assertEqual(result.returncode, 0, result.stdout)

    def expect_one_answer_and_restart(self, *arguments, checkpoint_at):
        """On 1 to 4 ranks, with both synchronizers, and from a checkpoint of 2 ranks on 3."""
        self.run_ok("one.h5", *arguments)
        for ranks, synchronizer in ((2, "window"), (3, "null-message"), (4, "window")):
            with self.subTest(ranks=ranks):
                self.run_ok(f"{ranks}.h5", *arguments, *assign(f"engine.synchronizer={synchronizer}"), ranks=ranks)
                self.expect_equal("one.h5", f"{ranks}.h5")
        self.run_ok("a.h5", *arguments, "--checkpoint-at", checkpoint_at, ranks=2)
        result = self.call("run", "--restart", "a.h5.checkpoint", "--out", "b.h5", ranks=3)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.expect_equal("one.h5", "b.h5")

    def expect_one_answer_at_both_fidelities(self):
        """Leaves packet1.h5 and stage1.h5, of one rank."""
        for fidelity in ("packet", "stage"):
            settings = assign(f"wafer.noc.fidelity={fidelity}")
            self.run_ok(f"{fidelity}1.h5", *settings)
            for ranks in (2, 3, 4):
                with self.subTest(fidelity=fidelity, ranks=ranks):
                    self.run_ok(f"{fidelity}{ranks}.h5", *settings, ranks=ranks)
                    self.expect_equal(f"{fidelity}1.h5", f"{fidelity}{ranks}.h5")

    def experiment(self, workload):
        self.write("small.toml", WAFER + "[workload]\n" + workload)
