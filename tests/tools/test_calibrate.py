"""`ouroboros calibrate`, and fidelity `stage` with what it found."""

import unittest

import h5py
from ouroboros_program import ProgramTest, assign, errors

# requests of many lengths, of which a run at `stage` does not have the times of `packet`
WORKLOAD = 'histogram = "short.csv"\nrequests = 12\n'
LENGTHS = "quantity,from,to,weight\nprompt,20,200,1\noutput,10,150,1\n"
OTHER_REQUESTS = assign("workload.seed=2")
STAGE = assign("wafer.noc.fidelity=stage")
CALIBRATED = (*STAGE, *assign("wafer.noc.calibration=small.calibration.toml"))


class Calibrate(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("short.csv", LENGTHS)
        self.experiment(WORKLOAD)

    def calibrate(self, *arguments, ranks=1):
        result = self.call("calibrate", "small.toml", *OTHER_REQUESTS, *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refusal(self, *command):
        result = self.call(*command)
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        found = errors(result)
        self.assertEqual(len(found), 1, result.stderr)
        return found[0]

    def makespan(self, name):
        with h5py.File(self.path / name) as result:
            return result.attrs["makespan_ps"]

    def test_other_requests_of_the_kind_come_closer(self):
        self.calibrate()
        self.run_ok("packet.h5")
        self.run_ok("stage.h5", *STAGE)
        self.run_ok("calibrated.h5", *CALIBRATED)
        packet, without, calibrated = (self.makespan(f"{name}.h5") for name in ("packet", "stage", "calibrated"))
        self.assertLess(abs(calibrated - packet), 0.5 * abs(without - packet))
        self.assertAlmostEqual(calibrated / packet, 1, delta=0.01)
        with h5py.File(self.path / "packet.h5") as a, h5py.File(self.path / "calibrated.h5") as b:
            self.assertEqual(a["energy/counts"][()].tolist(), b["energy/counts"][()].tolist())
            self.assertEqual(a.attrs["tokens_processed"], b.attrs["tokens_processed"])

    def test_one_file_from_any_ranks_and_one_answer_with_it(self):
        self.calibrate()
        once = (self.path / "small.calibration.toml").read_text()
        self.calibrate("--force", ranks=3)
        self.assertEqual((self.path / "small.calibration.toml").read_text(), once)
        self.expect_one_answer_and_restart(*CALIBRATED, checkpoint_at="200 us")

    def test_it_says_how_well_it_fits(self):
        said = self.calibrate("--out", "here.toml")
        self.assertRegex(said, r"^small, 12 requests: makespan [+-]\d+\.\d\d % of that at packet, "
                               r"without [+-]\d+\.\d\d %\nhere\.toml is for wafer\.noc\.calibration\n$")
        self.assertIn(said.splitlines()[0], (self.path / "here.toml").read_text())

    def test_what_is_refused(self):
        self.calibrate()
        self.assertIn("already exists", self.refusal("calibrate", "small.toml"))
        run = ("run", "small.toml", "--out", "x.h5", *STAGE)
        self.assertIn("is for another wafer, model or mapping",
                      self.refusal(*run, *CALIBRATED, *assign("wafer.core.sfu_lanes=32")))
        self.assertIn("nothing.toml", self.refusal(*run, *assign("wafer.noc.calibration=nothing.toml")))
        self.write("empty.toml", "")
        self.assertIn("machine", self.refusal(*run, *assign("wafer.noc.calibration=empty.toml")))
        text = (self.path / "small.calibration.toml").read_text()
        self.write("short.toml", text + "head_key = [1, 2]\n")
        self.assertIn("has 2 delays", self.refusal(*run, *assign("wafer.noc.calibration=short.toml")))
        self.write("strange.toml", text + "nonsense = [1, 2]\n")
        self.assertIn("nonsense", self.refusal(*run, *assign("wafer.noc.calibration=strange.toml")))
        self.assertIn("no/where.toml", self.refusal("calibrate", "small.toml", "--out", "no/where.toml"))
        self.assertEqual(list(self.path.glob("*.part")), [])


if __name__ == "__main__":
    unittest.main()
