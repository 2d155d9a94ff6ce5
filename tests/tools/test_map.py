"""`ouroboros map` prints what a mapping costs, stores and draws it; a run that reads the file is the same run."""

import unittest
import xml.etree.ElementTree

import h5py
from ouroboros_program import ProgramTest, assign, errors

WORKLOAD = 'lengths = "fixed"\nprompt_tokens = 6\noutput_tokens = 3\nrequests = 3\n'
OPTIMISED = assign("mapping.method=optimised", "mapping.steps=20000")
FILE = assign("mapping.method=file", "mapping.file=map.h5")


class Map(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(WORKLOAD)

    def map_ok(self, *arguments):
        result = self.call("map", "small.toml", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def digest(self, out):
        with h5py.File(self.path / out) as result:
            return result.attrs["digest"]

    def refusal(self, *arguments):
        result = self.call("check", "small.toml", *arguments)
        self.assertEqual(result.returncode, 2, result.stdout)
        (message,) = errors(result)
        return message

    def test_prints_the_objective_by_volume_beside_that_of_the_snake(self):
        head, snake, this = self.map_ok(*OPTIMISED).splitlines()
        self.assertEqual(head.split()[:5], ["mapping", "output", "reduce", "gather", "sum"])
        self.assertEqual((snake.split()[0], this.split()[0]), ("snake", "this"))
        self.assertLess(float(this.split()[4]), float(snake.split()[4]))

    def test_the_picture_has_a_letter_for_each_core(self):
        picture = self.map_ok("--picture").split("\n\n", 1)[1]
        letters = picture.replace("\n", "").replace(" ", "")
        self.assertEqual(len(letters), 9 * 8)
        self.assertEqual(letters.count("Q"), 3)
        self.assertEqual(letters.count("H"), 1)
        self.assertEqual(letters.count("x"), 0)

    def test_the_svg_is_well_formed_with_a_square_for_each_core(self):
        self.map_ok("--svg", "map.svg")
        squares = xml.etree.ElementTree.parse(self.path / "map.svg").findall("{http://www.w3.org/2000/svg}rect")
        self.assertEqual(len(squares), 9 * 8)
        self.assertEqual(self.call("map", "small.toml", "--svg", "map.svg").returncode, 2)

    def test_a_run_from_the_file_is_the_run_with_the_method(self):
        self.map_ok(*OPTIMISED, "-o", "map.h5")
        self.run_ok("method.h5", *OPTIMISED)
        self.run_ok("file.h5", *FILE, ranks=2)
        self.run_ok("snake.h5")
        self.assertEqual(self.digest("method.h5"), self.digest("file.h5"))
        self.assertNotEqual(self.digest("method.h5"), self.digest("snake.h5"))

    def test_every_core_has_one_role_in_the_file(self):
        self.map_ok(*OPTIMISED, "-o", "map.h5")
        with h5py.File(self.path / "map.h5") as file:
            group = file["mapping"]
            cores = [*group["tiles"][:].ravel(), *group["kv"][:].ravel(), *group["lm_head"][:]]
            self.assertEqual(len(set(cores)), len(cores))
            self.assertEqual(list(group["grid"][:]), [3, 2, 3, 4])
            self.assertEqual(group["tiles"].shape, (3, sum(group["tile_counts"][1:6])))

    def test_the_lines_give_runs_of_their_own(self):
        digests = set()
        for method in ("snake", "rows", "squares", "random"):
            self.run_ok(f"{method}.h5", *assign(f"mapping.method={method}"))
            digests.add(self.digest(f"{method}.h5"))
        self.assertEqual(len(digests), 4)

    def test_a_file_that_does_not_fit_is_refused_in_a_sentence(self):
        self.map_ok("-o", "map.h5")
        self.assertIn("is for a wafer of 3 x 2 x 3 x 4 dies and cores of a die; this one has 3 x 2 x 4 x 4",
                      self.refusal(*FILE, *assign("wafer.core_columns=4")))
        self.assertIn("is for a model of blocks, tiles of QKV, O, router, gate and up, down, LM head 3, ",
                      self.refusal(*FILE, *assign("wafer.core.crossbars=8")))
        self.write("dead.csv", "kind,x,y,direction\ncore,0,0,\n")
        self.assertIn("uses the core at 0, 0, which is dead; map this wafer with its faults",
                      self.refusal(*FILE, *assign("wafer.faults.map_file=dead.csv")))
        with h5py.File(self.path / "map.h5", "r+") as file:
            file["mapping/kv"][1, 0] = file["mapping/kv"][0, 0]
        self.assertRegex(self.refusal(*FILE), r"uses the core at \d, \d twice; a core has one role")

    def test_what_is_not_a_mapping_is_refused(self):
        self.run_ok("run.h5")
        self.assertIn("'run.h5' has no dataset '/mapping/grid'; a mapping is what `ouroboros map` writes",
                      self.refusal(*assign("mapping.method=file", "mapping.file=run.h5")))
        self.assertIn("there is no such file", self.refusal(*assign("mapping.method=file", "mapping.file=no.h5")))
        self.assertIn('mapping.method is "file", and none is named', self.refusal(*assign("mapping.method=file")))
        self.assertIn("would not be read", self.refusal(*assign("mapping.file=run.h5")))

    def test_exact_proves_how_far_a_mapping_of_few_cores_is(self):
        tiny = assign("wafer.die_columns=1", "wafer.die_rows=1", "wafer.core_columns=3", "wafer.core_rows=2",
                      "wafer.core.crossbars=32", "model.config=tiny.json")
        self.write("tiny.json", '{"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 128, '
                   '"intermediate_size": 256, "num_attention_heads": 1, "num_key_value_heads": 1, '
                   '"vocab_size": 256}')
        said = self.map_ok(*tiny, *OPTIMISED, "--exact", "60")
        self.assertIn("the mapping is 0.00 % above the proven optimum", said)


if __name__ == "__main__":
    unittest.main()
