"""When recorded tokens were at the stations: the order of things, one answer, and the way of a token."""

import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 30\noutput_tokens = 20\nrequests = 7\n'
EVERY = 8
STATIONS = 3 * 4 + 1
STAGE = assign("wafer.noc.fidelity=stage")


class Passages(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD + f"[output]\nrecord_stations_every = {EVERY}\nrecord_token_every = {EVERY}\n")

    def test_a_recorded_token_is_once_at_each_station_between_its_issue_and_its_leaving(self):
        for fidelity in ((), STAGE):
            self.run_ok("run.h5", "--force", *fidelity)
            with h5py.File(self.path / "run.h5") as file:
                rows = {name: data[()] for name, data in file["passages"].items()}
                tokens = {name: data[()] for name, data in file["tokens"].items()}
            self.assertEqual(sorted(set(rows["number"])), list(range(0, 7 * 49, EVERY)))
            self.assertTrue((np.diff(rows["launched_ps"]) >= 0).all())
            for row, number in enumerate(tokens["number"]):
                own = np.flatnonzero(rows["number"] == number)
                np.testing.assert_array_equal(rows["station"][own], np.arange(STATIONS))
                self.assertEqual(set(rows["request"][own]), {tokens["request"][row]})
                launched = rows["launched_ps"][own]
                times = np.array([np.r_[tokens["issued_ps"][row], launched[:-1]], rows["gathered_ps"][own],
                                  rows["ready_ps"][own], launched, np.r_[launched[1:], tokens["retired_ps"][row]]])
                self.assertTrue((np.diff(times, axis=0) >= 0).all(), (fidelity, number))
                self.assertTrue((rows["entered_ps"][own] <= rows["gathered_ps"][own]).all())

    def test_a_lone_token_waits_for_no_room_and_is_normalised_in_the_same_time_in_each_block(self):
        self.run_ok("run.h5", *assign("workload.prompt_tokens=1", "workload.output_tokens=1", "workload.requests=1"))
        with h5py.File(self.path / "run.h5") as file:
            rows = {name: data[()] for name, data in file["passages"].items()}
        np.testing.assert_array_equal(rows["launched_ps"], rows["ready_ps"])
        own = (rows["ready_ps"] - rows["gathered_ps"])[:-1].reshape(3, 4)
        self.assertLess(own[0, 0], own[1, 0])  # the embedding has no residual to add
        own[0, 0] = own[1, 0]
        np.testing.assert_array_equal(own, own[[0, 0, 0]])

    def test_they_are_the_same_on_other_ranks_and_after_a_restart(self):
        for fidelity in ((), STAGE):
            self.run_ok("whole.h5", "--force", *fidelity)
            arguments = (*fidelity, "--checkpoint-at", "30 us")
            result = self.call("run", "small.toml", "--out", "part.h5", "--force", *arguments, ranks=3)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertTrue((self.path / "part.h5.checkpoint").exists())
            result = self.call("run", "--restart", "part.h5.checkpoint", "--out", "rest.h5", "--force", ranks=2)
            self.assertEqual(result.returncode, 0, result.stderr)
            for other in ("part.h5", "rest.h5"):
                diff = self.call("diff", "whole.h5", other)
                self.assertEqual(diff.returncode, 0, diff.stdout)


class EnergyOfCores(ProgramTest):
    def test_cores_and_their_links_have_all_dynamic_energy_and_dies_all_flits_over_time(self):
        self.experiment(WORKLOAD)
        for arguments in ((), assign("wafer.count=2", "wafer.die_rows=1", "wafer.joint.links=9")):
            self.run_ok("run.h5", "--force", *arguments, ranks=2)
            with h5py.File(self.path / "run.h5") as file:
                by_core, by_stage = file["cores/energy_fj"][()], file["energy/dynamic_fj"][()]
                np.testing.assert_array_equal(by_core.sum(axis=0), by_stage.sum(axis=(0, 1)))
                np.testing.assert_array_equal(by_core[:, 0], file["cores/macs"][()] * file["energy/each_fj"][0])
                # flits of the links between routers, by die
                over_time, flits = file["timeline/link_flits"][()], file["links/flits"][()]
                columns = file["cores"].attrs["columns"]
                cores = np.arange(len(flits))
                die = cores // columns // 4 * 3 + cores % columns // 3
                expected = np.bincount(die, flits[:, :4].sum(axis=1)).astype(int)
                np.testing.assert_array_equal(over_time.sum(axis=0), expected)


if __name__ == "__main__":
    unittest.main()
