#!/usr/bin/python3
"""Prints how KV policies compare: static KV, and dynamic KV at admission thresholds from 0 to 30 %.

    PATH=$PWD/build/release:$PATH jobs/kv_policies.py [FILE.toml] [--set KEY=VALUE]...

Runs `ouroboros run` once for each row of the table; results stay in results/kv_*.h5.
"""

import pathlib
import subprocess
import sys

import h5py

POLICIES = [("static", ["serving.kv=static"])] + [
    (f"dynamic {percent} %", [f"serving.admission_threshold={percent / 100}"]) for percent in (0, 5, 10, 20, 30)]
COLUMNS = "policy", "output tok/s", "mJ a token", "TTFT p50 ms", "running", "tokens held", "unused", "evicted", "recomputed"


def row(name, path):
    with h5py.File(path) as result:
        makespan_s = result.attrs["makespan_ps"] * 1e-12
        outputs = result.attrs["output_tokens"]
        joules = result["energy/dynamic_fj"][()].sum() * 1e-15 + result["energy/static_j"][0]
        requests, kv = result["requests"], result["kv"]
        ttft = sorted(requests["first_token_ps"][()] - requests["arrival_ps"][()])
        return (name, f"{outputs / makespan_s:.0f}", f"{1e3 * joules / outputs:.2f}",
                f"{ttft[len(ttft) // 2] * 1e-9:.1f}", result["timeline/sequences_running"][()].max(),
                kv["tokens_held"][()].max(), kv["tokens_unused"][()].max(), requests["preemptions"][()].sum(),
                requests["recomputed_tokens"][()].sum())


def main():
    arguments = sys.argv[1:]
    experiment = "jobs/kv.toml" if not arguments or arguments[0].startswith("--") else arguments.pop(0)
    pathlib.Path("results").mkdir(exist_ok=True)
    rows = [COLUMNS]
    for name, settings in POLICIES:
        path = f"results/kv_{name.replace(' %', '').replace(' ', '_')}.h5"
        command = ["ouroboros", "run", experiment, "--out", path, "--force", *arguments]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows.append(row(name, path))
    for cells in rows:
        print(f"{cells[0]:<14}" + "".join(f"{cell!s:>13}" for cell in cells[1:]))


if __name__ == "__main__":
    main()
