"""`ouroboros validate`: the same system at two fidelities."""

import json
import pathlib
import re
import unittest

import h5py
import numpy as np
from ouroboros_program import ProgramTest, assign, errors

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 40\noutput_tokens = 10\nrequests = 4\n'
FLIT = ("--fidelities", "packet,flit", *assign("wafer.noc.multicast=unicast", "workload.requests=2",
                                               "workload.prompt_tokens=10", "workload.output_tokens=4"))


class Validate(ProgramTest):
    def validate(self, *arguments, ranks=1):
        self.experiment(WORKLOAD)
        result = self.call("validate", "small.toml", *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def quantities(self, *arguments, ranks=1):
        found = json.loads(self.validate("--json", *arguments, ranks=ranks))
        return {row["name"]: row for row in found["quantities"]}

    def test_counts_are_equal_and_times_differ(self):
        rows = self.quantities()
        counted = [name for name in rows if re.match("count |energy (?!static)|busy |packets|flits", name)]
        self.assertEqual(len(counted), 9 + 9 + 9 + 2)  # components twice, stages, packets and flits
        for name in [*counted, "output tokens", "tokens processed", "requests done"]:
            self.assertEqual(rows[name]["packet"], rows[name]["stage"], name)
            self.assertEqual(rows[name]["relative_difference"], 0, name)
        # tokens that wait for each other in the mesh are what `stage` leaves out
        self.assertNotEqual(rows["makespan"]["relative_difference"], 0)
        self.assertAlmostEqual(rows["makespan"]["relative_difference"], 0, delta=0.1)

    def test_flit_by_flit_all_counts_are_those_of_repeated_unicast(self):
        rows = self.quantities(*FLIT)
        for name, row in rows.items():
            if re.match("count |energy (?!static)|busy |packets|flits|output tokens|tokens processed", name):
                self.assertEqual(row["packet"], row["flit"], name)
        self.assertNotEqual(rows["makespan"]["relative_difference"], 0)
        self.assertAlmostEqual(rows["makespan"]["relative_difference"], 0, delta=0.1)
        self.assertEqual(rows, self.quantities(*FLIT, ranks=4))

    def test_each_value_is_that_of_the_run_itself(self):
        rows = self.quantities()
        for fidelity in ("packet", "stage"):
            self.run_ok(f"{fidelity}.h5", *assign(f"wafer.noc.fidelity={fidelity}"))
            with h5py.File(self.path / f"{fidelity}.h5") as result:
                self.assertEqual(rows["makespan"][fidelity], result.attrs["makespan_ps"])
                seconds = 1e-12 * result.attrs["makespan_ps"]
                self.assertAlmostEqual(rows["throughput"][fidelity] * seconds, 40)
                self.assertAlmostEqual(rows["throughput, prompts included"][fidelity] * seconds, 200)
                self.assertEqual(rows["energy static"][fidelity], result["energy/static_j"][0])
                components = result["energy/component_names"].asstr()[()]
                for component, energy in zip(components, result["energy/dynamic_fj"][()].sum(axis=(0, 1))):
                    self.assertEqual(rows[f"energy {component}"][fidelity], energy)
                for stage, busy in zip(result["stages/names"].asstr()[()],
                                       result["stages/busy_core_ps"][()].sum(axis=0)):
                    self.assertEqual(rows[f"busy {stage}"][fidelity], busy)
                self.assertEqual(rows["KV pages at most"][fidelity], result["kv/pages_used"][()].max())
                ttft = result["requests/first_token_ps"][()] - result["requests/arrival_ps"][()]
                for percent in (50, 95, 99):
                    self.assertAlmostEqual(rows[f"TTFT p{percent}"][fidelity] / np.percentile(ttft, percent), 1)

    def test_a_request_of_one_token_has_no_time_between_tokens(self):
        row = self.quantities(*assign("workload.output_tokens=1"))["TPOT p50"]
        self.assertEqual((row["packet"], row["stage"], row["relative_difference"]), (None, None, None))

    def test_the_table_says_what_differs(self):
        table = self.validate()
        self.assertRegex(table, r"(?m)^quantity +unit +packet +stage +difference$")
        self.assertRegex(table, r"(?m)^count mac +MAC +(\d\S*) +\1 +equal$")
        self.assertRegex(table, r"(?m)^makespan +ps +\S+ +\S+ +[+-]\d+\.\d{3} %$")

    def test_the_second_is_compared_with_the_first(self):
        forth = self.quantities()["makespan"]["relative_difference"]
        back = json.loads(self.validate("--json", "--fidelities", "stage,packet"))
        row = next(row for row in back["quantities"] if row["name"] == "makespan")
        self.assertAlmostEqual((1 + forth) * (1 + row["relative_difference"]), 1)

    def test_the_answer_does_not_depend_on_ranks(self):
        self.assertEqual(self.quantities(), self.quantities(ranks=3))

    def test_the_shipped_experiment_is_complete(self):
        shipped = pathlib.Path(__file__).parents[2] / "jobs" / "validate.toml"
        self.assertEqual(self.call("check", str(shipped)).returncode, 0)

    def test_other_fidelities_are_refused(self):
        self.experiment(WORKLOAD)
        for given, message in (("packet,flits", "a model does not run at 'flits'"), ("packet", "there are 1"),
                               ("stage,stage", "both are 'stage'")):
            with self.subTest(given=given):
                result = self.call("validate", "small.toml", "--fidelities", given)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(errors(result)[0], f"--fidelities: {message}; two of packet, stage, flit are needed")


if __name__ == "__main__":
    unittest.main()
