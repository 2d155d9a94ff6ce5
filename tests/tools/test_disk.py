"""Disks that are full, cannot be written or go away: one sentence, and what was there before is as it was."""

import hashlib
import pathlib
import shutil
import subprocess
import time
import unittest

from ouroboros_program import PROGRAM, ProgramTest, errors

SHORT = 'lengths = "fixed"\nrequests = 3\nprompt_tokens = 4\noutput_tokens = 3\n'
SECONDS = SHORT.replace("requests = 3", "requests = 8000")  # some seconds long


def can_mount():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


class Disk(ProgramTest):
    def setUp(self):
        super().setUp()
        self.experiment(SHORT)

    def mount(self, options):
        """A disk of its own as directory `disk`."""
        disk = self.path / "disk"
        disk.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        return disk

    def digests(self):
        return {file.relative_to(self.path): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in self.path.rglob("*") if file.is_file()}

    def expect_failure(self, result, *texts):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(errors(result)), 1, result.stderr)
        for text in texts:
            self.assertIn(text, errors(result)[0])

    @unittest.skipUnless(can_mount(), "only root can mount a small disk")
    def test_a_disk_that_fills_up_leaves_what_was_there(self):
        self.run_ok("good.h5")
        size = (self.path / "good.h5").stat().st_size // 1024
        disk = self.mount(f"size={size + 40}k")  # for one result, and less than half of a second
        shutil.copy(self.path / "good.h5", disk)
        before = self.digests()
        for ranks in (1, 2):
            for out in ("disk/good.h5", "disk/other.h5"):
                with self.subTest(f"{out} on {ranks} ranks"):
                    result = self.call("run", "small.toml", "--out", out, "--force", ranks=ranks)
                    self.assertEqual(result.returncode, 2, result.stderr)
                    for sentence in errors(result):  # of each rank that saw it
                        self.assertRegex(sentence, rf"^{out}.part: cannot .*: file write failed, with \d+ bytes left on its disk$")
                    self.assertGreaterEqual(len(errors(result)), 1)
                    left = self.digests()
                    for part in ("disk/good.h5.part", "disk/other.h5.part"):  # what the runs had written
                        left.pop(pathlib.Path(part), None)
                    self.assertEqual(left, before)

    @unittest.skipUnless(can_mount(), "only root can mount a small disk")
    def test_a_sweep_on_a_full_disk_fails_its_runs_and_says_so(self):
        self.mount("size=16k")
        self.write("two.toml", '[sweep]\nexperiment = "small.toml"\n[grid]\nworkload.seed = [1, 2]\n')
        result = self.call("sweep", "two.toml", "--out", "disk/two")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("disk/two", result.stderr)

    @unittest.skipUnless(can_mount(), "only root can mount a disk that cannot be written")
    def test_a_directory_that_cannot_be_written(self):
        self.mount("ro")
        before = self.digests()
        self.expect_failure(self.call("run", "small.toml", "--out", "disk/out.h5"), "disk/out.h5",
                            "cannot be written: Read-only file system")
        self.write("one.toml", '[sweep]\nexperiment = "small.toml"\n[grid]\nworkload.seed = [1]\n')
        self.expect_failure(self.call("sweep", "one.toml", "--out", "disk/one"), "disk/one",
                            "Read-only file system")
        (self.path / "one.toml").unlink()
        self.assertEqual(self.digests(), before)

    def start(self, out):
        self.experiment(SECONDS)
        (self.path / out).parent.mkdir(exist_ok=True)
        process = subprocess.Popen([PROGRAM, "run", "small.toml", "--out", out], cwd=self.path,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            part = self.path / f"{out}.part"
            if part.exists() and part.stat().st_size > 0:
                return process
            time.sleep(0.02)
        self.fail("the run has not begun")

    def finish(self, process):
        out, error = process.communicate(timeout=200)
        return subprocess.CompletedProcess([], process.returncode, out, error)

    def test_an_output_directory_that_goes_away_during_the_run(self):
        process = self.start("sub/out.h5")
        shutil.rmtree(self.path / "sub")
        self.expect_failure(self.finish(process), "sub/out.h5", "there is no directory 'sub'")
        self.assertFalse((self.path / "sub").exists())

    def test_two_runs_at_once_in_one_directory_do_not_touch_each_other(self):
        first = self.start("first.h5")
        third = self.call("run", "small.toml", "--out", "first.h5", "--force")
        second = self.start("second.h5")
        self.expect_failure(third, "first.h5", "another run is writing it")
        for process in (first, second):
            result = self.finish(process)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.call("diff", "first.h5", "second.h5").returncode, 0)
        self.assertEqual(sorted(file.name for file in self.path.iterdir()),
                         ["first.h5", "second.h5", "small.json", "small.toml"])


if __name__ == "__main__":
    unittest.main()
