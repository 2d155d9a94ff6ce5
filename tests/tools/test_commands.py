"""Each command says what it does, and `check` prints a configuration that is an experiment file."""

import pathlib
import re
import tomllib
import unittest

from ouroboros_program import ProgramTest, assign

SOURCES = pathlib.Path(__file__).resolve().parents[2]
DEFAULTS = [SOURCES / folder / "defaults.toml" for folder in ("wafer", "llm", "partitions", "engine")]
SETTING = re.compile(r"(?P<key>\w+) = (?P<value>.*?)(?:\s+# (?P<comment>.*))?")
HISTOGRAM = 'lengths = "histogram"\nrequests = 3\nseed = 7\n'


def settings(text):
    """Each line "key = value  # comment" of a configuration, as {table.key: (value, comment)}."""
    found, table = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            table = line.strip("[]") + "."
        elif match := SETTING.fullmatch(line):
            found[table + match["key"]] = (match["value"], match["comment"] or "")
    return found


def without_sources(text):
    """Settings without the comments that say where a value is from; other comments stay."""
    return [match["key"] + " = " + match["value"] if (match := SETTING.fullmatch(line)) else line
            for line in text.splitlines()]


class Commands(ProgramTest):
    def check(self, file, *arguments):
        result = self.call("check", file, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def test_help_names_every_command_and_each_says_its_options(self):
        for command in ("run", "check", "diff", "summary", "report", "trace"):
            self.assertIn(f"  {command} ", self.call("--help").stdout)
        for option in ("--set", "--out", "--force"):
            self.assertIn(option, self.call("run", "--help").stdout)

    def test_every_command_says_the_same_version(self):
        said = {self.call(*command, "--version").stdout for command in ([], ["run"], ["check"], ["diff"], ["summary"])}
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said.pop(), r"^ouroboros \d+\.\d+\.\d+ \S+\n$")

    def test_what_check_prints_is_an_experiment_that_gives_the_same(self):
        self.experiment(HISTOGRAM)
        first = self.check("small.toml", *assign("wafer.clock=500 MHz", "serving.admission_threshold=0.2"))
        self.write("again.toml", first)
        again = self.check("again.toml")
        self.assertEqual(tomllib.loads(again), tomllib.loads(first))
        self.assertEqual(without_sources(again), without_sources(first))

    def test_check_says_every_default_with_its_comment(self):
        self.write("empty.toml", "")
        printed = settings(self.check("empty.toml"))
        expected = {}
        for file in DEFAULTS:
            expected |= settings(file.read_text())
        self.assertEqual(printed, expected)

    def test_the_defaults_of_the_simulated_system_say_where_they_are_from(self):
        tag = re.compile(r"\[(paper|body|derived|assumed)\]")
        self.write("empty.toml", "")
        for key, (_, comment) in settings(self.check("empty.toml")).items():
            if key.split(".")[0] in ("wafer", "energy", "serving") and key != "wafer.noc.fidelity":
                self.assertRegex(comment, tag, key)

    def test_check_says_where_a_value_was_set_and_what_it_would_be(self):
        self.write("two.toml", '[wafer]\nclock = "500 MHz"\n')
        printed = settings(self.check("two.toml", *assign("wafer.core.sfu_lanes=32")))
        self.assertEqual(printed["wafer.clock"], ('"500 MHz"', 'set in two.toml:2 (default: "1 GHz")'))
        self.assertEqual(printed["wafer.core.sfu_lanes"], ("32", "--set (default: 64)"))
        self.assertIn("[body]", printed["wafer.core.crossbars"][1])

    def test_check_says_what_the_model_and_the_workload_are(self):
        self.experiment('lengths = "fixed"\nprompt_tokens = 5\noutput_tokens = 3\nrequests = 4\n')
        said = self.check("small.toml")
        # embedding and LM head, then q, k, v, o, gate, up, down and two norms a block, and the last norm
        parameters = 2 * 1024 * 512 + 3 * (512 * (512 + 256 + 256) + 512 * 512 + 3 * 512 * 1024 + 2 * 512) + 512
        self.assertIn(f"# small: {parameters} parameters, 3 blocks", said)
        self.assertIn("# 4 rows; 4 requests in 0 s, longest 8 tokens\n# prompts: 20 tokens, 5 to 5 a request, mean 5.0\n"
                      "# outputs: 12 tokens, 3 to 3 a request, mean 3.0\n", said)


if __name__ == "__main__":
    unittest.main()
