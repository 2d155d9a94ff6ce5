"""docs/results.md and the files that the program writes have the same datasets and attributes."""

import pathlib
import re
import unittest

import h5py
from ouroboros_program import MODEL, ProgramTest, assign

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results.md"
NAMES = re.compile(r"`([\w/]+)`")
SIZES = {"C": 72, "B": MODEL["num_hidden_layers"], "D": 6, "N": 2}  # others are lengths of lists
TYPES = {"text": "S", "int64": "i8", "int32": "i4", "uint64": "u8", "uint8": "u1", "float64": "f8"}
ONLY_PACKET = {"cores/crossbars_busy_ps", "cores/sfu_busy_ps", "cores/macs", "cores/energy_fj", "cores/kv_blocks_peak",
               "links/port_names", "links/flits", "links/waited_ps", "timeline/link_flits", "kv/collisions",
               "packets/created_ps", "packets/from", "packets/to", "packets/flits"}
OF_ENCODERS = {"kv/encoder_pages_used"}  # the model of these tests has none


class Section:
    """The tables below one heading."""

    def __init__(self, text):
        self.heading = text.split("\n", 1)[0]
        groups = re.findall(r"/(\w+)", self.heading)
        self.group = groups[0] if groups else ""
        self.datasets = {}    # path: (type and shape, unit)
        self.attributes = {}  # path: type
        kind = None
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if cells and cells[0] in ("dataset", "attribute"):
                kind = cells[0]
            elif not cells:
                kind = None
            elif kind == "dataset" and not cells[0].startswith("---"):
                paths = self.paths(cells[0])
                units = cells[2].split(", ") if cells[2].count(",") == len(paths) - 1 else [cells[2]] * len(paths)
                self.datasets |= {path: (cells[1], unit) for path, unit in zip(paths, units, strict=True)}
            elif kind == "attribute" and not cells[0].startswith("---"):
                self.attributes |= dict.fromkeys(self.paths(cells[0]), cells[1])

    def paths(self, cell):
        paths = []
        for name in NAMES.findall(cell):
            if name.startswith("/"):
                self.group = name.split("/")[1]
            paths.append(name.strip("/") if name.startswith("/") else f"{self.group}/{name}".strip("/"))
        return paths


def sections():
    of_run, of_noc, of_failures = Section(""), Section(""), Section("")
    for text in PAGE.read_text().split("\n## ")[1:]:
        section = Section(text)
        into = of_noc if section.heading.startswith("Of `ouroboros noc`") else of_run
        into = of_failures if section.heading.startswith("/failures") else into
        if section.heading.startswith(("/experts", "Of `ouroboros map`", "Of `ouroboros run --record`")):
            continue  # the model of these tests is dense; a mapping and a recording are other files
        into.datasets |= {path: what for path, what in section.datasets.items() if path not in OF_ENCODERS}
        into.attributes |= section.attributes
    return of_run, of_noc, of_failures


class ResultsPage(ProgramTest):
    def setUp(self):
        super().setUp()
        self.of_run, self.of_noc, self.of_failures = sections()
        self.experiment('lengths = "fixed"\nprompt_tokens = 9\noutput_tokens = 4\nrequests = 3\n')

    def expect_page(self, file, datasets, attributes, sizes):
        found_datasets, found_attributes = {}, {name: value for name, value in file.attrs.items()}

        def visit(path, item):
            if isinstance(item, h5py.Dataset):
                found_datasets[path] = item
            else:
                found_attributes.update({f"{path}/{name}": value for name, value in item.attrs.items()})

        file.visititems(visit)
        self.assertEqual(set(found_datasets), set(datasets))
        for path, (kind, unit) in datasets.items():
            kind, shape = kind.split(", ", 1)
            dataset = found_datasets[path]
            self.assertEqual(dataset.attrs["unit"], unit, path)
            self.assertEqual(dataset.dtype.kind if kind == "text" else dataset.dtype.str[1:], TYPES[kind], path)
            self.assertTrue(self.fits(dataset.shape, shape, sizes), f"{path}: {dataset.shape} is not {shape}")
        windows = [name for name in found_attributes if name.endswith("_window_ps")]
        for name in windows:
            self.assertIn(name.removesuffix("_window_ps"), found_datasets)
            del found_attributes[name]
        self.assertEqual(set(found_attributes), {name for name in attributes if not name.endswith("_window_ps")})
        for name, value in found_attributes.items():
            kind = {str: "text"}.get(type(value)) or value.dtype.name
            self.assertEqual(kind, attributes[name], name)

    @staticmethod
    def fits(shape, said, sizes):
        if said == "single":
            return shape == ()
        lengths = re.sub(r"(\d) ([A-Z])", r"\1 * \2", said).split(" x ")
        if len(lengths) != len(shape):
            return False
        known = [eval(length, {}, sizes) if set(re.findall("[A-Z]", length)) <= set(sizes) else None
                 for length in lengths if length != "packets"] or [None]
        return all(length in (None, extent) for length, extent in zip(known, shape, strict=True))

    def test_a_run_has_what_the_page_says(self):
        self.run_ok("run.h5", *assign("output.record_packets_until=1 s"), ranks=2)
        with h5py.File(self.path / "run.h5") as file:
            sizes = SIZES | {"R": 3, "T": len(file["tokens/number"]), "K": len(file["packets/from"])}
            self.expect_page(file, self.of_run.datasets, self.of_run.attributes, sizes)

    def test_a_run_with_failures_has_what_the_page_says(self):
        self.run_ok("run.h5", *assign("wafer.faults.runtime.cores=2", "wafer.faults.runtime.until=20 us",
                                      "output.record_packets_until=1 s"), ranks=2)
        with h5py.File(self.path / "run.h5") as file:
            self.expect_page(file, self.of_run.datasets | self.of_failures.datasets,
                             self.of_run.attributes | self.of_failures.attributes,
                             SIZES | {"R": 3, "F": 2, "T": len(file["tokens/number"]),
                                      "K": len(file["packets/from"])})

    def test_a_run_at_fidelity_stage_lacks_what_the_page_says(self):
        self.run_ok("run.h5", *assign("wafer.noc.fidelity=stage"), ranks=2)
        datasets = {path: said for path, said in self.of_run.datasets.items() if path not in ONLY_PACKET}
        with h5py.File(self.path / "run.h5") as file:
            self.expect_page(file, datasets, self.of_run.attributes, SIZES | {"R": 3})

    def test_a_study_of_the_network_has_what_the_page_says(self):
        self.write("mesh.toml", "[wafer]\ndie_columns = 3\ndie_rows = 2\ncore_columns = 3\ncore_rows = 4\n")
        self.write("trace.csv", "packet,t_create,src,dst,size_flits\n0,0,0,5,4\n")
        trace = assign("traffic.load=trace", "traffic.trace_file=trace.csv")
        for out, arguments in (("rates.h5", ("--rates", "0.01,0.02")), ("trace.h5", trace)):
            self.assertEqual(self.call("noc", "mesh.toml", "--out", out, *arguments).returncode, 0)
            datasets = {path: said for path, said in self.of_noc.datasets.items()
                        if out == "trace.h5" or not path.startswith("packets/")}
            with h5py.File(self.path / out) as file:
                self.expect_page(file, datasets | {"configuration/resolved_toml": ("text, single", "1")},
                                 self.of_noc.attributes, SIZES | {"S": 2 if out == "rates.h5" else 1})


if __name__ == "__main__":
    unittest.main()
