"""Wafers with dead cores, routers and links: one answer on any number of ranks, and wrong fault maps."""

import math
import unittest

import h5py
import numpy

from ouroboros_program import ProgramTest, assign, errors

FIXED = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 8\n'
COLUMNS, ROWS = 9, 8
HEADER = "kind,x,y,direction\n"
CORES = "core,0,0,\ncore,4,1,\ncore,5,6,\n"
NETWORK = "router,1,1,\nrouter,4,4,\nrouter,5,4,\nlink,2,0,east\nlink,6,3,south\nlink,7,7,west\n"
MAP = ("--set", "wafer.faults.map_file=map.csv")
WAYS = ((2, ()), (3, assign("partition.method=rectangles")), (4, assign("engine.synchronizer=null-message")),
        (4, assign("partition.method=list", "partition.regions=[3,0,2,1,1,0]")))


class FaultTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(FIXED)

    def fault_map(self, rows):
        self.write("map.csv", HEADER + rows)


class OneAnswer(FaultTest):
    def test_of_a_run_on_one_to_four_ranks(self):
        self.run_ok("whole.h5")
        for rows, lines in ((CORES, "dead: 3 cores, 0 routers, 0 links"), (NETWORK, "dead: 0 cores, 3 routers, 3 links"),
                            (CORES + NETWORK, "dead: 3 cores, 3 routers, 3 links")):
            for multicast in ("tree", "unicast"):
                with self.subTest(lines=lines, multicast=multicast):
                    self.fault_map(rows)
                    settings = (*MAP, *assign(f"wafer.noc.multicast={multicast}", "wafer.core.crossbar_rows=512"))
                    result = self.run_ok("one.h5", "--force", *settings)
                    self.assertIn(lines, result.stderr)
                    for ranks, more in WAYS:
                        self.run_ok("way.h5", "--force", *settings, *more, ranks=ranks)
                        self.expect_equal("one.h5", "way.h5")
                    with h5py.File(self.path / "one.h5") as broken, h5py.File(self.path / "whole.h5") as whole:
                        for name in ("tokens_processed", "output_tokens", "requests_done"):
                            self.assertEqual(broken.attrs[name], whole.attrs[name])
                        self.assertNotEqual(broken.attrs["digest"], whole.attrs["digest"])
                        self.check_dead_parts(broken, rows)

    def check_dead_parts(self, file, rows):
        alive = file["cores/alive"][:]
        flits = file["links/flits"][:]
        dead = [row.split(",") for row in rows.split()]
        cores = {int(y) * COLUMNS + int(x) for kind, x, y, _ in dead if kind != "link"}
        self.assertEqual(set(numpy.flatnonzero(alive == 0)), cores)
        self.assertTrue(numpy.all(file["cores/role"][:][alive == 0] == 0))
        self.assertEqual(flits[alive == 0][:, 4:].sum(), 0)  # from and to the core
        directions = ("east", "west", "north", "south")
        beyond = (1, -1, -COLUMNS, COLUMNS)
        for kind, x, y, direction in dead:
            core = int(y) * COLUMNS + int(x)
            if kind == "router":
                self.assertEqual(flits[core].sum(), 0)
            if kind == "link":
                number = directions.index(direction)
                self.assertEqual(flits[core, number], 0)
                self.assertEqual(flits[core + beyond[number], number ^ 1], 0)
        self.assertGreater(flits[4 * COLUMNS + 3].sum(), 0)

    def test_of_a_study_of_the_network_on_one_to_four_ranks(self):
        self.fault_map(CORES + NETWORK)
        short = assign("traffic.warmup=200 cycles", "traffic.measure=1000 cycles")
        for fidelity in ("flit", "packet"):
            arguments = (*MAP, *short, *assign(f"wafer.noc.fidelity={fidelity}"), "--rates", "0.02,0.2")
            for number, (ranks, more) in enumerate(((1, ()), *WAYS)):
                result = self.call("noc", "small.toml", "--out", f"n{number}.h5", "--force", *arguments, *more,
                                   ranks=ranks)
                self.assertEqual(result.returncode, 0, result.stderr)
                if number > 0:
                    self.expect_equal("n0.h5", f"n{number}.h5")

    def test_of_lone_packets_at_both_fidelities(self):
        self.fault_map(CORES + NETWORK)
        live = [core for core in range(COLUMNS * ROWS)
                if core not in (0, 13, 59, 10, 40, 41)]
        pairs = [(a, b) for a in live[::5] for b in live[::7]]
        self.write("trace.csv", "packet,t_create,src,dst,size_flits\n" + "\n".join(
            f"{i},{1000 * i},{a},{b},{1 + i % 6}" for i, (a, b) in enumerate(pairs)))
        arrived = {}
        for fidelity in ("flit", "packet"):
            result = self.call("noc", "small.toml", "--out", "t.h5", "--force", *MAP, *assign(
                "traffic.load=trace", "traffic.trace_file=trace.csv", f"wafer.noc.fidelity={fidelity}",
                "wafer.noc.buffer_flits=32"), ranks=2)
            self.assertEqual(result.returncode, 0, result.stderr)
            with h5py.File(self.path / "t.h5") as file:
                arrived[fidelity] = dict(zip(file["packets/number"][:], file["packets/arrived"][:]))
        self.assertEqual(len(arrived["flit"]), len(pairs))
        self.assertEqual(arrived["flit"], arrived["packet"])


