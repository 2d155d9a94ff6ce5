#!/usr/bin/python3
"""Times an experiment on one rank and on two, with both synchronizers, with and without promises.

    . tools/environment; tests/bench/scaling.py [--repeats 3] [--ranks 2] jobs/llama13b.toml [--set KEY=VALUE ...]

The ways are interleaved, so that a slow minute of the machine meets them all. Prints the median of each, its
ratio to one rank, and the median of the ratios within a round.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile

import h5py

PROGRAM = pathlib.Path(__file__).parents[2] / "build/release/ouroboros"


def run(experiment, assignments, ranks, out):
    command = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    command += [str(PROGRAM), "run", experiment, "--out", out, "--force"]
    for assignment in assignments:
        command += ["--set", assignment]
    subprocess.run(command, check=True, capture_output=True)
    with h5py.File(out) as result:
        engine = result["engine"]
        waiting = engine["waiting_s"][:].mean() / engine.attrs["wall_s"]
        return {"wall": engine.attrs["wall_s"], "digest": result.attrs["digest"], "waiting": waiting,
                "windows": engine["windows"][:].max(), "messages": engine["messages_sent"][:].sum()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    arguments = parser.parse_args()

    ways = [(1, "null-message", "promises")]
    ways += [(arguments.ranks, synchronizer, lookahead) for lookahead in ("promises", "link")
             for synchronizer in ("null-message", "window")]
    rounds = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(arguments.repeats):
            for way in ways:
                ranks, synchronizer, lookahead = way
                how = [f"engine.synchronizer={synchronizer}", f"engine.lookahead={lookahead}"]
                rounds[way].append(run(arguments.experiment, arguments.assignments + how, ranks,
                                       f"{directory}/out.h5"))
    digests = {result["digest"] for results in rounds.values() for result in results}
    print(f"{arguments.experiment}, {arguments.repeats} rounds, digest {', '.join(digests)}")
    for way in ways:
        walls = [result["wall"] for result in rounds[way]]
        ratios = [alone["wall"] / result["wall"] for alone, result in zip(rounds[ways[0]], rounds[way])]
        last = rounds[way][-1]
        print(f"{way[0]} ranks  {way[1]:12}  {way[2]:8}  {statistics.median(walls):8.2f} s "
              f"({min(walls):.2f}-{max(walls):.2f})  {statistics.median(ratios):5.2f} x one rank  "
              f"waiting {100 * last['waiting']:2.0f} %  {last['windows']} windows  {last['messages']} messages")


if __name__ == "__main__":
    main()
