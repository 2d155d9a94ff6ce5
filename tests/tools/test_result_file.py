"""An independent reader finds every dataset explained, and the books balanced."""

import math
import os
import unittest

import h5py
import numpy as np
from ouroboros_program import MODEL, ProgramTest, assign

BLOCKS = MODEL["num_hidden_layers"]
HIDDEN, FFN, VOCAB = MODEL["hidden_size"], MODEL["intermediate_size"], MODEL["vocab_size"]
QUERIES = MODEL["num_attention_heads"] * MODEL["head_dim"]
KEYS = MODEL["num_key_value_heads"] * MODEL["head_dim"]
CROSSBAR_COLUMNS = 128
CROSSBARS = 4

# rows and columns of the matrices that share an input
OF_A_BLOCK = {"qkv": (HIDDEN, QUERIES + 2 * KEYS), "output": (QUERIES, HIDDEN), "gate_up": (HIDDEN, 2 * FFN),
              "down": (FFN, HIDDEN)}
LM_HEAD = (HIDDEN, VOCAB)

COLUMNS, ROWS = 3 * 3, 2 * 4  # of cores
PROMPT, OUTPUT, REQUESTS = 40, 120, 24


def cores_for(rows, columns, crossbar_rows):
    """Columns in strips as wide as a crossbar fill core after core."""
    return math.ceil(math.ceil(columns / CROSSBAR_COLUMNS) * rows / (CROSSBARS * crossbar_rows))


