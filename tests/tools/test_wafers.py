"""Several wafers in one run: one answer, and what goes over the links between them."""

import unittest

import h5py
from ouroboros_program import ProgramTest, assign, errors

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 40\noutput_tokens = 20\nrequests = 6\n'
# 3 x 2 dies of 3 x 4 cores each: 9 columns, 8 rows a wafer
TWO = assign("wafer.count=2", "wafer.joint.columns=[1, 7]")
STAGE = assign("wafer.noc.fidelity=stage")


class Wafers(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD)

    def test_one_answer_on_any_ranks(self):
        for fidelity in ((), STAGE):
            self.run_ok("one.h5", "--force", *TWO, *fidelity)
            for ranks, synchronizer in ((2, "window"), (3, "null-message"), (4, "window")):
                with self.subTest(ranks=ranks, fidelity=fidelity):
                    self.run_ok("more.h5", "--force", *TWO, *fidelity,
                                *assign(f"engine.synchronizer={synchronizer}"), ranks=ranks)
                    diff = self.call("diff", "one.h5", "more.h5")
                    self.assertEqual(diff.returncode, 0, diff.stdout)

    def test_packets_leave_a_wafer_by_its_links_alone_and_pay_for_them(self):
        self.run_ok("two.h5", *TWO)
        with h5py.File(self.path / "two.h5") as result:
            self.assertEqual(result["cores"].attrs["wafers"], 2)
            self.assertEqual(result["cores"].attrs["rows"], 16)
            ports = [name.decode() for name in result["links/port_names"][()]]
            flits = result["links/flits"][()].reshape(16, 9, len(ports))
            over = flits[7, :, ports.index("south")] + flits[8, :, ports.index("north")]
            self.assertGreater(over.sum(), 0)
            self.assertEqual(over.sum(), over[1] + over[7])
            components = [name.decode() for name in result["energy/component_names"][()]]
            counts = result["energy/counts"][:, :, components.index("wafer_crossing")]
            self.assertEqual(counts.sum(), 256 * over.sum())
            each = dict(zip(components, result["energy/each_fj"][()]))
            self.assertEqual(each["wafer_crossing"], 10_000)
            # each block and its KV on one wafer
            blocks = result["cores/block"][()].reshape(16, 9)
            here, there = set(blocks[:8].flat), set(blocks[8:].flat)
            self.assertEqual(here & there - {-1}, set())
            watts = result["energy/static_j"][()] / (1e-12 * result.attrs["makespan_ps"])
            self.assertAlmostEqual(watts, 6000, delta=1e-6)

    def test_slower_links_between_wafers_make_a_token_later(self):
        times = []
        for latency in ("0 ns", "10 us"):
            self.run_ok("run.h5", "--force", *TWO, *assign(f"wafer.joint.latency={latency}",
                        "workload.requests=1", "workload.prompt_tokens=1", "workload.output_tokens=2"))
            with h5py.File(self.path / "run.h5") as result:
                times.append(result["requests/done_ps"][0] - result["requests/first_token_ps"][0])
        # a lone token of the second wafer's blocks: there and, its candidates, back
        self.assertGreaterEqual(times[1] - times[0], 2 * 10_000_000)

    def test_stage_counts_the_same_energy_as_packet(self):
        self.run_ok("packet.h5", *TWO)
        self.run_ok("stage.h5", *TWO, *STAGE)
        with h5py.File(self.path / "packet.h5") as packet, h5py.File(self.path / "stage.h5") as stage:
            self.assertEqual(stage["energy/counts"][()].tolist(), packet["energy/counts"][()].tolist())

    def test_refusals(self):
        for settings, expected in (
                (["wafer.count=0"], "wafer.count"),
                (["wafer.count=2", "wafer.joint.columns=[9]"], "no core is in column 9"),
                (["wafer.count=2", "wafer.joint.columns=[3, 3]"], "column 3 comes after 3"),
                (["wafer.count=2"], "wafer.joint.links: 12 is out of range; 1 to 9 is needed"),
                (["wafer.joint.bandwidth=0 GB/s"], "is not the bandwidth of a link")):
            with self.subTest(settings=settings):
                result = self.call("check", "small.toml", *assign(*settings))
                self.assertEqual(result.returncode, 2)
                self.assertIn(expected, " ".join(errors(result)))
        self.write("cut.csv", "kind,x,y,direction\nlink,1,7,south\n")
        result = self.call("check", "small.toml", *assign("wafer.count=2", "wafer.joint.columns=[1]",
                                                          "wafer.faults.map_file=cut.csv"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("no way is left", " ".join(errors(result)))
        result = self.call("noc", "small.toml", "--out", "noc.h5",
                           *assign("wafer.count=2", "wafer.noc.fidelity=flit"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("flit by flit", " ".join(errors(result)))


if __name__ == "__main__":
    unittest.main()
