"""What a user gets wrong is refused in one sentence, with exit code 2, and nothing is written."""

import json
import unittest

import h5py
from ouroboros_program import MODEL, ProgramTest, assign, errors

FIXED = 'lengths = "fixed"\nrequests = 2\nprompt_tokens = 4\noutput_tokens = 2\n'


TRACE = 'lengths = "trace"\narrivals = "traced"\ntrace_file = "trace.csv"\nrequests = 0\n'
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


class BadInput(ProgramTest):
    def contents(self):
        return {path: path.read_bytes() for path in self.path.rglob("*") if path.is_file()}

    def expect_refusal(self, *texts, arguments=(), ranks=1):
        before = self.contents()
        result = self.call("run", "small.toml", "--out", "out.h5", *arguments, ranks=ranks)
        self.expect_one_sentence(result, *texts)
        self.assertEqual(self.contents(), before)

    def expect_one_sentence(self, result, *texts):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(errors(result)), 1, result.stderr)
        sentence = errors(result)[0]
        self.assertFalse(sentence.endswith("."), sentence)
        for text in texts:
            self.assertEqual(sentence.count(text), 1, f"{text!r} in {result.stderr}")
        return sentence

    def test_values_and_keys(self):
        self.experiment(FIXED)
        for setting, texts in {
            "wafer.clok=1 GHz": ["--set", "'wafer.clock'"],
            "wafer.clock=1 GHzz": ["has unit 'GHzz'"],
            "wafer.die_columns=-3": ["wafer.die_columns"],
            "wafer.die_columns=4000000": ["wafer.die_columns"],
            "serving.admission_threshold=2.5": ["serving.admission_threshold"],
            "wafer.core.crossbars=65": ["wafer.core.crossbar_placement", "of 65 crossbars", "at most 64 crossbars"],
            "partition.method=circles": ["partition.method"],
            "model.name=llama-14b": [],
            "model.config=nowhere.json": ["nowhere.json'"],
            "workload.prompt_tokens=9000000": ["never holds more than"],
        }.items():
            with self.subTest(setting):
                extra = ("--set", 'model.config=""') if setting.startswith("model.name") else ()
                self.expect_refusal(*texts, arguments=(*extra, "--set", setting))

    def expect_setting_refused(self, table, setting, *texts):
        with self.subTest(setting):
            self.write("small.toml", f"[{table}]\n{setting}\n")
            self.expect_one_sentence(self.call("check", "small.toml"), "small.toml:2", *texts)

    def test_a_wrong_name_gets_the_nearest_one(self):
        self.expect_setting_refused("wafer", "die_colums = 3", "unknown key 'wafer.die_colums'",
                                    "did you mean 'wafer.die_columns'?")
        self.expect_setting_refused("model", 'nam = "llama-13b"', "did you mean 'model.name'?")
        self.expect_setting_refused("wafer", "frobnicate = 3", "unknown key 'wafer.frobnicate'",
                                    "known there:")
        self.expect_setting_refused("partition", 'method = "rectangle"', "did you mean 'rectangles'?")
        self.expect_setting_refused("model", 'name = "llama-31b"', "model.name", "llama-32b")
        self.write("small.toml", "[wafr]\nclock = 1\n")
        self.expect_refusal("small.toml:1", "unknown table 'wafr'", "did you mean 'wafer'?")

    def test_a_value_of_the_wrong_kind_or_unit(self):
        for table, setting, key, right in (
            ("wafer", 'clock = "1 GB"', "wafer.clock", '"1 GHz"'),
            ("wafer", 'clock = "1"', "wafer.clock", '"1 GHz"'),
            ("wafer", "clock = 1", "wafer.clock", '"1 GHz"'),
            ("wafer", 'clock = "0 GHz"', "wafer.clock", "tick"),
            ("wafer", "clock = 1 GHz", "small.toml:2", "double quotes"),
            ("wafer", 'die_columns = "3"', "wafer.die_columns", "integer"),
            ("wafer", "die_columns = 2.5", "wafer.die_columns", "integer"),
            ("wafer.core", 'input_buffer = "128 Kib"', "wafer.core.input_buffer", '"128 KiB"'),
            ("wafer.noc", 'wire_latency = "1 ns"', "wafer.noc.wire_latency", '"2 cycles"'),
            ("energy", 'mac = "0.05 pJ"', "energy.mac", "pJ/MAC"),
        ):
            self.expect_setting_refused(table, setting, key, right)

    def test_check_refuses_all_that_run_refuses(self):
        for table, setting, key in (("output", 'flush_interval = "0 ms"', "output.flush_interval"),
                                    ("engine", 'synchronizer = "windows"', "engine.synchronizer"),
                                    ("engine", 'lookahead = "links"', "engine.lookahead"),
                                    ("engine", 'stall_limit = "0 s"', "engine.stall_limit"),
                                    ("engine", 'heartbeat = "1"', "engine.heartbeat")):
            self.expect_setting_refused(table, setting, key)
            self.expect_refusal("small.toml:2", key)

    def test_a_size_that_is_negative_or_none(self):
        for table, setting, key in (
            ("wafer", "die_columns = -3", "wafer.die_columns"),
            ("wafer", "core_rows = 0", "wafer.core_rows"),
            ("wafer.core", 'input_buffer = "-1 KiB"', "wafer.core.input_buffer"),
            ("wafer.core", 'output_buffer = "0 KiB"', "wafer.core.output_buffer"),
            ("wafer.noc", 'wire_latency = "-1 cycles"', "wafer.noc.wire_latency"),
            ("workload", "requests = -1", "workload.requests"),
            ("serving", "max_running = 0", "serving.max_running"),
        ):
            self.expect_setting_refused(table, setting, key)

    def test_a_size_that_is_absurd(self):
        for table, setting, key in (
            ("wafer", "die_columns = 1000000", "wafer.die_columns"),
            ("wafer", 'clock = "2000 GHz"', "wafer.clock"),
            ("wafer.core", "crossbars = 1000000", "wafer.core.crossbars"),
            ("wafer.noc", 'link_width = "1000000 bit"', "wafer.noc.link_width"),
            ("workload", "requests = 10000000000000", "workload.requests"),
        ):
            self.expect_setting_refused(table, setting, key)

    def test_more_cores_than_can_be_counted(self):
        self.write("small.toml", "[wafer]\ndie_columns = 1000\ndie_rows = 1000\n"
                                 "core_columns = 60\ncore_rows = 50\n")
        self.expect_refusal("small.toml:")

    def test_a_time_that_does_not_fit_the_clock(self):
        self.experiment(FIXED)
        for setting in (
            "wafer.core.sfu_latency=4294967297 cycles",
            "wafer.noc.wire_latency=9223372036854775807 cycles",
            "wafer.host.embedding_latency=2500 h",
            "serving.control_latency=2500 h",
        ):
            with self.subTest(setting):
                (self.path / "out.h5").unlink(missing_ok=True)
                self.expect_refusal(setting.split("=")[0], arguments=assign(setting))

    def test_an_energy_that_does_not_fit_the_sum(self):
        self.experiment(FIXED)
        self.expect_refusal("energy.mac", arguments=assign("energy.mac=9000000000000 nJ/MAC"))

    def test_shares_that_are_not_all(self):
        self.experiment(FIXED)
        self.expect_refusal("the shares of wafer.static_percent are 101 % together; 100 % in all",
                            arguments=assign("wafer.static_percent.sfu=6"))

    def test_assignments_that_are_none(self):
        self.experiment(FIXED)
        for assignment, *texts in (
            ("wafer.clock", "--set wafer.clock: ", "write --set section.key=value"),
            ("=3", "--set =3: ", "write --set section.key=value"),
            ("wafer.clock=", "--set wafer.clock=: ", "write --set section.key=value"),
            ("nowhere.key=3", "--set nowhere.key: ", "unknown key 'nowhere.key'"),
            ("wafer=3", "--set wafer: ", "'wafer' is a table, not a key"),
            ("wafer.clock=1 GB", "--set wafer.clock: ", '"1 GHz"'),
        ):
            with self.subTest(assignment):
                self.expect_refusal(*texts, arguments=("--set", assignment))
        result = self.call("run", "small.toml", "--set")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--set", result.stderr)

    def test_lists_of_regions_that_are_no_partition(self):
        self.experiment(FIXED)
        for regions, ranks, text in (
            ("[0,0,0]", 1, "3 regions for 6 dies"),
            ("[0,0,0,0,0,1]", 1, "1 is not a rank"),
            ("[0,0,0,0,0,-1]", 1, "-1 is not a rank"),
            ('[0,0,0,0,0,"x"]', 1, "an integer is needed"),
            ("[0,0,0,0,0,0]", 2, "gives rank 1 no die"),
        ):
            with self.subTest(regions):
                self.expect_refusal("partition.regions", text, ranks=ranks,
                                    arguments=assign("partition.method=list", f"partition.regions={regions}"))

    def test_model_files(self):
        self.experiment(FIXED)

        def expect(change, *texts):
            with self.subTest(texts):
                self.write("small.json", change if isinstance(change, str) else json.dumps(MODEL | change))
                self.expect_refusal("small.json", *texts)

        expect({"model_type": "mamba"}, "model_type", "'mamba'", "known: llama")
        expect({"hidden_size": None}, "no key 'hidden_size'")
        expect({"vocab_size": -1}, "vocab_size", "a whole number from 1")
        expect({"num_key_value_heads": 3}, "num_key_value_heads", "a divisor of the 4 attention heads")
        expect('{"model_type":\n"llama",,}', "small.json:2", "not JSON")
        (self.path / "small.json").unlink()
        self.expect_refusal("model.config", "small.json")
        (self.path / "small.json").mkdir()
        self.expect_refusal("model.config", "small.json")

    def test_a_model_that_does_not_fit(self):
        self.experiment(FIXED)
        self.expect_refusal("it lacks", arguments=("--set", 'model.config=""', "--set", "model.name=llama-65b"))

    def test_the_lacking_cores_are_counted_and_the_model_is_named_where_it_was_chosen(self):
        self.write("small.toml", '[model]\nname = "llama-65b"\n')
        # per block 176, 48, 258 and 129 MiB of 8-bit matrices in cores of 4 MiB, and a KV core;
        # the LM head has 250 MiB
        needed = 80 * (48 + 16 + 86 + 43 + 1) + 63
        sentence = self.expect_one_sentence(self.call("check", "small.toml"), "llama-65b",
                                            f"lacks {needed - 63 * 13 * 17}")
        self.assertRegex(sentence, r"small\.toml:2|model\.name")

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

    def test_broken_traces_are_named_with_the_line(self):
        self.experiment(TRACE)
        good = "2023-11-16 18:15:46.0,3,2\n"
        for rows, *texts in (
            (good + "2023-11-16 18:15:47.0,x,2\n", "trace.csv:3", "ContextTokens", "'x'"),
            (good + "2023-11-16 18:15:47.0,-3,2\n", "trace.csv:3", "'-3'"),
            (good + "2023-11-16 18:15:47.0,3\n", "trace.csv:3", "2 fields"),
            (good + "yesterday,3,2\n", "trace.csv:3", "TIMESTAMP", "'yesterday'"),
            (good + "2023-11-16 18:15:45.0,3,2\n", "trace.csv:3", "order of time"),
            (good + "2023-11-16 18:15:47.0,3,99999\n", "trace.csv:3", "never holds more than"),
            ("2023-11-16 18:15:46.0,3,0\n", "trace.csv", "1 row"),
            ("", "trace.csv"),
        ):
            with self.subTest(rows):
                self.write("trace.csv", HEADER + rows)
                self.expect_refusal(*texts)
        self.write("trace.csv", "when,ContextTokens,GeneratedTokens\n1,2,3\n")
        self.expect_refusal("trace.csv:1", "no column 'TIMESTAMP'")
        self.write("trace.csv", "")
        self.expect_refusal("trace.csv", "is empty")

    def test_a_trace_that_is_not_there(self):
        self.experiment(TRACE)
        self.expect_refusal("trace.csv: there is no such file")
        self.experiment('lengths = "trace"\n')
        self.expect_refusal("workload.trace_file", "no file is named")
        self.experiment(FIXED + 'arrivals = "traced"\n')
        self.expect_refusal("workload.arrivals")

    def test_a_prompt_that_no_kv_memory_holds_is_named_where_it_was_asked_for(self):
        self.experiment(FIXED)
        self.expect_refusal("workload.prompt_tokens", "never holds more than", "request 0",
                            arguments=assign("workload.prompt_tokens=9000000"))

    def test_experiments_that_cannot_be_read(self):
        for file, text in {"nowhere.toml": "no such file", ".": "is a directory"}.items():
            for command in ("run", "check"):
                with self.subTest(f"{command} {file}"):
                    self.expect_one_sentence(self.call(command, file), file, text)

    def test_places_where_no_result_can_be_written(self):
        self.experiment(FIXED)
        before = self.contents()
        for out, text in {
            "nowhere/out.h5": "there is no directory 'nowhere'",
            "small.toml/out.h5": "there is no directory 'small.toml'",
            ".": "is a directory",
        }.items():
            with self.subTest(out):
                result = self.call("run", "small.toml", "--out", out)
                self.expect_one_sentence(result, text)
                self.assertEqual(self.contents(), before)

    def test_an_existing_result_stays_as_it_is_without_force(self):
        self.experiment(FIXED)
        self.write("out.h5", "precious")
        self.expect_refusal("out.h5", "already exists", "--force")
        self.expect_refusal("out.h5", "already exists", ranks=2)
        self.run_ok("out.h5", "--force")
        self.assertFalse((self.path / "out.h5.part").exists())
        self.assertEqual(self.call("diff", "out.h5", "out.h5").returncode, 0)

    def test_the_result_is_named_after_the_experiment(self):
        self.experiment(FIXED)
        self.assertEqual(self.call("run", "small.toml").returncode, 0)
        self.assertTrue((self.path / "small.h5").exists())

    def test_results_that_cannot_be_read(self):
        self.experiment(FIXED)
        self.run_ok("out.h5")
        whole = (self.path / "out.h5").read_bytes()
        (self.path / "half.h5").write_bytes(whole[: len(whole) // 2])
        (self.path / "start.h5").write_bytes(whole[:100])
        self.write("text.h5", "not HDF5")
        with h5py.File(self.path / "other.h5", "w") as other:
            other["numbers"] = [1, 2]
        for broken, text in {
            "nowhere.h5": "there is no such file",
            "text.h5": "is not an HDF5 file",
            "half.h5": "truncated file",
            "start.h5": "truncated file",
            "other.h5": "not a results file",
        }.items():
            for command in (("diff", broken, "out.h5"), ("diff", "out.h5", broken), ("summary", broken),
                            ("report", broken), ("trace", broken)):
                with self.subTest(command):
                    self.expect_one_sentence(self.call(*command), f"{broken}: ", text)

    def test_files(self):
        result = self.call("run", "nowhere.toml")
        self.assertEqual(result.returncode, 2)
        self.assertIn("nowhere.toml", result.stderr)
        self.experiment(FIXED)
        self.run_ok("out.h5")
        self.expect_refusal("already exists")
        self.run_ok("out.h5", "--force")
        self.write("broken.h5", "not HDF5")
        self.assertEqual(self.call("diff", "out.h5", "broken.h5").returncode, 2)
        self.assertEqual(self.call("diff", "out.h5", "nowhere.h5").returncode, 2)

    def test_a_wrong_word_on_the_command_line_is_named(self):
        for arguments in (["fly"], ["run", "a.toml", "--fast"], ["run", "a.toml", "b.toml"],
                          ["diff", "a.h5", "b.h5", "c.h5"]):
            with self.subTest(arguments):
                result = self.call(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn(arguments[-1], result.stderr)
        self.assertIn("FILE.toml", self.call("run").stderr)
        self.assertIn("B.h5", self.call("diff", "a.h5").stderr)

    def test_commands(self):
        for arguments in ([], ["fly"], ["run"]):
            self.assertEqual(self.call(*arguments).returncode, 2)
        for command in ([], ["run"], ["check"], ["diff"], ["summary"], ["report"], ["trace"]):
            for flag in ("--help", "--version"):
                result = self.call(*command, flag)
                self.assertEqual(result.returncode, 0)
                self.assertIn("ouroboros", result.stdout.lower())


if __name__ == "__main__":
    unittest.main()
