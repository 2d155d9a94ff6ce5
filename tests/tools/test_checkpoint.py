"""A run that is stopped, killed and restarted gives the result of one that is not.

OUROBOROS_KILLS says how often the test of kills kills (default 4).
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import h5py
from ouroboros_program import MODEL, MPIEXEC, PROGRAM, ProgramTest, assign, errors

BUSY = 'lengths = "fixed"\nprompt_tokens = 100\noutput_tokens = 60\nrequests = {}\n'
SMALL_KV = assign("wafer.core.crossbar_rows=256", "serving.admission_threshold=0")  # preempts
STOPPED = 4
EXPERTS = {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
LENGTHS = "quantity,from,to,weight\nprompt,20,40,1\noutput,5,20,1\n"


def ranks_of(mpirun):
    """Process ids of the ranks that an mpirun started here."""
    ranks = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rsplit(")", 1)
        except (OSError, ValueError):
            continue
        if int(rest.split()[1]) == mpirun.pid and name.endswith("(ouroboros"):
            ranks.append(int(stat.parent.name))
    return sorted(ranks)


class Checkpoint(ProgramTest):
    def start(self, *arguments, ranks=1):
        command = [PROGRAM, *arguments] if ranks == 1 else [MPIEXEC, "-n", str(ranks), PROGRAM, *arguments]
        process = subprocess.Popen(command, cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def restart(self, checkpoint, *arguments, ranks=1):
        result = self.call("run", "--restart", checkpoint, *arguments, ranks=ranks)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def wait_for(self, name, process):
        for _ in range(2000):
            if (self.path / name).exists() or process.poll() is not None:
                return
            time.sleep(0.01)

    def refusal(self, *arguments, ranks=1):
        result = self.call(*arguments, ranks=ranks)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(errors(result)), 1, result.stderr)
        return errors(result)[0]

    def test_restarts_on_other_ranks_and_of_a_restarted_run_end_the_same(self):
        self.experiment(BUSY.format(16))
        for fidelity in ("packet", "stage"):
            for ranks in ((1, 3, 2), (3, 2, 4), (4, 1, 3)):
                with self.subTest(fidelity=fidelity, ranks=ranks):
                    settings = [*SMALL_KV, *assign(f"wafer.noc.fidelity={fidelity}")]
                    self.run_ok("a.h5", "--force", *settings, "--checkpoint-at", "0.5 ms", ranks=ranks[0])
                    self.restart("a.h5.checkpoint", "--out", "b.h5", "--force", "--checkpoint-at", "1 ms",
                                 *assign("engine.synchronizer=null-message"), ranks=ranks[1])
                    self.restart("b.h5.checkpoint", "--out", "c.h5", "--force",
                                 *assign("partition.method=rectangles"), ranks=ranks[2])
                    self.expect_equal("a.h5", "b.h5")
                    self.expect_equal("a.h5", "c.h5")
                    with h5py.File(self.path / "c.h5") as result:
                        self.assertGreater(result["requests/preemptions"][()].sum(), 0)
                        self.assertGreaterEqual(result["engine"].attrs["restarted_at_ps"], 900_000_000)
                        self.assertLess(result["engine/events"][()].sum(), result.attrs["events"])

    def test_restarts_flit_by_flit(self):
        self.experiment('lengths = "fixed"\nprompt_tokens = 20\noutput_tokens = 4\nrequests = 4\n')
        flit = assign("wafer.noc.fidelity=flit", "wafer.noc.multicast=unicast")
        self.run_ok("a.h5", *flit, "--checkpoint-at", "0.01 ms", ranks=2)
        self.restart("a.h5.checkpoint", "--out", "b.h5", ranks=3)
        self.expect_equal("a.h5", "b.h5")
        with h5py.File(self.path / "b.h5") as result:
            self.assertLess(result["engine/events"][()].sum(), result.attrs["events"])
            flits, waited = result["links/flits"][()], result["links/waited_ps"][()]
            self.assertTrue((waited[flits == 0] == 0).all())
            self.assertGreater(waited.sum(), 0)

    def test_a_checkpoint_is_the_same_whatever_the_ranks(self):
        self.experiment(BUSY.format(16))
        self.run_ok("one.h5", "--checkpoint-at", "0.5 ms")
        self.run_ok("three.h5", "--checkpoint-at", "0.5 ms", ranks=3)
        one, three = ((self.path / f"{name}.h5.checkpoint").read_bytes() for name in ("one", "three"))
        self.assertEqual(one, three)

    def test_a_run_that_is_over_before_the_time_of_its_checkpoint_says_so(self):
        self.experiment(BUSY.format(2))
        for ranks in (1, 2):
            result = self.run_ok("a.h5", "--force", "--checkpoint-at", "1 s", ranks=ranks)
            self.assertEqual(result.stderr.count("the run was over before that time"), 1)
            self.assertFalse((self.path / "a.h5.checkpoint").exists())
        result = self.run_ok("a.h5", "--force", "--checkpoint-at", "0.1 ms")
        self.assertNotIn("was over", result.stderr)

    def test_a_traced_workload_goes_on_where_it_was_if_the_trace_is_the_same(self):
        rows = "".join(f"{i * 0.00005:.6f},{20 + i % 7},{3 + i % 5}\n" for i in range(30))
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n" + rows)
        self.experiment('lengths = "trace"\narrivals = "traced"\ntrace_file = "trace.csv"\nrequests = 0\n')
        self.run_ok("a.h5", "--checkpoint-at", "0.7 ms")
        self.restart("a.h5.checkpoint", "--out", "b.h5", ranks=2)
        self.expect_equal("a.h5", "b.h5")
        self.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n" + rows.replace(",20,", ",21,"))
        self.assertRegex(self.refusal("run", "--restart", "a.h5.checkpoint", "--out", "c.h5"),
                         "workload.trace_file 'trace.csv' is not what it was when the run began")

    def test_no_file_that_the_configuration_names_may_have_changed(self):
        weights = "block,expert,weight\n" + "".join(f"{block},{expert},1\n" for block in range(3) for expert in range(4))
        self.write("small.json", json.dumps(MODEL | EXPERTS))
        self.write("weights.csv", weights)
        self.write("lengths.csv", LENGTHS)
        self.experiment('lengths = "histogram"\nhistogram = "lengths.csv"\nrequests = 3\n')
        self.run_ok("a.h5", "--checkpoint-at", "0.1 ms", *assign("model.expert_weights=weights.csv"))
        restart = ("run", "--restart", "a.h5.checkpoint", "--out", "b.h5", "--force")
        for key, name, right, wrong in (("model.expert_weights", "weights.csv", weights, weights.replace("0,0,1", "0,0,2")),
                                        ("workload.histogram", "lengths.csv", LENGTHS, LENGTHS + "# a comment\n")):
            with self.subTest(key=key):
                self.write(name, wrong)
                self.assertRegex(self.refusal(*restart), f"{key} '{name}' is not what it was when the run began")
                self.write(name, right)
        self.restart("a.h5.checkpoint", "--out", "b.h5", ranks=2)
        self.expect_equal("a.h5", "b.h5")

    def test_signals_ask_for_checkpoints_and_stop_the_run(self):
        self.experiment(BUSY.format(400))
        self.run_ok("whole.h5")
        for number, ranks in ((signal.SIGUSR1, 2), (signal.SIGUSR2, 2), (signal.SIGTERM, 1)):
            with self.subTest(signal=number):
                name = f"{number.name}.h5"
                process = self.start("run", "small.toml", "--out", name, *assign("output.flush_interval=20 us"),
                                     ranks=ranks)
                self.wait_for(f"{name}.part", process)
                time.sleep(0.3)
                process.send_signal(number)
                _, said = process.communicate(timeout=100)
                if number == signal.SIGUSR1:
                    self.assertEqual(process.returncode, 0, said)
                else:
                    self.assertEqual(process.returncode, STOPPED, said)
                    self.assertFalse((self.path / name).exists())
                    self.assertRegex(said, rf"wrote {name}.checkpoint at \S+ ms of simulated time; stopped")
                self.restart(f"{name}.checkpoint", "--force", ranks=2)  # its result has the same name
                self.expect_equal("whole.h5", name)

    def kill_a_rank(self, mpirun, name, chance, delay, in_writing):
        """After a delay from the first checkpoint on, and, if so wanted, as soon as the next one is being written.

        Returns whether there was a rank to kill.
        """
        self.wait_for(f"{name}.checkpoint", mpirun)
        time.sleep(delay)
        ranks = ranks_of(mpirun)
        part = self.path / f"{name}.checkpoint.part"
        while in_writing and not part.exists() and mpirun.poll() is None:
            pass
        if not ranks or mpirun.poll() is not None:
            return False
        os.kill(chance.choice(ranks), signal.SIGKILL)
        return True

    def test_kill_of_a_rank_at_any_moment_leaves_a_checkpoint_to_go_on_from(self):
        chance = random.Random(8)
        self.experiment(BUSY.format(40))
        # every stop writes one
        often = ["--checkpoint-every", "0.0001", *assign("output.flush_interval=20 us")]
        begin = time.monotonic()
        self.run_ok("whole.h5", *often, ranks=3)
        longest = 0.7 * (time.monotonic() - begin)
        kills = int(os.environ.get("OUROBOROS_KILLS", "4"))
        killed = 0
        for number in range(kills):
            with self.subTest(number=number):
                name = f"{number}.h5"
                process = self.start("run", "small.toml", "--out", name, *often, ranks=3)
                was_killed = self.kill_a_rank(process, name, chance, chance.uniform(0, longest), number % 2 == 0)
                process.communicate(timeout=100)
                self.assertEqual(process.returncode != 0, was_killed)
                killed += was_killed
                self.restart(f"{name}.checkpoint", "--force", "--checkpoint-every", "0", ranks=chance.choice((1, 2, 4)))
                self.expect_equal("whole.h5", name)
        self.assertGreaterEqual(2 * killed, kills, "most runs were over before they could be killed")
        print(f"killed {killed} of {kills} runs")

    def test_what_is_no_whole_checkpoint_of_this_program_is_refused_in_a_sentence(self):
        self.experiment(BUSY.format(4))
        self.run_ok("a.h5", "--checkpoint-at", "0.1 ms")
        whole = (self.path / "a.h5.checkpoint").read_bytes()
        middle = len(whole) // 2
        version = (8, 9)
        cases = [
            (whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1:], "is damaged"),
            (whole[:middle], rf"is cut off: it has {middle} of {len(whole)} bytes"),
            (whole[:version[0]] + b"\x07" + whole[version[1]:], "is a checkpoint of format 7; this program reads"),
            ((self.path / "a.h5").read_bytes(), "is not a checkpoint"),
            (b"", "is not a checkpoint"),
        ]
        for content, sentence in cases:
            for ranks in (1, 2):
                with self.subTest(sentence=sentence, ranks=ranks):
                    (self.path / "b.h5.checkpoint").write_bytes(content)
                    self.assertRegex(self.refusal("run", "--restart", "b.h5.checkpoint", ranks=ranks), sentence)
        self.assertFalse((self.path / "b.h5").exists())
        self.assertRegex(self.refusal("run", "--restart", "none.checkpoint", "--out", "c.h5"), "there is no such file")

    def test_what_does_not_go_with_a_restart_is_refused(self):
        self.experiment(BUSY.format(4))
        self.run_ok("a.h5", "--checkpoint-at", "0.1 ms")
        restart = ("run", "--restart", "a.h5.checkpoint", "--out", "b.h5")
        self.assertRegex(self.refusal(*restart, "--set", "wafer.clock=2 GHz"), "wafer.clock=2 GHz.*keeps what it")
        self.assertRegex(self.refusal(*restart, "small.toml"), "small.toml.*leave the file out")
        self.assertRegex(self.refusal(*restart, "--checkpoint-at", "1 us"), "the run stands at .*a later time")
        self.assertRegex(self.refusal("run", "--restart", "a.h5.checkpoint"), "a.h5.*already exists.*--force")
        (self.path / "a.h5").unlink()
        self.assertRegex(self.refusal("run", "small.toml", "--out", "a.h5"), "an earlier run has left its checkpoint")
        self.assertRegex(self.refusal("run", "small.toml", "--checkpoint-every=-1", "--out", "c.h5"), "--checkpoint-ev")
        self.run_ok("a.h5", "--force")
        self.assertFalse((self.path / "a.h5.checkpoint").exists())

    def test_a_run_goes_on_where_a_checkpoint_cannot_be_written(self):
        self.experiment(BUSY.format(16))
        self.run_ok("whole.h5")
        for place, reason in ((lambda part: part.symlink_to("/dev/full"), "No space left on device"),
                              (lambda part: part.mkdir(), "Is a directory")):
            for ranks in (1, 3):
                with self.subTest(reason=reason, ranks=ranks):
                    self.run_ok("a.h5", "--force", "--checkpoint-at", "0.1 ms")
                    earlier = (self.path / "a.h5.checkpoint").read_bytes()
                    (self.path / "a.h5").unlink()
                    place(self.path / "a.h5.checkpoint.part")
                    result = self.call("run", "--restart", "a.h5.checkpoint", "--checkpoint-at", "0.5 ms", ranks=ranks)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertRegex(errors(result)[0], f"{reason}; the run goes on without this checkpoint")
                    self.assertEqual((self.path / "a.h5.checkpoint").read_bytes(), earlier)
                    self.expect_equal("whole.h5", "a.h5")
                    part = self.path / "a.h5.checkpoint.part"
                    if part.is_dir():
                        part.rmdir()

    def test_the_last_two_are_kept(self):
        self.experiment(BUSY.format(16))
        self.run_ok("a.h5", "--checkpoint-every", "0.0001", *assign("output.flush_interval=50 us"))
        self.assertEqual({path.name for path in self.path.glob("a.h5.*")}, {"a.h5.checkpoint", "a.h5.checkpoint.old"})
        for checkpoint in ("a.h5.checkpoint", "a.h5.checkpoint.old"):
            self.restart(checkpoint, "--out", "b.h5", "--force", "--checkpoint-every", "0")
            self.expect_equal("a.h5", "b.h5")


if __name__ == "__main__":
    unittest.main()