def cores_by_role(crossbar_rows):
    """The cores that weights leave free are shared out evenly among the blocks."""
    roles = {name: BLOCKS * cores_for(*shape, crossbar_rows) for name, shape in OF_A_BLOCK.items()}
    roles["lm_head"] = cores_for(*LM_HEAD, crossbar_rows)
    free = COLUMNS * ROWS - sum(roles.values())
    others = dict.fromkeys(("router", "query", "head_key", "head_value", "cross_query", "cross_kv", "cross_output"), 0)
    return roles | others | {"kv": free // BLOCKS * BLOCKS, "spare": free % BLOCKS}


class ResultFile(ProgramTest):
    result = None  # one run for all tests

    def setUp(self):
        super().setUp()
        self.experiment(f'lengths = "fixed"\nprompt_tokens = {PROMPT}\noutput_tokens = {OUTPUT}\n'
                        f"requests = {REQUESTS}\n")
        if ResultFile.result is None:
            self.run_ok("run.h5", ranks=2)
            ResultFile.result = (self.path / "run.h5").read_bytes()
        (self.path / "run.h5").write_bytes(ResultFile.result)
        self.file = h5py.File(self.path / "run.h5")
        self.addCleanup(self.file.close)

    def test_every_dataset_has_unit_and_meaning_and_every_group_is_there(self):
        groups = {"requests", "tokens", "stages", "cores", "links", "kv", "energy", "timeline", "engine",
                  "configuration", "workload", "limits", "passages"}
        self.assertEqual(set(self.file), groups)

        def check(name, item):
            if isinstance(item, h5py.Dataset):
                self.assertTrue(item.attrs["unit"] and item.attrs["meaning"], name)

        self.file.visititems(check)
        cores = COLUMNS * ROWS
        self.assertEqual(self.file["cores/role"].shape, (cores,))
        self.assertEqual(self.file["links/flits"].shape, (cores, 6))
        self.assertEqual(self.file["energy/counts"].shape, (9, 2, 9))
        self.assertEqual(self.file["requests/done_ps"].shape, (REQUESTS,))
        self.assertEqual(self.file["stages/busy_core_ps"].shape, (BLOCKS + 1, 9))
        self.assertEqual(self.file["stages/home_tokens"].shape, (4 * BLOCKS + 1,))
        self.assertEqual(self.file["engine/events"].shape, (2,))
        self.assertEqual(self.file["engine/rank_of_die"].shape, (6,))

    def texts(self, path):
        return [text.decode() for text in self.file[path][()]]

    def test_units_are_those_that_the_names_say(self):
        units = {"ps": "ps", "fj": "fJ", "j": "J", "s": "s", "mb": "MB"}

        def check(name, item):
            unit = units.get(name.rsplit("_", 1)[-1])
            if unit and isinstance(item, h5py.Dataset):
                self.assertEqual(item.attrs["unit"], unit, name)

        self.file.visititems(check)

    def test_the_file_says_what_run_it_is_of(self):
        attributes = self.file.attrs
        self.assertEqual(attributes["schema"], "ouroboros-results")
        self.assertEqual(attributes["complete"], 1)
        self.assertEqual(attributes["seed"], 1)
        self.assertEqual(attributes["requests_done"], REQUESTS)
        self.assertEqual(attributes["output_tokens"], REQUESTS * OUTPUT)
        self.assertRegex(attributes["digest"], "^[0-9a-f]{16}$")
        self.assertRegex(attributes["code_version"], r"^\d+\.\d+\.\d+ ")
        self.assertEqual(self.file["engine"].attrs["ranks"], 2)
        self.assertEqual(attributes["makespan_ps"], self.file["requests/done_ps"][()].max())

    def roles(self, file):
        names = [name.decode() for name in file["cores/role_names"][()]]
        counts = np.bincount(file["cores/role"][()], minlength=len(names))
        return dict(zip(names, counts.tolist(), strict=True))

    def test_each_role_has_the_cores_that_the_model_needs(self):
        self.assertEqual(self.roles(self.file), cores_by_role(crossbar_rows=1024))
        blocks = self.file["cores/block"][()]
        names = self.texts("cores/role_names")
        role = self.file["cores/role"][()]
        self.assertTrue((blocks[role == names.index("lm_head")] == BLOCKS).all())
        self.assertTrue((blocks[role == names.index("spare")] == -1).all())
        kv = np.bincount(blocks[role == names.index("kv")])
        self.assertEqual(len(set(kv)), 1, "blocks have as many KV cores each")

    def test_so_it_does_where_strips_are_cut(self):
        self.run_ok("cut.h5", *assign("wafer.core.crossbar_rows=384", "workload.requests=2"))
        with h5py.File(self.path / "cut.h5") as file:
            self.assertEqual(self.roles(file), cores_by_role(crossbar_rows=384))

    def test_multiply_accumulates_are_those_of_the_model(self):
        weights = BLOCKS * sum(rows * columns for rows, columns in OF_A_BLOCK.values())
        positions = PROMPT + OUTPUT - 1  # the last output token is not processed
        # q K and S V, of each query head with the tokens so far
        attention = BLOCKS * 2 * QUERIES * positions * (positions + 1) // 2
        request = positions * weights + attention + OUTPUT * LM_HEAD[0] * LM_HEAD[1]
        self.assertFalse(self.file["requests/preemptions"][()].any(), "then more is computed")
        self.assertEqual(self.file["cores/macs"][()].sum(), REQUESTS * request)

    def test_energy_is_counts_times_constants_and_the_same_over_time(self):
        counts = self.file["energy/counts"][()]
        dynamic = self.file["energy/dynamic_fj"][()]
        self.assertTrue(np.array_equal(dynamic, counts * self.file["energy/each_fj"][()]))
        self.assertEqual(dynamic.sum(), self.file["timeline/dynamic_fj"][()].sum())
        names = [name.decode() for name in self.file["energy/component_names"][()]]
        links = self.file["links/flits"][:, :4]
        self.assertEqual(counts[:, :, names.index("hop")].sum(), 256 * links.sum())
        self.assertEqual(counts[:, :, names.index("mac")].sum(), self.file["cores/macs"][()].sum())

    def test_no_flit_leaves_the_wafer_but_to_the_host(self):
        ports = self.texts("links/port_names")
        flits = self.file["links/flits"][()].reshape(ROWS, COLUMNS, len(ports))
        off = {"east": flits[:, -1], "west": flits[:, 0], "north": flits[0], "south": flits[-1]}
        for port, links in off.items():
            off[port] = links[:, ports.index(port)]
        self.assertGreater(off["west"][0], 0)  # of core (0, 0), which has the host link
        off["west"] = off["west"][1:]
        for port, links in off.items():
            self.assertFalse(links.any(), port)

    def test_die_crossings_are_the_flits_over_the_borders_of_dies(self):
        ports = self.texts("links/port_names")
        flits = self.file["links/flits"][()].reshape(ROWS, COLUMNS, len(ports))
        over = {"east": flits[:, 2::3], "west": flits[:, 0::3], "south": flits[3::4], "north": flits[0::4]}
        crossings = sum(links[..., ports.index(port)].sum() for port, links in over.items())
        component = self.texts("energy/component_names").index("die_crossing")
        self.assertEqual(self.file["energy/counts"][:, :, component].sum(), 256 * crossings)

    def test_static_energy_is_power_times_makespan(self):
        joules = 3000 * 1e-12 * self.file.attrs["makespan_ps"]
        np.testing.assert_allclose(self.file["energy/static_j"][()], joules, rtol=1e-12)
        shares = dict(zip(self.texts("energy/static_component_names"), self.file["energy/static_component_j"][()], strict=True))
        np.testing.assert_allclose(shares["crossbars"], 0.6 * joules, rtol=1e-12)
        np.testing.assert_allclose(sum(shares.values()), joules, rtol=1e-12)

    def test_busy_time_is_the_same_by_core_by_stage_and_over_time(self):
        by_core = self.file["cores/crossbars_busy_ps"][()].sum() + self.file["cores/sfu_busy_ps"][()].sum()
        self.assertEqual(self.file["stages/busy_core_ps"][()].sum(), by_core)
        self.assertEqual(self.file["timeline/busy_core_ps"][()].sum(), by_core)

    def test_a_window_of_the_timelines_is_as_long_as_the_group_says(self):
        last = self.file["requests/done_ps"][()].max()
        for group in ("timeline", "kv"):
            for name, line in self.file[group].items():
                window = self.file[group].attrs[f"{name}_window_ps"]
                self.assertLessEqual(window * (len(line) - 1), last + window, name)

    def test_every_home_core_sends_every_token_on(self):
        self.assertEqual(set(self.file["stages/home_tokens"][()]), {self.file.attrs["tokens_processed"]})

    def test_kv_in_use_is_within_what_there_is(self):
        kv = self.file["kv"]
        most = kv["pages_used"][()].max()
        self.assertGreater(most, 0)
        self.assertLessEqual(most, kv.attrs["pages_total"])
        self.assertLessEqual(kv["tokens_held"][()].max() * kv.attrs["heads"], most * kv.attrs["page_tokens"])

    def test_tokens_are_a_sample_in_the_order_of_leaving(self):
        tokens = {name: data[()] for name, data in self.file["tokens"].items()}
        processed = self.file.attrs["tokens_processed"]
        self.assertEqual(sorted(tokens["number"]), list(range(0, processed, 64)))
        self.assertTrue((tokens["issued_ps"] < tokens["retired_ps"]).all())
        self.assertTrue((tokens["position"] < PROMPT + OUTPUT - 1).all())
        self.assertTrue(((tokens["position"] >= PROMPT) == tokens["decode"].astype(bool)).all())

    def test_tokens_are_conserved_and_requests_go_forward_in_time(self):
        requests = {name: data[()] for name, data in self.file["requests"].items()}
        self.assertTrue((requests["arrival_ps"] <= requests["admitted_ps"]).all())
        self.assertTrue((requests["admitted_ps"] < requests["first_token_ps"]).all())
        self.assertTrue((requests["first_token_ps"] <= requests["done_ps"]).all())
        asked = (requests["prompt_tokens"] + requests["output_tokens"] - 1).sum()
        processed = self.file.attrs["tokens_processed"]
        self.assertEqual(processed, asked + requests["recomputed_tokens"].sum())
        self.assertEqual(processed, self.file["timeline/tokens_processed"][()].sum())
        self.assertEqual(requests["output_tokens"].sum(), self.file.attrs["output_tokens"])
        self.assertEqual(sorted(requests["index"]), list(range(REQUESTS)))
        self.assertEqual(requests["output_tokens"].sum(), self.file["timeline/tokens_sampled"][()].sum())


class Memory(ProgramTest):
    def test_it_does_not_grow_with_the_requests_that_have_ended(self):
        # AddressSanitizer keeps freed memory for a while: 256 MB of it by default
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        self.experiment('lengths = "fixed"\nprompt_tokens = 4\noutput_tokens = 4\nrequests = 200\n')
        self.run_ok("few.h5")
        self.run_ok("many.h5", "--set", "workload.requests=2000")
        peak = [h5py.File(self.path / name)["engine/peak_memory_mb"][0] for name in ("few.h5", "many.h5")]
        self.assertLess(peak[1], 1.1 * peak[0])


if __name__ == "__main__":
    unittest.main()
