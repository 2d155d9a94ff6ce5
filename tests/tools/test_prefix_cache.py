"""Prefix caching in whole runs: what is found, what it saves, and that the answer does not depend on ranks."""

import json
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign, errors

EXPERIMENT = 'lengths = "trace"\narrivals = "traced"\ntrace_file = "trace.jsonl"\nrequests = 0\nprefix_block_tokens = {}\n'
CACHE = assign("serving.prefix_cache=true")
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens
PAGE = 128


def found_by_an_unlimited_cache(requests, block):
    """Tokens for each request, in whole stretches and with a token left to compute; of all requests before."""
    stretch = max(block, PAGE)
    seen, found = set(), []
    for length, ids in requests:
        prefixes = [tuple(ids[:end * stretch // block]) for end in range(1, length // stretch + 1)]
        hits = 0
        while hits < min(len(prefixes), (length - 1) // stretch) and prefixes[hits] in seen:
            hits += 1
        seen.update(prefixes)
        found.append(hits * stretch)
    return found


class PrefixCache(ProgramTest):
    def trace(self, requests, block, milliseconds_apart=1, outputs=3, priorities=(0,)):
        rows = [{"timestamp": number * milliseconds_apart, "input_length": length, "output_length": outputs,
                 "hash_ids": ids, "priority": priorities[number % len(priorities)]}
                for number, (length, ids) in enumerate(requests)]
        self.write("trace.jsonl", "\n".join(json.dumps(row) for row in rows))
        self.experiment(EXPERIMENT.format(block))

    def requests(self, *settings, ranks=1):
        self.last = self.run_ok("out.h5", "--force", *settings, ranks=ranks)
        with h5py.File(self.path / "out.h5") as result:
            order = np.argsort(result["requests/index"][()])
            self.tokens = result.attrs["tokens_processed"]
            self.cached_pages = result["kv/pages_cached"][()]
            self.mac = result["energy/counts"][()][:, :, 0].sum()
            return {name: dataset[()][order] for name, dataset in result["requests"].items()}

    def test_one_after_another_they_find_what_an_unlimited_cache_holds(self):
        # blocks of 64 tokens: two a page. 300 = 2 pages and 44; 256 = exactly 2 pages, of which the last is computed
        requests = [(300, [1, 2, 3, 4]), (300, [1, 2, 3, 5]), (256, [1, 2, 3, 4]), (400, [1, 2, 3, 4, 6, 7]),
                    (130, [9, 2]), (400, [1, 2, 3, 4, 6, 7]), (100, [1])]
        self.trace(requests, 64)
        expected = found_by_an_unlimited_cache(requests, 64)
        self.assertEqual(expected, [0, 128, 128, 256, 0, 384, 0])
        for fidelity in ("packet", "stage"):
            with self.subTest(fidelity=fidelity):
                settings = assign(f"wafer.noc.fidelity={fidelity}")
                without = self.requests(*settings)
                all_tokens, all_mac = self.tokens, self.mac
                self.assertEqual(without["cached_tokens"].sum(), 0)
                with_cache = self.requests(*settings, *CACHE)
                self.assertEqual(with_cache["cached_tokens"].tolist(), expected)
                self.assertEqual(self.tokens, all_tokens - sum(expected))
                self.assertIn(f"{sum(expected)} tokens of KV found", self.last.stdout)
                # the tokens that were not computed would have met all weights, and the tokens before them in 3
                # blocks, whose 4 queries and 2 x 128 of K and V they would have been multiplied with
                weights = 3 * (512 * (512 + 256 + 256) + 512 * 512 + 3 * 512 * 1024)
                contexts = sum(tokens * (tokens + 1) // 2 for tokens in expected)
                self.assertEqual(self.mac, all_mac - sum(expected) * weights - 3 * 4 * 2 * 128 * contexts)
                later = with_cache["cached_tokens"] > 0
                ttft = [table["first_token_ps"] - table["arrival_ps"] for table in (with_cache, without)]
                self.assertTrue((ttft[0][later] < ttft[1][later]).all())

    def test_large_blocks_are_shared_whole(self):
        requests = [(600, [1, 2, 3]), (700, [1, 2, 4]), (520, [1, 2, 3])]  # 256 tokens: two pages
        self.trace(requests, 256)
        self.assertEqual(self.requests(*CACHE)["cached_tokens"].tolist(), [0, 512, 512])
        refused = self.call("run", "small.toml", "--out", "no.h5", *CACHE, *assign("workload.prefix_block_tokens=200"))
        self.assertEqual(refused.returncode, 2)

    def test_pages_of_the_cache_give_way_to_sequences(self):
        # 8 pages a head: the first prompt fills 4, the second 6 and evicts the end of the first's
        requests = [(4 * PAGE + 5, [1, 2, 3, 4]), (5 * PAGE + 5, [5, 6, 7, 8, 9]), (4 * PAGE + 5, [1, 2, 3, 4])]
        self.trace(requests, PAGE)
        table = self.requests(*SMALL_KV, *CACHE)
        self.assertEqual(table["cached_tokens"].tolist(), [0, 0, 2 * PAGE])
        self.assertEqual(table["preemptions"].sum(), 0)
        # 2 heads: after the first 4 pages of each; after the second 2 + 5 of 8; after the third at most all of 8
        self.assertEqual(self.cached_pages.max(), 2 * 7)

    def test_one_answer_with_preemption_prefix_hits_and_classes(self):
        prefix = [list(range(10, 13)), list(range(20, 23))]
        requests = [(100 + 37 * number % 90 + 128 * (number % 3), (prefix[number % 2] + [50 + number])[:1 + number % 3 * 2][:3])
                    for number in range(16)]
        requests = [(length, (ids + [100 + number, 200 + number, 300 + number])[:length // 64])
                    for number, (length, ids) in enumerate(requests)]
        self.trace(requests, 64, milliseconds_apart=0, outputs=60, priorities=(1, 0, 1, 2))
        for fidelity in ("packet", "stage"):
            settings = (*SMALL_KV, *CACHE, *assign(f"wafer.noc.fidelity={fidelity}", "serving.prefill_chunk=32"))
            table = self.requests(*settings)
            self.assertGreater(table["preemptions"].sum(), 0)
            self.assertGreater(table["cached_tokens"].sum(), 0)
            self.run_ok("one.h5", "--force", *settings)
            for ranks, synchronizer in ((2, "window"), (3, "null-message"), (4, "null-message")):
                with self.subTest(fidelity=fidelity, ranks=ranks):
                    self.run_ok("more.h5", "--force", *settings, *assign(f"engine.synchronizer={synchronizer}"), ranks=ranks)
                    diff = self.call("diff", "one.h5", "more.h5")
                    self.assertEqual(diff.returncode, 0, diff.stdout)

    def test_what_has_no_effect_is_said_and_what_does_not_go_together_is_refused(self):
        self.experiment('lengths = "fixed"\nprompt_tokens = 5\noutput_tokens = 3\nrequests = 2\n')
        self.assertIn("serving.prefix_cache has no effect", self.run_ok("out.h5", *CACHE).stderr)
        refused = self.call("run", "small.toml", "--out", "no.h5", *CACHE, *assign("serving.kv=static"))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("static KV is not shared", errors(refused)[0])


if __name__ == "__main__":
    unittest.main()
