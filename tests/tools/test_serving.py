"""Serving policies, in whole runs: what each of them changes, and that the answer does not depend on ranks."""

import subprocess
import unittest

import h5py
import numpy as np
from ouroboros_program import MPIEXEC, PROGRAM, ProgramTest, assign

STAGE = assign("wafer.noc.fidelity=stage")
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens
FIXED = 'lengths = "fixed"\nprompt_tokens = {}\noutput_tokens = {}\nrequests = {}\n'
TRACE = 'lengths = "trace"\narrivals = "traced"\ntrace_file = "trace.csv"\nrequests = 0\n'


class Serving(ProgramTest):
    def requests(self, *settings):
        """The table of requests, in the order of their numbers."""
        self.last = self.run_ok("out.h5", "--force", *STAGE, *settings)
        with h5py.File(self.path / "out.h5") as result:
            order = np.argsort(result["requests/index"][()])
            self.limits = {name: dataset[0] for name, dataset in result["limits"].items()}
            self.timelines = {name: dataset[()] for name, dataset in result["kv"].items()}
            self.attributes = dict(result.attrs)
            return {name: dataset[()][order] for name, dataset in result["requests"].items()}

    def test_prefill_first_starts_answers_earlier_and_decode_first_ends_them_earlier(self):
        self.experiment(FIXED.format(60, 40, 12))
        decode_first = self.requests()
        prefill_first = self.requests(*assign("serving.mix=prefill_first"))
        half = self.requests(*assign("serving.mix=ratio", "serving.prefill_share=0.9"))
        last = [table["first_token_ps"].max() for table in (prefill_first, half, decode_first)]
        self.assertEqual(last, sorted(last))
        self.assertLess(decode_first["done_ps"][0], prefill_first["done_ps"][0])
        self.assertEqual(self.requests(*assign("serving.mix=ratio", "serving.prefill_share=0"))["done_ps"].tolist(),
                         decode_first["done_ps"].tolist())
        self.assertEqual(self.requests(*assign("serving.mix=ratio", "serving.prefill_share=1"))["done_ps"].tolist(),
                         prefill_first["done_ps"].tolist())

    def test_prompts_in_chunks_take_turns(self):
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,400,1\n0,20,1\n")
        self.experiment(TRACE)
        whole = self.requests()
        self.assertLess(whole["first_token_ps"][0], whole["first_token_ps"][1])
        chunks = self.requests(*assign("serving.prefill_chunk=10"))
        self.assertLess(chunks["first_token_ps"][1], chunks["first_token_ps"][0] / 4)
        # all 420 tokens have entered at the same time, in another order
        self.assertAlmostEqual(chunks["done_ps"].max() / whole["done_ps"].max(), 1, delta=0.05)

    def test_a_prompt_alone_is_slower_through_a_window_and_as_fast_through_one_that_holds_the_pipeline(self):
        self.experiment(FIXED.format(100, 1, 1))
        free = self.requests()["done_ps"][0]
        self.assertEqual(self.requests(*assign("serving.prefill_window=100"))["done_ps"][0], free)
        one = self.requests(*assign("serving.prefill_window=1"))["done_ps"][0]
        two = self.requests(*assign("serving.prefill_window=2"))["done_ps"][0]
        self.assertAlmostEqual(one / two, 2, delta=0.1)

    def test_the_first_class_is_served_first_and_takes_kv_from_the_last(self):
        rows = "".join(f"0,100,60,{1 if row < 12 else 0}\n" for row in range(14))
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens,priority\n" + rows)
        self.experiment(TRACE)
        table = self.requests()
        first, second = table["priority"] == 0, table["priority"] == 1
        self.assertEqual(table["admitted_ps"][first].tolist(), [0, 0])
        self.assertLess(table["done_ps"][first].max(), table["done_ps"][second].min())
        pressed = self.requests(*SMALL_KV)
        self.assertEqual(pressed["preemptions"][first].tolist(), [0, 0])
        self.assertGreater(pressed["preemptions"][second].sum(), 0)
        self.assertEqual(self.timelines["recomputed_tokens"].sum(), pressed["recomputed_tokens"].sum())

    def test_a_later_request_of_the_first_class_preempts(self):
        rows = "".join("0,120,100,1\n" for _ in range(8)) + "0.0002,120,10,0\n"
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens,priority\n" + rows)
        self.experiment(TRACE)
        pressed = self.requests(*SMALL_KV)
        self.assertEqual(pressed["preemptions"][8], 0)
        self.assertLess(pressed["done_ps"][8], pressed["done_ps"][:8].min())
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n" + rows.replace(",1\n", "\n").replace(",0\n", "\n"))
        self.assertGreater(self.requests(*SMALL_KV)["admitted_ps"][8], pressed["admitted_ps"][8])

    def test_only_tokens_that_were_computed_are_computed_again(self):
        self.experiment(FIXED.format(100, 60, 20))
        table = self.requests(*SMALL_KV, *assign("output.record_token_every=1"))
        with h5py.File(self.path / "out.h5") as result:
            computed = np.bincount(result["tokens/request"][()], minlength=20)
        once = table["prompt_tokens"] + table["output_tokens"] - 1
        self.assertEqual((computed - once).tolist(), table["recomputed_tokens"].tolist())
        # some were preempted before they had begun
        self.assertTrue(np.any((table["preemptions"] > 0) & (table["recomputed_tokens"] == 0)))

    def test_users_in_closed_loop_ask_again_when_they_are_answered(self):
        self.experiment(FIXED.format(10, 5, 20))
        table = self.requests(*assign("workload.arrivals=closed", "workload.users=4"))
        for time in table["arrival_ps"]:
            waiting = (table["arrival_ps"] <= time) & (table["done_ps"] > time)
            self.assertLessEqual(waiting.sum(), 4)
        self.assertEqual((table["arrival_ps"] == 0).sum(), 4)
        # an answer is known to the controllers a control latency after it is done, and then the next arrives
        ends = np.sort(table["done_ps"])[:16]
        self.assertTrue((np.sort(table["arrival_ps"])[4:] > ends).all())
        thinking = self.requests(*assign("workload.arrivals=closed", "workload.users=4", 'workload.think_time="1 ms"'))
        # 5 thoughts of a user on end take 5 ms on average, of 4 users the longest; +- 5 sigma of one of 1 ms each
        self.assertGreater(thinking["done_ps"].max(), 2.5e9)
        self.assertLess(thinking["done_ps"].max(), 17e9)

    def test_what_meets_the_limits_is_what_a_reader_finds(self):
        self.experiment(FIXED.format(60, 40, 12))
        table = self.requests()
        ttft = table["first_token_ps"] - table["arrival_ps"]
        tpot = (table["done_ps"] - table["first_token_ps"]) / (table["output_tokens"] - 1)
        most = int(np.sort(ttft)[7])  # met by the request that takes so long
        slowest = int(np.sort(tpot)[5]) + 1
        self.requests(*assign(f'serving.ttft_limit="{most} ps"', f'serving.tpot_limit="{slowest} ps"'))
        both = (ttft <= most) & (tpot <= slowest)
        self.assertEqual(self.limits, {
            "ttft_ps": most, "tpot_ps": slowest, "requests_within_ttft": 8, "requests_within_tpot": 6,
            "requests_within_both": both.sum(), "output_tokens_within_both": 40 * both.sum()})
        self.assertIn(f"both: {100 * both.sum() / 12:.4g} %", self.last.stdout)
        self.assertIn("goodput", self.last.stdout)

    def test_static_kv_admits_as_many_as_fit_at_their_longest_and_never_preempts(self):
        self.experiment(FIXED.format(100, 60, 16))
        static = self.requests(*SMALL_KV, *assign("serving.kv=static"))  # 2 of 8 pages of a head each
        self.assertEqual((static["admitted_ps"] == 0).sum(), 4)
        self.assertEqual(static["preemptions"].sum(), 0)
        dynamic = self.requests(*SMALL_KV)
        self.assertEqual((dynamic["admitted_ps"] == 0).sum(), 8)
        self.assertGreater(dynamic["preemptions"].sum(), 0)
        self.assertGreater(self.timelines["tokens_unused"].max(), 0)
        longer = self.requests(*SMALL_KV, *assign("serving.kv=static", "serving.max_context=300"))
        self.assertEqual((longer["admitted_ps"] == 0).sum(), 2)
        refused = self.call("run", "small.toml", "--out", "no.h5", *SMALL_KV,
                            *assign("serving.kv=static", "serving.max_context=1025"))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("serving.max_context: 1025 tokens for each sequence are more than the 1024", refused.stderr)

    def test_one_answer_with_classes_chunks_and_preemption(self):
        self.experiment('lengths = "histogram"\nhistogram = "short.csv"\nrequests = 14\nclass_weights = [1, 2]\n')
        self.write("short.csv", "quantity,from,to,weight\nprompt,20,140,1\noutput,1,60,1\n")
        ways = (SMALL_KV + assign("serving.mix=ratio", "serving.prefill_chunk=16", "serving.prefill_window=12"),
                SMALL_KV + assign("workload.arrivals=closed", "workload.users=6", 'workload.think_time="10 us"',
                                  "serving.mix=prefill_first"))
        for settings in ways:
            for fidelity in ("packet", "stage"):
                settings = settings + assign(f"wafer.noc.fidelity={fidelity}")
                self.run_ok("one.h5", "--force", *settings)
                for ranks in (2, 3, 4):
                    with self.subTest(settings=settings, ranks=ranks):
                        self.run_ok("more.h5", "--force", *settings, ranks=ranks)
                        diff = self.call("diff", "one.h5", "more.h5")
                        self.assertEqual(diff.returncode, 0, diff.stdout)

    def test_what_replicated_controllers_cost_is_in_the_file(self):
        self.experiment(FIXED.format(30, 10, 3))
        self.run_ok("one.h5", *STAGE)
        self.run_ok("three.h5", *STAGE, ranks=3)
        with h5py.File(self.path / "one.h5") as one, h5py.File(self.path / "three.h5") as three:
            tokens = one.attrs["tokens_processed"]
            # each token enters and leaves, and each request arrives
            self.assertEqual(one["engine/control_events"][0], 2 * tokens + 3)
            self.assertEqual(three["engine/control_events"][()].tolist(), [2 * tokens + 3] * 3)
            self.assertEqual(one["engine/control_copies"][0], 0)
            self.assertEqual(three["engine/control_copies"][()].sum(), 2 * 2 * tokens)
            self.assertEqual(three["engine/control_bytes"][()].sum(), 64 * 2 * 2 * tokens)

    def test_a_copy_of_the_controllers_that_goes_astray_is_caught(self):
        """Rank 1 reads another trace, as from a disk of its own: its last request has one token more."""
        self.experiment(TRACE)
        for folder, outputs in (("a", 3), ("b", 4)):
            (self.path / folder).mkdir()
            for name in ("small.toml", "small.json"):
                (self.path / folder / name).write_bytes((self.path / name).read_bytes())
            self.write(f"{folder}/trace.csv", f"arrival_s,prompt_tokens,output_tokens\n0,9,{outputs}\n")
        command = [MPIEXEC]
        for folder in ("a", "b"):
            separator = [":"] if folder == "b" else []
            command += [*separator, "-n", "1", "--wdir", str(self.path / folder), PROGRAM, "run", "small.toml",
                        "--out", str(self.path / "out.h5")]
        result = subprocess.run(command, cwd=self.path, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertRegex(result.stderr, r"the copies of LP 0 differ in what they sent: digest \w+ on rank 0, \w+ on rank 1")
        self.assertFalse((self.path / "out.h5").exists())


if __name__ == "__main__":
    unittest.main()
