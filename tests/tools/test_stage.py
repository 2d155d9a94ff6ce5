"""Fidelity `stage` against `packet`, and as one answer."""

import unittest

import h5py
from ouroboros_program import ProgramTest, assign, errors

STAGE = assign("wafer.noc.fidelity=stage")
PREFILL = 'lengths = "fixed"\nprompt_tokens = 400\noutput_tokens = 1\nrequests = 2\n'
DECODE = 'lengths = "fixed"\nprompt_tokens = 1\noutput_tokens = 100\nrequests = {}\n'
MIXED = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = 16\n'
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # 8 x 128 tokens


class Stage(ProgramTest):
    def both(self, workload, *settings):
        self.experiment(workload)
        self.run_ok("packet.h5", *settings)
        self.run_ok("stage.h5", *settings, *STAGE)
        return h5py.File(self.path / "packet.h5"), h5py.File(self.path / "stage.h5")

    def expect_near(self, workload, tolerance, *settings):
        packet, stage = self.both(workload, *settings)
        with packet, stage:
            expected = packet.attrs["makespan_ps"]
            self.assertAlmostEqual(stage.attrs["makespan_ps"] / expected, 1, delta=tolerance)
            for name in ("tokens_processed", "output_tokens", "requests_done"):
                self.assertEqual(stage.attrs[name], packet.attrs[name])
            # the same packets are counted, wherever each of them waits
            self.assertEqual(stage["energy/counts"][()].tolist(), packet["energy/counts"][()].tolist())

    def test_prompts_that_fill_the_pipeline(self):
        self.expect_near(PREFILL, 0.03)

    def test_decoding_sequences(self):
        for sequences in (1, 2, 4, 8):
            with self.subTest(sequences=sequences):
                self.expect_near(DECODE.format(sequences), 0.03)
                (self.path / "packet.h5").unlink()
                (self.path / "stage.h5").unlink()

    def test_prompts_and_outputs(self):
        self.expect_near(MIXED, 0.03)

    def test_one_answer_on_any_ranks_and_partition(self):
        self.experiment(MIXED)
        for settings in ((), SMALL_KV):
            self.run_ok("one.h5", "--force", *settings, *STAGE)
            ways = [(2, "rows", "window"), (3, "rectangles", "null-message"), (4, "rows", "null-message"),
                    (4, "list", "window")]
            for ranks, method, synchronizer in ways:
                with self.subTest(settings=settings, ranks=ranks, method=method):
                    way = assign(f"partition.method={method}", "partition.regions=[3,0,2,1,1,0]",
                                 f"engine.synchronizer={synchronizer}")
                    self.run_ok("way.h5", "--force", *settings, *STAGE, *way, ranks=ranks)
                    diff = self.call("diff", "one.h5", "way.h5")
                    self.assertEqual(diff.returncode, 0, diff.stdout)
        with h5py.File(self.path / "one.h5") as result:
            self.assertGreater(result["requests/preemptions"][()].sum(), 0)

    def test_what_nobody_counts_is_not_in_the_file(self):
        packet, stage = self.both(DECODE.format(1))
        with packet, stage:
            self.assertEqual(set(packet["cores"]) - set(stage["cores"]),
                             {"crossbars_busy_ps", "sfu_busy_ps", "macs", "kv_blocks_peak", "energy_fj"})
            self.assertEqual(set(packet["kv"]) - set(stage["kv"]), {"collisions"})
            self.assertEqual(set(packet) - set(stage), {"links"})
            self.assertEqual(stage["stages/home_tokens"][()].tolist(), packet["stages/home_tokens"][()].tolist())
            self.assertEqual(stage["stages/busy_core_ps"][()].tolist(), packet["stages/busy_core_ps"][()].tolist())
            self.assertEqual(stage["timeline/dynamic_fj"][()].sum(), stage["energy/dynamic_fj"][()].sum())

    def test_the_network_alone_is_not_simulated(self):
        self.experiment(MIXED)
        result = self.call("noc", "small.toml", "--out", "noc.h5", *STAGE)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(errors(result)[0], "wafer.noc.fidelity.*network is not simulated.*\"packet\" or \"flit\"")


if __name__ == "__main__":
    unittest.main()
