"""`ouroboros noc`: one answer on any number of ranks, figures that theory knows, and wrong input."""

import unittest

import h5py
import numpy

from ouroboros_program import WAFER, ProgramTest, assign, errors

MESH = """
[wafer]
die_columns = 3
die_rows = 2
core_columns = 3
core_rows = 4
[wafer.noc]
die_crossing_latency = "2 cycles"
"""
COLUMNS, ROWS = 9, 8
HEADER = "packet,t_create,src,dst,size_flits\r\n"


class NocTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("mesh.toml", MESH)

    def noc(self, out, *arguments, ranks=1):
        result = self.call("noc", "mesh.toml", "--out", out, *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def refused(self, sentence, *arguments):
        result = self.call("noc", "mesh.toml", "--out", "refused.h5", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(errors(result)), 1)
        self.assertIn(sentence, errors(result)[0])
        self.assertFalse((self.path / "refused.h5").exists())
        self.assertFalse((self.path / "refused.h5.part").exists())


class OneAnswer(NocTest):
    def test_is_the_same_on_one_to_four_ranks(self):
        short = assign("traffic.warmup=200 cycles", "traffic.measure=1000 cycles")
        for fidelity in ("flit", "packet"):
            arguments = (*short, *assign(f"wafer.noc.fidelity={fidelity}"), "--rates", "0.02,0.2")
            self.noc("r1.h5", "--force", *arguments)
            for ranks, more in ((2, ()), (3, assign("partition.method=rectangles")),
                                (4, assign("engine.synchronizer=null-message"))):
                self.noc("r.h5", "--force", *arguments, *more, ranks=ranks)
                diff = self.call("diff", "r1.h5", "r.h5")
                self.assertEqual(diff.returncode, 0, f"{fidelity} on {ranks} ranks: {diff.stdout}{diff.stderr}")


class Recorded(NocTest):
    def setUp(self):
        super().setUp()
        self.experiment('lengths = "fixed"\nprompt_tokens = 6\noutput_tokens = 3\nrequests = 2\n')
        self.write("mesh.toml", WAFER)
        self.replay = assign("traffic.load=trace", "traffic.trace_file=run.h5")

    def test_sends_the_packets_of_a_run_again(self):
        recorded = assign("wafer.noc.multicast=unicast", "output.record_packets_until=1 s")
        self.run_ok("run.h5", *recorded)
        self.run_ok("run-3.h5", *recorded, ranks=3)
        diff = self.call("diff", "run.h5", "run-3.h5")
        self.assertEqual(diff.returncode, 0, diff.stdout)
        with h5py.File(self.path / "run.h5") as run:
            packets = {name: run["packets"][name][:] for name in run["packets"]}
            sent = run["links/flits"][:, list(run["links/port_names"].asstr()).index("from_core")]
            to_host = run["cores/role"][:] == list(run["cores/role_names"].asstr()).index("lm_head")
        to_host[packets["from"][packets["created_ps"].argmin()]] = True  # gives its credits back to the host
        counted = numpy.bincount(packets["from"], packets["flits"], len(sent))
        self.assertGreater(sent[~to_host].sum(), 1000)
        numpy.testing.assert_array_equal(counted[~to_host], sent[~to_host])
        for fidelity in ("packet", "flit"):
            self.noc(f"{fidelity}.h5", *self.replay, *assign(f"wafer.noc.fidelity={fidelity}"))
            with h5py.File(self.path / f"{fidelity}.h5") as noc:
                self.assertEqual(noc["noc/packets"][0], len(packets["to"]))

    def test_refuses_other_runs(self):
        self.run_ok("run.h5")
        self.refused("run.h5: has no recorded packets", *self.replay)
        self.run_ok("run.h5", "--force", *assign("output.record_packets_from=1 us", "output.record_packets_until=2 us"))
        self.refused("run.h5: its packets are of another grid of cores; a run on 12 x 8 cores",
                     *self.replay, *assign("wafer.die_columns=4"))


class Theory(NocTest):
    def test_gives_lone_packets_the_zero_load_latency_at_both_fidelities(self):
        cores = [0, 5, 30, 44, 71]
        packets = [(i, 1000 * i, a, b, 1 + i % 6)
                   for i, (a, b) in enumerate((a, b) for a in cores for b in cores)]
        self.write("trace.csv", HEADER + "\r\n".join(",".join(map(str, packet)) for packet in packets))
        crossings = lambda a, b: (abs(a % COLUMNS // 3 - b % COLUMNS // 3) + abs(a // COLUMNS // 4 - b // COLUMNS // 4))
        routers = lambda a, b: abs(a % COLUMNS - b % COLUMNS) + abs(a // COLUMNS - b // COLUMNS) + 1
        for fidelity in ("flit", "packet"):
            self.noc("t.h5", "--force", *assign("traffic.load=trace", "traffic.trace_file=trace.csv",
                                                f"wafer.noc.fidelity={fidelity}"), ranks=2)
            with h5py.File(self.path / "t.h5") as file:
                arrived = dict(zip(file["packets/number"][:], file["packets/arrived"][:]))
                self.assertEqual(file["packets/arrived"].attrs["unit"], "cycles")
            for number, created, a, b, flits in packets:  # a router and a wire take a cycle each
                expected = 2 * routers(a, b) + 2 + (flits - 1) + 2 * crossings(a, b)
                self.assertEqual(arrived[number] - created, expected, f"{fidelity}: {a} to {b}")

    def test_conserves_flits_and_accepts_what_is_offered(self):
        self.noc("b.h5", *assign("wafer.noc.fidelity=flit", "traffic.load=batch", "traffic.pattern=bit-complement",
                                 "traffic.packets_per_core=5", "traffic.packet_flits=3"))
        with h5py.File(self.path / "b.h5") as file:
            flits = file["noc/link_flits"][0]
            self.assertEqual(file["noc/packets"][0], COLUMNS * ROWS * 5)
        self.assertTrue(numpy.all(flits[:, 4] == 5 * 3))  # each core gets as much as it sends
        rows = sum(abs(COLUMNS - 1 - 2 * x) for x in range(COLUMNS)) * ROWS
        columns = sum(abs(ROWS - 1 - 2 * y) for y in range(ROWS)) * COLUMNS
        self.assertEqual(flits[:, :2].sum(), rows * 15)
        self.assertEqual(flits[:, 2:4].sum(), columns * 15)

        self.noc("o.h5", "--rates", "0.05,0.1", *assign("wafer.noc.fidelity=flit", "traffic.measure=10000 cycles"))
        with h5py.File(self.path / "o.h5") as file:
            numpy.testing.assert_allclose(file["noc/accepted_rate"][:], [0.05, 0.1], rtol=0.03)
            # created packets are binomial: 72 cores x 10,000 cycles x rate / 4, within five deviations
            expected = COLUMNS * ROWS * 10_000 * numpy.array([0.05, 0.1]) / 4
            self.assertTrue(numpy.all(abs(file["noc/packets"][:] - expected) < 5 * numpy.sqrt(expected)))
            self.assertTrue(file["noc/settled"][:].all())

    def test_counts_what_live_cores_send_to_live_cores(self):
        dead = [(x, y) for x in range(3) for y in range(6)]  # 18 of 72
        self.write("map.csv", "kind,x,y,direction\n" + "".join(f"core,{x},{y},\n" for x, y in dead))
        result = self.noc("d.h5", "--rates", "0.1", *assign(
            "wafer.noc.fidelity=flit", "wafer.faults.map_file=map.csv", "traffic.measure=10000 cycles"))
        self.assertNotIn("beyond saturation", result.stdout)
        with h5py.File(self.path / "d.h5") as file:
            # three of four destinations are alive; 54 cores x 10,000 cycles x 0.075 / 4 packets, five deviations
            deviation = 5 / (54 * 10_000 * 0.075 / 4) ** 0.5
            for name in ("created_rate", "accepted_rate"):
                numpy.testing.assert_allclose(file[f"noc/{name}"][:], [0.075], rtol=deviation, err_msg=name)

    def test_takes_a_small_rate_as_it_is(self):
        self.noc("r.h5", "--rates", "4e-7,0.3", *assign("traffic.measure=100 cycles", "traffic.warmup=0 cycles"))
        with h5py.File(self.path / "r.h5") as file:
            self.assertEqual(list(file["noc/injection_rate"][:]), [4e-7, 0.3])

    def test_says_when_the_network_cannot_take_the_load(self):
        result = self.noc("s.h5", "--rates", "0.9", *assign(
            "wafer.noc.fidelity=flit", "traffic.drain_limit=100 cycles", "traffic.measure=2000 cycles"))
        self.assertIn("not settled", result.stdout)
        with h5py.File(self.path / "s.h5") as file:
            self.assertLess(file["noc/accepted_rate"][0], 0.6)


class WrongInput(NocTest):
    def test_is_refused_in_a_sentence(self):
        self.refused("0 is not a number of virtual channels of a port; a router has 1 to 12",
                     *assign("wafer.noc.virtual_channels=0"))
        self.refused("0 is not a number of flits that a virtual channel's buffer holds; a router has 1 to 255",
                     *assign("wafer.noc.buffer_flits=0"))
        self.refused("a grid of 9 x 8 cores has no transpose; as many columns as rows",
                     *assign("traffic.pattern=transpose"))
        self.refused("1.5 flits a cycle and core cannot be injected; above 0 and at most 1", "--rates", "0.1,1.5")
        self.refused("no file is named", *assign("traffic.load=trace"))
        self.refused("absent.csv: there is no such file", *assign("traffic.load=trace", "traffic.trace_file=absent.csv"))
        self.refused("has no injection rate", *assign("traffic.load=batch"), "--rates", "0.1")

    def test_names_the_row_of_a_trace(self):
        trace = assign("traffic.load=trace", "traffic.trace_file=trace.csv")
        self.write("trace.csv", HEADER + "0,0,0,72,4\n")
        self.refused("trace.csv:2: dst: '72' is not accepted; it must be a whole number from 0 to 71", *trace)
        self.write("trace.csv", HEADER)
        self.refused("trace.csv: has no packets", *trace)
        self.write("trace.csv", "packet,t_create,src,dst\n")
        self.refused("trace.csv:1: no column 'size_flits'", *trace)


if __name__ == "__main__":
    unittest.main()
