"""Result files of Ouroboros in notebooks: tables as NumPy record arrays, and the standard plots.

Needs h5py, NumPy and, to plot, Matplotlib. Put this folder into PYTHONPATH, then `import ouroboros_results`.
"""

import itertools

import h5py
import numpy as np

CATEGORICAL = ("#e8e8e8", "#0072b2", "#f0e442", "#56b4e9", "#d55e00", "#e69f00", "#cc79a7", "#009e73")  # of roles


class Run:
    """One result, open for reading; use it in a `with` or call close()."""

    def __init__(self, path):
        self.path = str(path)
        self.file = h5py.File(path)
        if self.file.attrs.get("schema") != "ouroboros-results":
            self.file.close()
            raise ValueError(f"{path}: is not a results file of Ouroboros")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()

    @property
    def complete(self):
        """False for the file that a killed run left."""
        return bool(self.file.attrs.get("complete", 0))

    def attributes(self, group="/"):
        return dict(self.file[group].attrs)

    def read(self, path):
        """A dataset as an array; texts as str."""
        dataset = self.file[path]
        return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]

    def unit(self, path):
        return self.file[path].attrs["unit"]

    def table(self, group):
        """The datasets of a group that have as many rows as its first one of numbers, as one record array."""
        columns = {name: data for name, data in self.file[group].items()
                   if isinstance(data, h5py.Dataset) and data.shape and not h5py.check_string_dtype(data.dtype)}
        if not columns:
            raise KeyError(f"{self.path}: group '{group}' has no columns of numbers")
        rows = len(next(iter(columns.values())))
        columns = {name: data[()] for name, data in columns.items() if len(data) == rows}
        records = np.empty(rows, [(name, data.dtype, data.shape[1:]) for name, data in columns.items()])
        for name, data in columns.items():
            records[name] = data
        return records.view(np.recarray)

    def timeline(self, path):
        """Begin of each window in seconds, and the values."""
        group, name = path.strip("/").rsplit("/", 1)
        values = self.read(path)
        return np.arange(len(values)) * self.file[group].attrs[f"{name}_window_ps"] * 1e-12, values

    def map(self, values):
        """An array with a value for each core, as map[y, x] from the north-west core."""
        cores = self.file["cores"].attrs
        return np.asarray(values).reshape(cores["rows"], cores["columns"])

    def core_energy_j(self):
        """Dynamic joules of each core, with the links that leave its router."""
        return self.read("cores/energy_fj").sum(axis=1) * 1e-15

    def passages_ns(self):
        """Mean times of recorded tokens at each station: on the way to it, at work there, and waiting there."""
        table = self.table("passages")
        table = table[np.lexsort((table.station, table.number))]
        follows = np.r_[False, table.number[1:] == table.number[:-1]]
        begin = np.where(follows, np.r_[0, table.launched_ps[:-1]], table.entered_ps)
        parts = {"way": table.gathered_ps - begin, "work": table.ready_ps - table.gathered_ps,
                 "wait": table.launched_ps - table.ready_ps}
        tokens = np.bincount(table.station)
        return {name: np.bincount(table.station, values) / tokens * 1e-3 for name, values in parts.items()}

    def latencies_ms(self, kind="ttft"):
        """Of each request: "ttft" (of those with an output), "tpot" (two or more), "latency" or "queued"."""
        requests = self.table("requests")
        if kind == "tpot":
            requests = requests[requests.output_tokens > 1]
            return (requests.done_ps - requests.first_token_ps) / (requests.output_tokens - 1) * 1e-9
        if kind == "ttft":
            requests = requests[requests.output_tokens > 0]
        end = {"ttft": "first_token_ps", "latency": "done_ps", "queued": "admitted_ps"}[kind]
        return (requests[end] - requests.arrival_ps) * 1e-9

    def energy_j(self):
        """Joules by component, with "static"."""
        dynamic = self.read("energy/dynamic_fj").sum(axis=(0, 1)) * 1e-15
        return {"static": float(self.read("energy/static_j")[0])} | dict(
            zip(self.read("energy/component_names"), dynamic.tolist(), strict=True))


