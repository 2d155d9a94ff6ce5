"""`project` predicts how long a run would take on more ranks, from what the run measured of itself."""

import re
import unittest

from ouroboros_program import ProgramTest, assign, errors

FIXED = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 4\n'
CLUSTER = ("--latency", "1.5us", "--bandwidth", "12GB/s")
ROW = re.compile(r" *(\d+) +(\S+) +(\d+\.\d\d) +(\S+) % +(\S+)  (\S.*)")


class Project(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(FIXED)

    def project(self, *arguments):
        result = self.call("project", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def rows(self, said):
        """{ranks: (wall seconds, speed-up)} of the table."""
        found = [match.groups() for match in map(ROW.fullmatch, said.splitlines()) if match]
        return {int(row[0]): (float(row[1]), float(row[2])) for row in found}

    def test_a_row_for_each_number_of_ranks(self):
        self.run_ok("two.h5", ranks=2)
        for settings in ((), ("--synchronizer", "window"), ("--lookahead", "link"),
                         assign("workload.requests=1", "partition.method=rectangles")):
            with self.subTest(settings):
                said = self.project("two.h5", "--ranks", "1,2,3,6", *CLUSTER, *settings)
                rows = self.rows(said)
                self.assertEqual(list(rows), [1, 2, 3, 6], said)
                self.assertEqual(rows[1][1], 1.00)
                for ranks, (wall, speed_up) in rows.items():
                    self.assertLessEqual(speed_up, ranks)
                    self.assertAlmostEqual(speed_up, rows[1][0] / wall, delta=0.006)  # two places are printed
                self.assertNotIn("assumed", said)

    def test_a_run_on_one_rank_says_what_is_assumed(self):
        self.run_ok("one.h5")
        said = self.project("one.h5", "--ranks", "1,2", *CLUSTER)
        self.assertEqual(list(self.rows(said)), [1, 2], said)
        self.assertIn("assumed", said)

    def test_a_slower_network_gives_no_faster_run(self):
        self.run_ok("one.h5")
        walls = [self.rows(self.project("one.h5", "--ranks", "3", "--latency", latency, "--bandwidth", "1 GB/s"))
                 for latency in ("0 us", "10 us", "1 ms")]
        self.assertEqual(walls, sorted(walls, key=lambda rows: rows[3][0]))
        self.assertLess(walls[1][3][0], walls[2][3][0])

    def test_what_is_wrong_is_refused_in_one_sentence(self):
        self.run_ok("one.h5")
        right = {"--ranks": "1,2", "--latency": "1us", "--bandwidth": "1GB/s"}
        for option, value, text in (
            ("--ranks", "1,512", "512 ranks are more than the 6 dies that can be shared out"),
            ("--ranks", "1,,2", "--ranks: '' is not a number of ranks"),
            ("--ranks", "1,two", "--ranks: 'two' is not a number of ranks"),
            ("--ranks", "0", "--ranks: '0' is not a number of ranks"),
            ("--ranks", "2.5", "--ranks: '2.5' is not a number of ranks"),
            ("--ranks", "99999999999", "--ranks: '99999999999' is not a number of ranks"),
            ("--latency", "1", "--latency: '1' has no unit"),
            ("--latency", "1 GB/s", "--latency: '1 GB/s' has unit 'GB/s'"),
            ("--bandwidth", "12 GB", "--bandwidth: '12 GB' has unit 'GB'"),
            ("--bandwidth", "0 GB/s", "--bandwidth: '0 GB/s' carries nothing"),
            ("--synchronizer", "windows", "engine.synchronizer"),
            ("--lookahead", "none", "engine.lookahead"),
            ("--set", "workload.request=1", "did you mean 'workload.requests'?"),
        ):
            with self.subTest(f"{option} {value}"):
                arguments = [word for pair in (right | {option: value}).items() for word in pair]
                self.expect_refusal("one.h5", *arguments, text=text)
        arguments = [word for pair in right.items() for word in pair]
        self.expect_refusal("none.h5", *arguments, text="there is no such file")
        self.expect_refusal("small.json", *arguments, text="is not an HDF5 file")

    def expect_refusal(self, *arguments, text):
        result = self.call("project", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(errors(result)), 1, result.stderr)
        self.assertIn(text, errors(result)[0])

    def test_a_run_that_this_program_does_not_repeat_is_refused(self):
        self.run_ok("one.h5")
        model = self.path / "small.json"
        model.write_text(model.read_text().replace('"intermediate_size": 1024', '"intermediate_size": 512'))
        result = self.call("project", "one.h5", "--ranks", "1", *CLUSTER)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("does not repeat the run that made it", errors(result)[0])


if __name__ == "__main__":
    unittest.main()
