"""Prints all of a results file as another reader, h5py, sees it: a line for each attribute and dataset."""

import sys

import h5py


def value(dataset):
    if h5py.check_string_dtype(dataset.dtype):
        dataset = dataset.asstr()
    values = dataset[()]
    return values.tolist() if hasattr(values, "tolist") else values


def show(name, item):
    for key in sorted(item.attrs):
        print(f"{name}@{key} = {item.attrs[key]!r}")
    if isinstance(item, h5py.Dataset):
        shape = "x".join(map(str, item.shape)) or "scalar"
        kind = "text" if h5py.check_string_dtype(item.dtype) else item.dtype
        print(f"{name} {shape} {kind} {value(item)!r}")


with h5py.File(sys.argv[1], "r") as results:
    show("/", results)
    results.visititems(lambda name, item: show("/" + name, item))
