"""An independent reader finds every dataset explained, and the books balanced."""

import os
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest


class ResultFile(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment('lengths = "fixed"\nprompt_tokens = 40\noutput_tokens = 120\nrequests = 24\n')
        self.run_ok("run.h5", ranks=2)
        self.file = h5py.File(self.path / "run.h5")
        self.addCleanup(self.file.close)

    def test_every_dataset_has_unit_and_meaning_and_every_group_is_there(self):
        groups = {"requests", "tokens", "stages", "cores", "links", "kv", "energy", "timeline", "engine",
                  "configuration"}
        self.assertEqual(set(self.file), groups)

        def check(name, item):
            if isinstance(item, h5py.Dataset):
                self.assertTrue(item.attrs["unit"] and item.attrs["meaning"], name)

        self.file.visititems(check)
        cores = 3 * 2 * 3 * 4
        self.assertEqual(self.file["cores/role"].shape, (cores,))
        self.assertEqual(self.file["links/flits"].shape, (cores, 6))
        self.assertEqual(self.file["energy/counts"].shape, (8, 2, 8))
        self.assertEqual(self.file["requests/done_ps"].shape, (24,))

    def test_energy_is_counts_times_constants_and_the_same_over_time(self):
        counts = self.file["energy/counts"][()]
        dynamic = self.file["energy/dynamic_fj"][()]
        self.assertTrue(np.array_equal(dynamic, counts * self.file["energy/each_fj"][()]))
        self.assertEqual(dynamic.sum(), self.file["timeline/dynamic_fj"][()].sum())
        names = [name.decode() for name in self.file["energy/component_names"][()]]
        links = self.file["links/flits"][:, :4]
        self.assertEqual(counts[:, :, names.index("hop")].sum(), 256 * links.sum())
        self.assertEqual(counts[:, :, names.index("mac")].sum(), self.file["cores/macs"][()].sum())

    def test_tokens_are_conserved_and_requests_go_forward_in_time(self):
        requests = {name: data[()] for name, data in self.file["requests"].items()}
        self.assertTrue((requests["arrival_ps"] <= requests["admitted_ps"]).all())
        self.assertTrue((requests["admitted_ps"] < requests["first_token_ps"]).all())
        self.assertTrue((requests["first_token_ps"] <= requests["done_ps"]).all())
        asked = (requests["prompt_tokens"] + requests["output_tokens"] - 1).sum()
        processed = self.file.attrs["tokens_processed"]
        self.assertEqual(processed, asked + requests["recomputed_tokens"].sum())
        self.assertEqual(processed, self.file["timeline/tokens_processed"][()].sum())
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
