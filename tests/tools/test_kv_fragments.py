"""KV in crossbars that weight cores leave free, in whole runs."""

import json

import h5py
import numpy as np
from ouroboros_program import MODEL, ProgramTest, assign, errors

# Cores of 4 crossbars of 384 rows. By hand, in crossbars of the last tile: QKV 4096 rows = 3 cores, 2.7 on the last,
# so 1 is free; O 2048 = 2 cores, 1.3 on the last, 2 free; gate and up 8192 = 6 cores, 1.3, 2 free; down as QKV.
# 72 cores less 3 x 14 of the blocks and 3 of the LM head are 9 KV cores a block of 2 x 3 pages; two fragments of 3.
CORES = assign("wafer.core.crossbar_rows=384", "serving.admission_threshold=0")
PAGES, FRAGMENT_PAGES = 9 * 6, 2 * 3
WITH, WITHOUT = assign("serving.kv_fragments=true"), assign("serving.kv_fragments=false")
BUSY = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = 18\n'  # 2 pages of 2 heads each
FEW = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 6\nrequests = 4\n'


class KvFragments(ProgramTest):
    def result(self, out, *settings, ranks=1):
        self.run_ok(out, *CORES, *settings, ranks=ranks)
        with h5py.File(self.path / out) as result:
            self.evictions = int(result["requests/preemptions"][()].sum())
            self.pages = int(result["kv"].attrs["pages_total"])
            self.most_used = int(result["kv/pages_used"][()].max())
            return dict(result.attrs)

    def test_they_add_their_pages_and_are_taken_when_kv_cores_are_full(self):
        self.experiment(BUSY)
        self.result("without.h5", *WITHOUT)
        self.assertEqual((self.pages, self.most_used), (PAGES, PAGES))
        evictions = self.evictions
        self.result("with.h5", *WITH)
        self.assertEqual((self.pages, self.most_used), (PAGES + FRAGMENT_PAGES,) * 2)
        self.assertLess(self.evictions, evictions)
        peaks = {}
        for name in ("with.h5", "without.h5"):
            with h5py.File(self.path / name) as result:
                names = list(result["cores/role_names"].asstr())
                holds_weights = result["cores/role"][()] != names.index("kv")
                peaks[name] = result["cores/kv_blocks_peak"][()][holds_weights]
                self.assertEqual(result["cores/kv_blocks_peak"][()][~holds_weights].max(), 12)
        self.assertEqual(peaks["without.h5"].max(), 0)
        self.assertEqual(np.count_nonzero(peaks["with.h5"]), 2 * 3, "two weight cores of each of three blocks")
        self.assertEqual(peaks["with.h5"].max(), 6, "3 K blocks and 3 V blocks")

    def test_a_run_is_the_same_on_any_ranks(self):
        self.experiment(BUSY)
        for fidelity in ("packet", "stage"):
            settings = [*WITH, *assign(f"wafer.noc.fidelity={fidelity}")]
            one = self.result(f"{fidelity}1.h5", *settings)
            self.assertGreater(self.evictions, 0)
            for ranks in (2, 3, 4):
                self.run_ok(f"{fidelity}{ranks}.h5", *CORES, *settings, ranks=ranks)
                compared = self.call("diff", f"{fidelity}1.h5", f"{fidelity}{ranks}.h5")
                self.assertEqual(compared.returncode, 0, compared.stdout)
            self.assertEqual(one["requests_done"], 18)

    def test_they_change_nothing_while_the_kv_cores_have_room(self):
        self.experiment(FEW)
        digests = {self.result(f"{number}.h5", *way)["digest"] for number, way in enumerate((WITH, WITHOUT))}
        self.assertEqual(len(digests), 1)

    def test_are_refused_where_fragments_differ_or_have_no_room_for_queries(self):
        self.experiment(FEW)
        latent = {"kv_lora_rank": 160, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
                  "q_lora_rank": 64, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
                  "moe_intermediate_size": 128, "first_k_dense_replace": 1}
        encoder = {"hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2}
        for model, why in ((MODEL | latent | {"model_type": "deepseek_v3", "hidden_size": 128}, "leave other crossbars free"),
                           (MODEL | encoder | {"model_type": "bert"}, "queries have no room")):
            with self.subTest(model=model["model_type"]):
                self.write("small.json", json.dumps(model))
                for allowed in (False, True):
                    result = self.call("check", "small.toml", *assign(f"serving.kv_fragments={str(not allowed).lower()}"))
                    self.assertEqual(result.returncode, 0 if allowed else 2, result.stderr)
                    if not allowed:
                        self.assertRegex(errors(result)[0], f"serving.kv_fragments.*{why}.*false")

    def test_are_refused_where_something_fails_at_run_time(self):
        self.experiment(FEW)
        failing = assign("wafer.faults.runtime.cores=1")
        result = self.call("check", "small.toml", *WITH, *failing)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertRegex(errors(result)[0], "serving.kv_fragments.*not simulated while something fails.*false")
        self.assertEqual(self.call("check", "small.toml", *WITHOUT, *failing).returncode, 0)

    def test_static_kv_is_in_kv_cores_only(self):
        self.experiment(FEW)
        self.result("static.h5", *WITH, *assign("serving.kv=static"))
        self.assertEqual(self.pages, PAGES)


if __name__ == "__main__":
    import unittest

    unittest.main()