def plot_wafer(run, values="role", axes=None, label=""):
    """A map of the wafer: of the roles, the "energy", a dataset of /cores, or an array with a value for each core."""
    axes = axes or _new_axes()
    if isinstance(values, str) and values == "energy":
        values, label = run.core_energy_j() * 1e6, label or "dynamic energy in µJ"
    if isinstance(values, str) and values != "role":
        path = f"cores/{values}"
        values, label = run.read(path), label or f"{values} in {run.unit(path)}"
    if isinstance(values, str):
        from matplotlib.colors import ListedColormap
        names = run.read("cores/role_names")
        image = axes.imshow(run.map(run.read("cores/role")), cmap=ListedColormap(CATEGORICAL[:len(names)]),
                            vmin=-0.5, vmax=len(names) - 0.5)
        axes.figure.colorbar(image, ax=axes, ticks=range(len(names))).ax.set_yticklabels(names)
    else:
        axes.figure.colorbar(axes.imshow(run.map(values), cmap="cividis"), ax=axes, label=label)
    axes.set(xlabel="core column", ylabel="core row")
    return axes


def plot_latency(runs, kind="ttft", axes=None):
    """Which share of the requests is within a latency, for one run or several."""
    axes = axes or _new_axes()
    for run, style in zip(_several(runs), _styles()):
        values = np.sort(run.latencies_ms(kind))
        axes.step(values, np.arange(1, len(values) + 1) / len(values), where="post", label=run.path, **style)
    axes.set(xlabel=f"{kind} in ms", ylabel="share of requests", ylim=(0, 1.02))
    axes.legend()
    return axes


def plot_timeline(runs, path, axes=None):
    """A timeline such as "timeline/tokens_sampled", for one run or several."""
    axes = axes or _new_axes()
    for run, style in zip(_several(runs), _styles()):
        begin, values = run.timeline(path)
        axes.step(begin * 1e3, values.reshape(len(values), -1).sum(axis=1), where="post", label=run.path, **style)
    axes.set(xlabel="simulated time in ms", ylabel=f"{path} in {_several(runs)[0].unit(path)} a window")
    axes.legend()
    return axes


def plot_links(run, axes=None):
    """How busy the links of each die are over time, in flits a link and cycle."""
    axes = axes or _new_axes()
    begin, flits = run.timeline("timeline/link_flits")
    cores = run.file["cores"].attrs
    cycles = run.file["timeline"].attrs["link_flits_window_ps"] / cores["cycle_ps"]
    links = 4 * cores["core_columns_of_die"] * cores["core_rows_of_die"]
    end = (begin[-1] + begin[1]) * 1e3 if len(begin) > 1 else 1
    image = axes.imshow(flits.T / cycles / links, aspect="auto", cmap="cividis", interpolation="nearest",
                        extent=(0, end, flits.shape[1] - 0.5, -0.5))
    axes.figure.colorbar(image, ax=axes, label="flits a link and cycle")
    axes.set(xlabel="simulated time in ms", ylabel="die")
    return axes


def plot_passages(run, axes=None):
    """Where recorded tokens spend their time, along the stations."""
    axes = axes or _new_axes()
    parts = run.passages_ns()
    axes.stackplot(np.arange(len(parts["way"])), *parts.values(), labels=list(parts), step="mid",
                   colors=("#56b4e9", "#009e73", "#d55e00"))
    axes.set(xlabel="station", ylabel="mean time in ns")
    axes.legend()
    return axes


def plot_energy(runs, axes=None):
    """Energy an output token, or a token of an encoder, by component, static beside dynamic, on a logarithmic axis."""
    axes = axes or _new_axes()
    runs = _several(runs)
    for i, run in enumerate(runs):
        energy = run.energy_j()
        tokens = run.file.attrs["output_tokens"] or run.file.attrs["tokens_processed"]
        millijoules = [1e3 * joules / tokens for joules in energy.values()]
        axes.barh(np.arange(len(energy)) + 0.8 * (i / len(runs)), millijoules, 0.8 / len(runs), align="edge",
                  label=run.path, hatch=("", "///", "...", "xxx")[i % 4])
        axes.set_yticks(np.arange(len(energy)) + 0.4, list(energy))
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="mJ an output token")
    axes.legend()
    return axes


def _new_axes():
    import matplotlib.pyplot
    return matplotlib.pyplot.subplots(layout="constrained")[1]


def _several(runs):
    return [runs] if isinstance(runs, Run) else list(runs)


def _styles():
    """Colours that people with any colour vision tell apart, each with its own line, again and again."""
    pairs = zip(("#0072b2", "#d55e00", "#009e73", "#cc79a7"), ("-", "--", ":", "-."))
    return itertools.cycle([{"color": colour, "linestyle": line} for colour, line in pairs])