class Yield(FaultTest):
    def test_draws_about_as_many_dead_cores_as_murphy_says(self):
        self.run_ok("y.h5", *assign("wafer.faults.defect_density_per_cm2=3.0"))
        defects = 0.0332 * 3.0
        dead = 1 - ((1 - math.exp(-defects)) / defects) ** 2
        with h5py.File(self.path / "y.h5") as file:
            count = numpy.count_nonzero(file["cores/alive"][:] == 0)
        cores = COLUMNS * ROWS
        self.assertLess(abs(count - cores * dead), 5 * math.sqrt(cores * dead * (1 - dead)))
        self.assertGreater(count, 0)
        self.run_ok("three.h5", *assign("wafer.faults.defect_density_per_cm2=3.0"), ranks=3)
        self.expect_equal("y.h5", "three.h5")

    def test_says_how_many_faults_have_no_effect(self):
        self.fault_map("core,0,7,\n")
        result = self.call("check", "small.toml", *MAP)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"# dead: 1 core, 0 routers, 0 links; [01] of these ha(s|ve) no effect on the model")
        self.assertNotIn("# dead", self.call("check", "small.toml").stdout)


class WrongMap(FaultTest):
    def refused(self, sentence, rows, *settings, command="check"):
        with self.subTest(sentence):
            self.fault_map(rows)
            result = self.call(command, "small.toml", *MAP, *settings)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertEqual(len(errors(result)), 1, result.stderr)
            self.assertIn(sentence, errors(result)[0])
            self.assertFalse(errors(result)[0].endswith("."))

    def test_names_file_and_line(self):
        self.refused("map.csv:3: x: '9' is not accepted; it must be a whole number from 0 to 8", "core,1,1,\ncore,9,1,\n")
        self.refused("map.csv:2: the link north of (3, 0) leads off the wafer", "link,3,0,north\n")
        self.refused("map.csv:2: the router at (0, 0) has the link to the host; it must be alive", "router,0,0,\n")
        self.refused("map.csv:4: the link west of (2, 1) is already dead, or part of it: see map.csv:3",
                     "core,1,2,\nrouter,1,1,\nlink,2,1,west\n")
        self.refused("map.csv:2: kind: 'cores' is not accepted; known: core, router, link", "cores,1,1,\n")
        self.refused("map.csv:2: the row has 3 fields; the header has 4", "core,1,1\n")

    def test_that_leaves_no_way(self):
        self.refused("wafer.faults.map_file: no way is left from the router at (0, 0) to the one at (3, 0); "
                     "live routers must be connected", "".join(f"link,2,{y},east\n" for y in range(ROWS)))
        walls = [(x, y) for x in (1, 5) for y in range(7)] + [(x, y) for x in (3, 7) for y in range(1, 8)]
        self.refused("a packet from (0, 0) to (7, 0) needs a way of 5 legs, each along x, then along y; at most 4",
                     "".join(f"router,{x},{y},\n" for x, y in walls))

    def test_that_needs_more_legs_than_there_are_virtual_channels(self):
        flit = assign("wafer.noc.fidelity=flit", "wafer.noc.virtual_channels=1")
        self.refused("needs a way of 2 legs, each along x, then along y; at most 1, one for each virtual channel",
                     "link,4,4,east\n", *flit, command="noc")

    def test_and_a_defect_density_at_once(self):
        self.refused("a fault map leaves nothing to chance, and there is a defect density", "core,1,1,\n",
                     *assign("wafer.faults.defect_density_per_cm2=0.1"))

    def test_that_leaves_too_few_cores(self):
        self.refused("and 66 dead ones: it lacks", "".join(f"core,{x},{y},\n" for y in range(2, ROWS) for x in range(COLUMNS))
                     + "".join(f"core,{x},1,\n" for x in range(COLUMNS)) + "core,0,0,\ncore,1,0,\ncore,2,0,\n")

    def test_and_a_trace_of_packets_to_dead_cores(self):
        self.write("trace.csv", "packet,t_create,src,dst,size_flits\n0,0,5,7,4\n1,0,5,8,4\n")
        self.refused("trace.csv:3: dst: core 8 is dead; a packet goes from and to live cores", "core,8,0,\n",
                     *assign("traffic.load=trace", "traffic.trace_file=trace.csv"), command="noc")

    def test_that_is_not_there(self):
        result = self.call("check", "small.toml", *assign("wafer.faults.map_file=absent.csv"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("absent.csv: there is no such file", errors(result)[0])
        for setting in ("defect_density_per_cm2=-1.0", "core_area_mm2=-3.0", "seed=-1"):
            result = self.call("check", "small.toml", *assign(f"wafer.faults.{setting}"))
            self.assertEqual(result.returncode, 2)
            self.assertIn("wafer.faults." + setting.split("=")[0], errors(result)[0])


if __name__ == "__main__":
    unittest.main()
