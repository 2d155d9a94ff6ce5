"""Compares `ouroboros noc` with what BookSim2 did on the same work, and prints a table of the differences.

usage: validate_noc.py REFERENCE_DIRECTORY [--tables packet,causes,recorded,zero_load,stream,trace,batch,curves,saturation] [--part N/M]

The directory holds noc_zero_load.csv, noc_stream.csv, noc_trace_packets.csv, noc_trace_results.csv,
noc_batch.csv, booksim_mesh.csv and booksim_mesh_dies.csv. OUROBOROS names the program; default:
build/release/ouroboros. --part 1/10 takes every tenth row of the tables with many rows, from the first on.
"""

import argparse
import collections
import csv
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py

PROGRAM = os.environ.get("OUROBOROS", "build/release/ouroboros")
# routing latency, speculative switch allocation, crossbar latency
ROUTERS = {"P5": (1, False, 1), "P4": (0, False, 1), "P3": (0, True, 1), "S1": (0, True, 0)}
PATTERNS = {"bitcomp": "bit-complement"}


def rows_of(directory, name):
    with open(directory / name, newline="") as file:
        return list(csv.DictReader(file))


class Network:
    """Runs `ouroboros noc` on a mesh, in a directory that goes away."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.directory.name)

    def run(self, mesh, router, vcs, buffer, traffic, rates=(), fidelity="flit"):
        """mesh: columns and rows, columns and rows of a die or 0, and the latency of a link between dies."""
        columns, rows, die_x, die_y, die_latency = mesh
        die_x, die_y = die_x or columns, die_y or rows
        routing, speculative, crossbar = ROUTERS[router]
        lines = ["[wafer]", f"die_columns = {columns // die_x}", f"die_rows = {rows // die_y}",
                 f"core_columns = {die_x}", f"core_rows = {die_y}", "[wafer.noc]",
                 f'fidelity = "{fidelity}"', f"virtual_channels = {vcs}", f"buffer_flits = {buffer}",
                 f'routing_latency = "{routing} cycles"', f"speculative_switch = {str(speculative).lower()}",
                 f'crossbar_latency = "{crossbar} cycles"', f'die_crossing_latency = "{die_latency - 1} cycles"',
                 "[traffic]"]
        lines += [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
                  for key, value in traffic.items()]
        (self.path / "study.toml").write_text("\n".join(lines) + "\n")
        command = [PROGRAM, "noc", "study.toml", "--out", "study.h5", "--force"]
        if rates:
            command += ["--rates", ",".join(f"{rate:f}" for rate in rates)]
        result = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"{result.stderr}\n{' '.join(command)} failed")
        with h5py.File(self.path / "study.h5") as file:
            found = {name: file["noc"][name][:] for name in file["noc"] if name != "link_flits"}
            if "packets" in file:
                found["arrived"] = dict(zip(file["packets/number"][:], file["packets/arrived"][:]))
        return found

    def run_trace(self, mesh, router, vcs, buffer, packets, fidelity="flit"):
        """packets: (number, created, source, destination, flits)."""
        with open(self.path / "trace.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["packet", "t_create", "src", "dst", "size_flits"])
            writer.writerows(packets)
        return self.run(mesh, router, vcs, buffer, {"load": "trace", "trace_file": "trace.csv"}, fidelity=fidelity)


class Table:
    """Relative differences of one kind, by router; those of samples with the half-width of their 95 % interval."""

    def __init__(self, title, limit):
        self.title, self.limit = title, limit
        self.differences = collections.defaultdict(list)

    def add(self, router, ours, theirs, what, spread=0.0):
        self.differences[router].append((ours / theirs - 1, what, ours, theirs, spread))

    def print(self):
        print(f"{self.title}, limit {100 * self.limit:g} %")
        for router, found in sorted(self.differences.items()):
            worst = max(found, key=lambda row: abs(row[0]))
            beyond = sum(abs(row[0]) > self.limit for row in found)
            certain = sum(abs(row[0]) > self.limit + row[4] for row in found)
            exact = sum(row[0] == 0 for row in found)
            mean = sum(abs(row[0]) for row in found) / len(found)
            print(f"  {router}: {len(found)} rows, {exact} exact, {beyond} beyond, {certain} by more than chance; mean |difference| {100 * mean:.3f} %, "
                  f"worst {100 * worst[0]:+.3f} % ({worst[1]}: {worst[2]:g} against {worst[3]:g})", flush=True)
            if os.environ.get("ALL_BEYOND"):
                for row in found:
                    if abs(row[0]) > self.limit:
                        print(f"    {100 * row[0]:+.3f} % (chance {100 * row[4]:.2f} %) {row[1]}: {row[2]:g} against {row[3]:g}")


def part_of(rows, part):
    number, parts = part
    return rows[number - 1::parts]


def zero_load(directory, network, part):
    """One run for each router and buffer: lone packets along a row, far apart in time."""
    table = Table("Zero load: latency of a lone packet", 0)
    rows = [row for row in rows_of(directory, "noc_zero_load.csv") if row["router"] in ROUTERS]
    for (router, buffer), group in itertools.groupby(rows, key=lambda row: (row["router"], row["vc_buf_size"])):
        group = list(group)
        hops = max(int(row["link_hops"]) for row in group)
        packets = [(i, 10_000 * i, 0, int(row["link_hops"]), int(row["packet_size"])) for i, row in enumerate(group)]
        found = network.run_trace((hops + 1, 1, 0, 0, 1), router, 4, int(buffer), packets)
        for (i, created, *_), row in zip(packets, group):
            table.add(router, int(found["arrived"][i]) - created, int(row["packet_latency"]),
                      f"{row['link_hops']} hops, {row['packet_size']} flits, buffer {buffer}")
    return [table]


def stream(directory, network, part):
    """Many packets at once from one core to another."""
    table = Table("Streams: arrival of the last flit", 0)
    for row in rows_of(directory, "noc_stream.csv"):
        if row["router"] not in ROUTERS:
            continue
        hops, crossings, packets = int(row["link_hops"]), int(row["die_crossings"]), int(row["packets"])
        mesh = (hops + 1, 1, (hops + 1) // (crossings + 1) if crossings else 0, 1, int(row["die_link_latency"]))
        found = network.run_trace(mesh, row["router"], int(row["num_vcs"]), int(row["vc_buf_size"]),
                                  [(i, 0, 0, hops, int(row["packet_size"])) for i in range(packets)])
        table.add(row["router"], int(found["completion"][0]), int(row["last_tail_eject"]),
                  f"{row['num_vcs']} VCs x {row['vc_buf_size']}, {row['packet_size']} flits, crossing of "
                  f"{row['die_link_latency']}")
    return [table]


def traces(directory, network, part):
    packets = collections.defaultdict(list)
    meshes = {}
    for row in rows_of(directory, "noc_trace_packets.csv"):
        packets[row["scenario"]].append([int(row[key]) for key in ("packet", "t_create", "src", "dst", "size_flits")])
        meshes[row["scenario"]] = int(row["kx"]), int(row["ky"])
    completion = Table("Traces: arrival of the last flit", 0.02)
    latency = Table("Traces: mean latency", 0.02)
    each = Table("Traces: latency of each packet", 0.02)
    eject = {}
    for row in rows_of(directory, "noc_trace_results.csv"):
        key = tuple(row[k] for k in ("scenario", "die_x", "die_y", "die_link_latency", "router", "num_vcs", "vc_buf_size"))
        eject[(*key, int(row["packet"]))] = int(row["tail_eject"])
    for row in part_of([row for row in rows_of(directory, "noc_trace_summary.csv") if row["router"] in ROUTERS], part):
        scenario, router = row["scenario"], row["router"]
        mesh = (*meshes[scenario], int(row["die_x"]), int(row["die_y"]), int(row["die_link_latency"]))
        found = network.run_trace(mesh, router, int(row["num_vcs"]), int(row["vc_buf_size"]), packets[scenario])
        what = f"{scenario}, {row['num_vcs']} VCs x {row['vc_buf_size']}, crossing {row['die_link_latency']}"
        completion.add(router, int(found["completion"][0]), int(row["last_eject"]), what)
        latency.add(router, float(found["mean_latency"][0]), float(row["mean_packet_latency"]), what)
        key = tuple(row[k] for k in ("scenario", "die_x", "die_y", "die_link_latency", "router", "num_vcs", "vc_buf_size"))
        for number, created, *_ in packets[scenario]:
            each.add(router, int(found["arrived"][number]) - created, eject[(*key, number)] - created, f"{what}, packet {number}")
    return [completion, latency, each]


def batch(directory, network, part):
    completion = Table("Deterministic batches: completion", 0.02)
    latency = Table("Deterministic batches: mean latency", 0.02)
    rows = [row for row in rows_of(directory, "noc_batch.csv")
            if row["deterministic"] == "1" and row["max_outstanding"] == "0" and row["router"] in ROUTERS]
    for row in part_of(rows, part):
        k, flits, count = int(row["k"]), int(row["packet_size"]), int(row["packets_per_node"])
        mesh = (k, k, 0, 0, 1)
        if row["traffic"] == "all_to_one":
            packets = [(core * count + i, i, core, (k // 2 - 1) * (k + 1), flits) for core in range(k * k) for i in range(count)]
            found = network.run_trace(mesh, row["router"], int(row["num_vcs"]), int(row["vc_buf_size"]), packets)
        else:
            pattern = PATTERNS.get(row["traffic"], row["traffic"])
            found = network.run(mesh, row["router"], int(row["num_vcs"]), int(row["vc_buf_size"]),
                                {"load": "batch", "pattern": pattern, "packet_flits": flits, "packets_per_core": count})
        what = f"{row['traffic']} {k}x{k}, {count} packets of {flits}, {row['num_vcs']} VCs x {row['vc_buf_size']}"
        # BookSim2 counts the cycles of the run, the last packet's arrival included
        completion.add(row["router"], int(found["completion"][0]) + 1, int(row["completion_cycles"]), what)
        latency.add(row["router"], float(found["mean_latency"][0]), float(row["avg_packet_latency"]), what)
    return [completion, latency]


def curve_groups(directory):
    keys = ("kx", "ky", "die_x", "die_y", "die_link_latency", "router", "traffic", "packet_size_flits", "num_vcs",
            "vc_buf_flits")
    rows = rows_of(directory, "booksim_mesh.csv") + rows_of(directory, "booksim_mesh_dies.csv")
    groups = collections.defaultdict(list)
    for row in rows:
        if row["router"] in ROUTERS:
            groups[tuple(row[key] for key in keys)].append(row)
    return groups


def open_loop(network, key, rates, measure, fidelity="flit"):
    kx, ky, die_x, die_y, die_latency, router, traffic, flits, vcs, buffer = key
    mesh = tuple(int(value) for value in (kx, ky, die_x, die_y, die_latency))
    return network.run(mesh, router, int(vcs), int(buffer),
                       {"load": "open-loop", "pattern": PATTERNS.get(traffic, traffic), "packet_flits": int(flits),
                        "warmup": "5000 cycles", "measure": f"{measure} cycles", "drain_limit": "50000 cycles"}, rates,
                       fidelity)


def precise_latencies(network, key, rates):
    """Mean latency, its relative confidence and the number of packets for each rate; where the confidence is above
    0.5 %, from a longer study."""
    measure = 1_600_000 // (int(key[0]) * int(key[1]))
    found = open_loop(network, key, rates, measure)
    results = []
    for rate, mean, confidence, packets in zip(rates, *(found[name] for name in ("mean_latency", "confidence", "packets"))):
        spread = confidence / mean
        if spread > 0.005:
            longer = int(min(40, 1 + (spread / 0.004) ** 2) * measure)
            again = open_loop(network, key, [rate], min(longer, 1_000_000))
            mean, spread = again["mean_latency"][0], again["confidence"][0] / again["mean_latency"][0]
            packets = again["packets"][0]
        results.append((float(mean), float(spread), int(packets)))
    return results


def curves(directory, network, part):
    """Points below 80 % of saturation, and the accepted rate at an offered rate of 1."""
    latency = Table("Open loop: mean latency up to 80 % of saturation", 0.02)
    accepted = Table("Open loop: accepted rate at offered rate 1", 0.03)
    for key, rows in part_of(sorted(curve_groups(directory).items()), part):
        saturation = float(rows[0]["saturation_rate"])
        below = [row for row in rows if row["stable"] == "1" and row["point"] != "over"
                 and float(row["injection_rate"]) <= 0.8001 * saturation]
        rates = [float(row["injection_rate"]) for row in below]
        what = " ".join(key)
        if rates:
            for row, (mean, spread, packets) in zip(below, precise_latencies(network, key, rates)):
                # BookSim2 measured fewer packets, whose mean is as much less certain
                theirs = spread * (packets / int(row["packets_measured"])) ** 0.5
                latency.add(key[5], mean, float(row["mean_packet_latency"]), f"{what} at {row['injection_rate']}",
                            (spread ** 2 + theirs ** 2) ** 0.5)
        over = [row for row in rows if row["point"] == "over"]
        if over:
            found = network.run(tuple(int(value) for value in key[:5]), key[5], int(key[8]), int(key[9]),
                                {"load": "open-loop", "pattern": PATTERNS.get(key[6], key[6]), "packet_flits": int(key[7]),
                                 "warmup": "5000 cycles", "measure": "20000 cycles", "drain_limit": "0 cycles"}, [1.0])
            accepted.add(key[5], float(found["accepted_rate"][0]), float(over[0]["accepted_rate"]), what)
    return [latency, accepted]


def saturation(directory, network, part):
    """The rate at which the mean latency is three times that of an idle network, by bisection. The record has an
    interval, too: half of it counts as chance."""
    table = Table("Open loop: saturation rate", 0.03)
    for key, rows in part_of(sorted(curve_groups(directory).items()), part):
        theirs, *ends = (float(rows[0][f"saturation_{name}"]) for name in ("rate", "low", "high"))
        measure = 3_200_000 // (int(key[0]) * int(key[1]))
        idle = float(open_loop(network, key, [0.005], 5 * measure)["mean_latency"][0])
        low, high = 0.85 * min(ends), min(1.15 * max(ends), 1.0)
        while high - low > 0.005 * theirs:
            middle = (low + high) / 2
            found = open_loop(network, key, [middle], measure)
            above = not found["settled"][0] or found["mean_latency"][0] > 3 * idle
            low, high = (low, middle) if above else (middle, high)
        table.add(key[5], (low + high) / 2, theirs, " ".join(key), abs(ends[1] - ends[0]) / 2 / theirs)
    return [table]


# columns, rows, of a die; link latency between dies; pattern; rate at which flit saturates, about
PACKET_CASES = (((8, 8, 8, 8, 1), "uniform", 0.42), ((8, 8, 4, 4, 1), "uniform", 0.42), ((8, 8, 8, 8, 1), "transpose", 0.15),
                ((8, 8, 8, 8, 1), "tornado", 0.28), ((16, 16, 8, 8, 1), "hotspot", 0.10),
                ((26, 34, 13, 17, 5), "uniform", 0.10), ((26, 34, 13, 17, 5), "tornado", 0.065),
                ((26, 34, 13, 17, 5), "bit-complement", 0.055))


def packet(directory, network, part):
    """Packet fidelity against flit: printed as rows of a Markdown table."""
    print("| mesh | dies | traffic | flits | latency difference at 20, 40, 60 % | batch of 16 a core: completion |")
    print("| --- | --- | --- | --- | --- | --- |")
    for mesh, pattern, saturation in part_of(PACKET_CASES, part):
        for flits in (1, 4, 16):
            rates = [saturation * share for share in (0.2, 0.4, 0.6)]
            loads = {"load": "open-loop", "pattern": pattern, "packet_flits": flits, "warmup": "2000 cycles",
                     "measure": f"{800_000 // (mesh[0] * mesh[1]) + 2000} cycles", "drain_limit": "20000 cycles"}
            batch_of_16 = {"load": "batch", "pattern": pattern, "packet_flits": flits, "packets_per_core": 16}
            latency, completion = {}, {}
            for fidelity in ("flit", "packet"):
                latency[fidelity] = network.run(mesh, "S1", 4, 16, loads, rates, fidelity)["mean_latency"]
                completion[fidelity] = network.run(mesh, "S1", 4, 16, batch_of_16, fidelity=fidelity)["completion"][0]
            differences = ", ".join(f"{100 * (a / b - 1):+.1f} %" for a, b in zip(latency["packet"], latency["flit"]))
            print(f"| {mesh[0]} x {mesh[1]} | {mesh[2]} x {mesh[3]} | {pattern} | {flits} | {differences} "
                  f"| {100 * (completion['packet'] / completion['flit'] - 1):+.1f} % |", flush=True)
    return []


# name, workload, window of recorded packets
RECORDED_CASES = (("a prompt, 32 tokens at a time", {"requests": 1, "prompt_tokens": 200, "output_tokens": 1, "prefill_window": 32}, (400, 450)),
                  ("prompts fill the pipeline", {"requests": 2, "prompt_tokens": 400, "output_tokens": 1}, (400, 450)),
                  ("16 sequences decode", {"requests": 16, "prompt_tokens": 16, "output_tokens": 16}, (2000, 2100)),
                  ("64 sequences decode", {"requests": 64, "prompt_tokens": 16, "output_tokens": 16}, (3500, 3550)))


def replay(network, fidelity, **settings):
    """What run.h5 has recorded, sent again."""
    settings |= {"fidelity": fidelity}
    command = [PROGRAM, "noc", "llama.toml", "--out", "study.h5", "--force", "--set", "traffic.load=trace", "--set", "traffic.trace_file=run.h5"]
    command += [word for key, value in settings.items() for word in ("--set", f"wafer.noc.{key}={value}")]
    subprocess.run(command, cwd=network.path, check=True, capture_output=True)
    with h5py.File(network.path / "study.h5") as file:
        found = {name: float(file["noc"][name][0]) for name in ("mean_latency", "p99_latency", "completion")}
        found["busiest"] = file["noc/link_flits"][:].max() / found["completion"]
    return found


def recorded(directory, network, part):
    """What LLaMA-13B sends on the default wafer, at both fidelities: printed as rows of a Markdown table."""
    print("| traffic of LLaMA-13B | packets | mean flits | busiest link | mean latency, flit | mean latency, packet | p99 latency | last arrival "
          "| flit with buffers of 255 flits: mean latency | p99 latency |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, workload, (begin, end) in part_of(RECORDED_CASES, part):
        settings = {f"{'serving' if key == 'prefill_window' else 'workload'}.{key}": value for key, value in workload.items()}
        settings |= {"model.name": "llama-13b", "workload.lengths": "fixed", "output.record_packets_from": f"{begin} us",
                     "output.record_packets_until": f"{end} us"}
        (network.path / "llama.toml").write_text("")
        command = [PROGRAM, "run", "llama.toml", "--out", "run.h5", "--force"]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        subprocess.run(command, cwd=network.path, check=True, capture_output=True)
        with h5py.File(network.path / "run.h5") as file:
            flits = file["packets/flits"][:]
        found = {fidelity: replay(network, fidelity) for fidelity in ("flit", "packet")}
        busiest = found["flit"].pop("busiest")
        found["deep"] = replay(network, "flit", buffer_flits=255)
        by, deep = ({key: 100 * (found[what][key] / found["flit"][key] - 1) for key in found["flit"]} for what in ("packet", "deep"))
        print(f"| {name} | {len(flits)} | {flits.mean():.1f} | {100 * busiest:.0f} % | {found['flit']['mean_latency']:.2f} cycles | {by['mean_latency']:+.2f} % "
              f"| {by['p99_latency']:+.2f} % | {by['completion']:+.2f} % | {deep['mean_latency']:+.2f} % | {deep['p99_latency']:+.2f} % |", flush=True)
    return []


# virtual channels and flits of a buffer: the usual router; one that has room for all; one whose packets cannot overtake each other
ROUTERS_WITH_ROOM = ((4, 16), (12, 255), (1, 255))


def causes(directory, network, part):
    """What of the difference of packet fidelity from flit is left if the routers of flit have more room, or let no packets share a
    link: printed as rows of a Markdown table."""
    print("| mesh | traffic | flits | " + " | ".join(f"{vcs} x {buffer}" for vcs, buffer in ROUTERS_WITH_ROOM) + " | packet |")
    print("| --- " * (4 + len(ROUTERS_WITH_ROOM)) + "|")
    for mesh, pattern, saturation in part_of([PACKET_CASES[i] for i in (0, 3, 6)], part):
        for flits in (1, 16):
            loads = {"load": "open-loop", "pattern": pattern, "packet_flits": flits, "warmup": "2000 cycles",
                     "measure": f"{800_000 // (mesh[0] * mesh[1]) + 2000} cycles", "drain_limit": "20000 cycles"}
            batch_of_16 = {"load": "batch", "pattern": pattern, "packet_flits": flits, "packets_per_core": 16}
            cells = []
            for fidelity, vcs, buffer in [("flit", *router) for router in ROUTERS_WITH_ROOM] + [("packet", 4, 16)]:
                latency = network.run(mesh, "S1", vcs, buffer, loads, [0.6 * saturation], fidelity)["mean_latency"][0]
                completion = network.run(mesh, "S1", vcs, buffer, batch_of_16, fidelity=fidelity)["completion"][0]
                cells.append(f"{latency:.1f}, {completion}")
            print(f"| {mesh[0]} x {mesh[1]} | {pattern} | {flits} | {' | '.join(cells)} |", flush=True)
    return []


TABLES = {"packet": packet, "causes": causes, "recorded": recorded, "zero_load": zero_load, "stream": stream, "trace": traces,
          "batch": batch, "curves": curves, "saturation": saturation}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--part", default="1/1")
    arguments = parser.parse_args()
    global PROGRAM
    PROGRAM = str(pathlib.Path(PROGRAM).resolve())
    part = tuple(int(number) for number in arguments.part.split("/"))
    network = Network()
    for name in arguments.tables.split(","):
        for table in TABLES[name](arguments.directory, network, part):
            table.print()


if __name__ == "__main__":
    main()
