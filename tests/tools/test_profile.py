"""What a run says of itself: where its wall time went, and what limits it."""

import unittest

import h5py
from ouroboros_program import ProgramTest, assign

FIXED = 'lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 10\nrequests = 4\n'


class Profile(ProgramTest):
    def test_a_line_for_each_rank_and_a_sentence(self):
        self.experiment(FIXED)
        for ranks in (1, 3):
            output = self.run_ok(f"{ranks}.h5", "--profile", ranks=ranks).stdout.splitlines()
            header = next(i for i, line in enumerate(output) if line.split()[:2] == ["rank", "events"])
            rows = [line.split() for line in output[header + 1:header + 1 + ranks]]
            self.assertEqual([int(row[0]) for row in rows], list(range(ranks)))
            with h5py.File(self.path / f"{ranks}.h5") as result:
                engine = result["engine"]
                self.assertEqual([int(row[1]) for row in rows], list(engine["events"][()]))
                for name in ("events_s", "waiting_s", "packing_s", "promising_s"):
                    self.assertEqual(engine[name].attrs["unit"], "s")
                    self.assertTrue((engine[name][()] <= engine.attrs["wall_s"]).all(), name)
                messages, promises = engine["messages_sent"][()], engine["promises_sent"][()]
                self.assertTrue((promises <= messages).all())
                self.assertEqual((messages > 0).all(), ranks > 1)
                self.assertTrue((engine["promise_slack_ps"][()] >= 0).all())
                self.check_bound(engine, ranks)
            self.assertRegex(output[header + 1 + ranks], r"promises an event; events take \d+ % of the ranks' time;")
        self.assertIn("waits for nobody", self.run_ok("1.h5", "--profile", "--force").stdout)

    def check_bound(self, engine, ranks):
        """In each window the busiest rank has at least an equal share, and at most all."""
        events, busiest = engine["events"][()], engine["busiest_events"][()]
        if ranks == 1:
            self.assertEqual(list(busiest), [0])
            return
        self.assertEqual(len(set(busiest)), 1)
        self.assertGreaterEqual(int(busiest[0]), int(events.max()))
        self.assertLess(int(busiest[0]), int(events.sum()))

    def test_without_the_option_there_is_none(self):
        self.experiment(FIXED)
        self.assertNotIn("waiting s", self.run_ok("plain.h5").stdout)

    def test_promises_make_fewer_and_longer_windows(self):
        self.experiment(FIXED)
        windows = {}
        for lookahead in ("promises", "link"):
            self.run_ok(f"{lookahead}.h5", *assign("engine.synchronizer=window", f"engine.lookahead={lookahead}"),
                        ranks=2)
            with h5py.File(self.path / f"{lookahead}.h5") as result:
                windows[lookahead] = int(result["engine/windows"][0])
        self.assertLess(2 * windows["promises"], windows["link"])
        self.assertEqual(self.call("diff", "promises.h5", "link.h5").returncode, 0)


if __name__ == "__main__":
    unittest.main()
