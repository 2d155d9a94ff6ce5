"""What a user gets wrong is refused in one sentence, with exit code 2, and nothing is written."""

import unittest

from ouroboros_program import ProgramTest

FIXED = 'lengths = "fixed"\nrequests = 2\nprompt_tokens = 4\noutput_tokens = 2\n'


class BadInput(ProgramTest):
    def expect_refusal(self, *texts, arguments=(), ranks=1):
        before = sorted(self.path.iterdir())
        result = self.call("run", "small.toml", "--out", "out.h5", *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 2, result.stderr)
        for text in texts:
            self.assertEqual(result.stderr.count(text), 1, f"{text!r} in {result.stderr}")
        self.assertEqual(sorted(self.path.iterdir()), before)

    def test_values_and_keys(self):
        self.experiment(FIXED)
        for setting, texts in {
            "wafer.clok=1 GHz": ["--set", "'wafer.clock'"],
            "wafer.clock=1 GHzz": ["has unit 'GHzz'"],
            "wafer.die_columns=-3": ["wafer.die_columns"],
            "wafer.die_columns=4000000": ["wafer.die_columns"],
            "serving.admission_threshold=2.5": ["serving.admission_threshold"],
            "partition.method=circles": ["partition.method"],
            "model.name=llama-14b": [],
            "model.config=nowhere.json": ["nowhere.json'"],
            "workload.prompt_tokens=9000000": ["never holds more than"],
        }.items():
            with self.subTest(setting):
                extra = ("--set", 'model.config=""') if setting.startswith("model.name") else ()
                self.expect_refusal(*texts, arguments=(*extra, "--set", setting))

    def test_a_model_that_does_not_fit(self):
        self.experiment(FIXED)
        self.expect_refusal("it lacks", arguments=("--set", 'model.config=""', "--set", "model.name=llama-65b"))

    def test_a_wrong_line_is_named_once_on_two_ranks(self):
        self.write("small.toml", "[wafer]\nclok = 1\n")
        self.expect_refusal("small.toml:2: unknown key 'wafer.clok'", ranks=2)

    def test_more_ranks_than_dies(self):
        self.experiment(FIXED)
        self.expect_refusal("the largest useful number is 1", ranks=2,
                            arguments=("--set", "wafer.die_columns=1", "--set", "wafer.die_rows=1",
                                       "--set", "wafer.core_columns=9", "--set", "wafer.core_rows=8"))

    def test_traces(self):
        self.experiment('lengths = "trace"\ntrace_file = "trace.csv"\nrequests = 0\n')
        self.expect_refusal("trace.csv")
        self.write("trace.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0,3,x\n")
        self.expect_refusal("trace.csv:2")

    def test_files(self):
        result = self.call("run", "nowhere.toml")
        self.assertEqual(result.returncode, 2)
        self.assertIn("nowhere.toml", result.stderr)
        self.experiment(FIXED)
        self.expect_refusal(arguments=("--out", "nowhere/out.h5"))
        self.run_ok("out.h5")
        self.expect_refusal("already exists")
        self.run_ok("out.h5", "--force")
        self.write("broken.h5", "not HDF5")
        self.assertEqual(self.call("diff", "out.h5", "broken.h5").returncode, 2)
        self.assertEqual(self.call("diff", "out.h5", "nowhere.h5").returncode, 2)

    def test_commands(self):
        for arguments in ([], ["fly"], ["run"]):
            self.assertEqual(self.call(*arguments).returncode, 2)
        for command in ([], ["run"], ["check"], ["diff"]):
            for flag in ("--help", "--version"):
                result = self.call(*command, flag)
                self.assertEqual(result.returncode, 0)
                self.assertIn("ouroboros", result.stdout.lower())


if __name__ == "__main__":
    unittest.main()
