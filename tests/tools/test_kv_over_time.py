"""KV over time: what group kv says, put together again from the requests and from all tokens that entered."""

import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign

EVERY_TOKEN = '[output]\nrecord_token_every = 1\n'
ROOMY = 'lengths = "fixed"\nprompt_tokens = 200\noutput_tokens = 70\nrequests = 5\n'
BUSY = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = 16\n'
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens
LATENCY_PS = 500_000
PAGE, HEADS, BLOCKS, HEAD = 128, 2, 3, 128
FIDELITIES = ("packet", "stage")


def pages(tokens):
    return HEADS * -(-tokens // PAGE)


def attempts(positions):
    """Tokens of one request in the order of entering, cut where it begins again."""
    return np.split(positions, np.flatnonzero(positions == 0)[1:])


def most_by_window(times, changes, window, windows):
    """Of a level that changes by so much at these times, the most in each window; what is at one time is one."""
    moments, where = np.unique(times, return_inverse=True)
    levels = np.cumsum(np.bincount(where, weights=changes)).astype(int)
    before = np.concatenate(([0], levels))[np.searchsorted(moments, np.arange(windows) * window)]
    np.maximum.at(before, moments // window, levels)
    return before


class KvOverTime(ProgramTest):
    def runs(self, workload, *settings):
        """Each fidelity and its file."""
        self.experiment(workload + EVERY_TOKEN)
        for fidelity in FIDELITIES:
            self.run_ok("kv.h5", "--force", *settings,
                        *assign(f"wafer.noc.fidelity={fidelity}", f"serving.control_latency={LATENCY_PS // 1000} ns"))
            with h5py.File(self.path / "kv.h5") as file:
                yield fidelity, file

    @staticmethod
    def table(file, group):
        return {name: column[()] for name, column in file[group].items()}

    def series(self, file, name):
        return file[f"kv/{name}"][()], int(file["kv"].attrs[f"{name}_window_ps"])

    def test_levels_are_those_of_the_requests_and_tokens(self):
        for _, file in self.runs(ROOMY):
            requests, tokens = self.table(file, "requests"), self.table(file, "tokens")
            self.assertEqual(requests["preemptions"].sum(), 0)
            last = [tokens["retired_ps"][tokens["request"] == index].max() for index in requests["index"]]
            given_back = np.array(last) + LATENCY_PS  # the controllers hear of the last token
            lengths = requests["prompt_tokens"] + requests["output_tokens"] - 1
            held = (np.concatenate((tokens["issued_ps"], given_back)),
                    np.concatenate((np.ones(len(tokens["number"])), -lengths)))
            grows = tokens["position"] >= requests["prompt_tokens"][0]
            more = pages(tokens["position"][grows] + 1) - pages(tokens["position"][grows])
            used = (np.concatenate((requests["admitted_ps"], tokens["issued_ps"][grows], given_back)),
                    np.concatenate((pages(requests["prompt_tokens"]), more, -pages(lengths))))
            unused = (np.concatenate((used[0], held[0])), np.concatenate((used[1] / HEADS * PAGE, -held[1])))
            for name, changes in (("tokens_held", held), ("pages_used", used), ("tokens_unused", unused)):
                values, window = self.series(file, name)
                self.assertEqual(values.tolist(), most_by_window(*changes, window, len(values)).tolist(), name)
                self.assertEqual(changes[1].sum(), 0)
            self.assertEqual(file["kv/evictions"][()].sum(), 0)
            self.assertEqual(file["kv/pages_cached"][()].sum(), 0)

    def test_evictions_and_recomputed_tokens_are_those_of_the_requests(self):
        for _, file in self.runs(BUSY, *SMALL_KV):
            requests, tokens = self.table(file, "requests"), self.table(file, "tokens")
            self.assertGreater(requests["preemptions"].sum(), 0)
            for name, column in (("evictions", "preemptions"), ("recomputed_tokens", "recomputed_tokens")):
                self.assertEqual(file[f"kv/{name}"][()].sum(), requests[column].sum())
            begun = 0
            for row, index in enumerate(requests["index"]):
                of_request = attempts(tokens["position"][tokens["request"] == index])
                lost = of_request[:-1]
                begun += len(lost)
                self.assertEqual(sum(map(len, lost)), requests["recomputed_tokens"][row])
                self.assertLessEqual(len(lost), requests["preemptions"][row])
                length = requests["prompt_tokens"][row] + requests["output_tokens"][row] - 1
                self.assertEqual(of_request[-1].tolist(), list(range(length)))
            # the newest are evicted first, some before a token of their prompt has entered: they lose nothing
            self.assertGreater(requests["preemptions"].sum(), begun)
            self.assertEqual(len(tokens["number"]), file.attrs["tokens_processed"])
            self.check_evictions_are_in_time(file, requests, tokens, begun)

    def check_evictions_are_in_time(self, file, requests, tokens, begun):
        """A sequence has been evicted when it begins again, and not before it has begun."""
        evictions, window = self.series(file, "evictions")
        self.assertGreaterEqual(evictions.sum(), begun)
        evicted_until = np.cumsum(evictions)
        again = []
        for index in requests["index"]:
            issued = tokens["issued_ps"][tokens["request"] == index]
            again.extend(issued[np.flatnonzero(tokens["position"][tokens["request"] == index] == 0)[1:]])
        for count, time in enumerate(sorted(again), 1):
            self.assertGreaterEqual(evicted_until[min(time // window, len(evictions) - 1)], count)

    def test_levels_stay_within_the_memory(self):
        for fidelity, file in self.runs(BUSY, *SMALL_KV):
            total = file["kv"].attrs["pages_total"]
            used, held = file["kv/pages_used"][()], file["kv/tokens_held"][()]
            self.assertEqual(used.max(), total)  # there were evictions
            self.assertTrue((held <= used / HEADS * PAGE).all())
            self.assertTrue((file["kv/tokens_unused"][()] <= used / HEADS * PAGE).all())
            self.assertEqual("collisions" in file["kv"], fidelity == "packet")

    def test_cores_hold_the_blocks_of_the_pages_and_collide_only_where_tokens_meet(self):
        one = 'lengths = "fixed"\nprompt_tokens = 1\noutput_tokens = 300\nrequests = 1\n'
        for workload, collides in ((one, False), (BUSY, True)):
            self.experiment(workload)
            self.run_ok("kv.h5", "--force")
            with h5py.File(self.path / "kv.h5") as file:
                is_kv = file["cores/role"][()] == list(file["cores/role_names"].asstr()).index("kv")
                peaks, block = file["cores/kv_blocks_peak"][()], file["cores/block"][()]
                for number in range(BLOCKS):
                    of_block = peaks[is_kv & (block == number)].sum()
                    most = 2 * file["kv/pages_used"][()].max()  # a K block and a V block a page
                    self.assertTrue(of_block == most if not collides else of_block >= most)
                collisions = file["kv/collisions"][()].sum()
                self.assertEqual(collisions > 0, collides)
                self.assertLessEqual(collisions, file.attrs["tokens_processed"] * HEADS * BLOCKS)


if __name__ == "__main__":
    unittest.main()
