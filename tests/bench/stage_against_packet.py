#!/usr/bin/python3
"""Runs an experiment at fidelity `packet` and at `stage`, and prints a row of how they differ for each case.

    OUROBOROS=build/release/ouroboros tests/bench/stage_against_packet.py jobs/llama13b.toml [--set KEY=VALUE]...

A case is "main", the experiment as it is with what --set says, or with --cases a few small workloads.
"""

import argparse
import os
import pathlib
import re
import subprocess
import tempfile

import h5py
import numpy as np

def fixed(requests, prompt, output):
    return ["lengths=fixed", f"requests={requests}", f"prompt_tokens={prompt}", f"output_tokens={output}"]


CASES = {
    "1 sequence decodes, context 1-200": fixed(1, 1, 200),
    "4 sequences decode 40 tokens each": fixed(4, 1, 40),
    "16 sequences decode 40 tokens each": fixed(16, 1, 40),
    "64 sequences decode 20 tokens each": fixed(64, 1, 20),
    "128 sequences decode 20 tokens each": fixed(128, 1, 20),
    "256 sequences decode 20 tokens each": fixed(256, 1, 20),
    "a prompt of 500 tokens": fixed(1, 500, 1),
    "8 prompts of 200 tokens": fixed(8, 200, 1),
    "8 of 100 and 50 tokens": fixed(8, 100, 50),
    "8 of 400 and 40 tokens": fixed(8, 400, 40),
    "8 requests, seed 2": ["requests=8", "seed=2"],
    "16 requests, seed 3": ["requests=16", "seed=3"],
}


def run(experiment, fidelity, assignments):
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "result.h5"
        command = [os.environ["OUROBOROS"], "run", experiment, "--out", str(out)]
        for assignment in [*assignments, f"wafer.noc.fidelity={fidelity}"]:
            command += ["--set", assignment]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        with h5py.File(out) as result:
            requests = {name: result[f"requests/{name}"][()].astype(float)
                        for name in ("arrival_ps", "first_token_ps", "done_ps", "output_tokens")}
            several = requests["output_tokens"] > 1
            outputs = (requests["done_ps"] - requests["first_token_ps"])[several] / (
                requests["output_tokens"][several] - 1)
            return {
                "makespan": float(result.attrs["makespan_ps"]),
                "TTFT": np.mean(requests["first_token_ps"] - requests["arrival_ps"]),
                "TPOT": np.mean(outputs) if several.any() else np.nan,
                "dynamic": float(result["energy/dynamic_fj"][()].sum()),
                "counts": result["energy/counts"][()].tolist(),
                "energy": float(result["energy/dynamic_fj"][()].sum()) * 1e-15 + float(result["energy/static_j"][0]),
                "speed": int(re.search(r"(\d+) simulated tokens/s", text)[1]),
            }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("experiment")
    arguments.add_argument("--set", action="append", default=[])
    arguments.add_argument("--cases", action="store_true")
    arguments.add_argument("--only", default="", help="cases whose names contain this")
    options = arguments.parse_args()
    cases = {"as it is": options.set}
    if options.cases:
        cases = {name: options.set + [f"workload.{a}" for a in case] for name, case in CASES.items()
                 if options.only in name}
    print("| workload | throughput | makespan | TTFT, mean | TPOT, mean | energy | counts by component | tokens/s: packet, stage |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, assignments in cases.items():
        packet, stage = (run(options.experiment, fidelity, assignments) for fidelity in ("packet", "stage"))

        def differ(key):
            return "" if np.isnan(packet[key]) else f"{100 * (stage[key] / packet[key] - 1):+.2f} %"

        throughput = 100 * (packet["makespan"] / stage["makespan"] - 1)
        counts = "equal" if packet["counts"] == stage["counts"] else "differ"
        print(f"| {name} | {throughput:+.2f} % | {differ('makespan')} | {differ('TTFT')} | {differ('TPOT')} "
              f"| {differ('energy')} | {counts} | {packet['speed']}, {stage['speed']} |", flush=True)


if __name__ == "__main__":
    main()
