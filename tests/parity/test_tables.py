"""Tables of labels in every form that torch.save may have given them, against the values that pandas and numpy were given: frames of
the installed pandas, of others (tests/data/io/pandas), series, matrices, lists and dicts."""
import json
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import load_file

FRAMES = Path(__file__).parent.parent / "data" / "io" / "pandas"
NAN = float("nan")


def table(probe, path, tmp_path):
    """(rows, {column: [values]})."""
    names = json.loads(probe("labels", path, tmp_path / "out.safetensors").stdout)
    values = load_file(tmp_path / "out.safetensors")["values"]
    assert values.shape == (len(names["rows"]), len(names["columns"]))
    return names["rows"], dict(zip(names["columns"], values.T.tolist()))


def saved(probe, content, tmp_path, **options):
    torch.save(content, tmp_path / "labels.pt", **options)
    return table(probe, tmp_path / "labels.pt", tmp_path)


def assert_table(found, rows, columns):
    assert found[0] == rows and list(found[1]) == list(columns)
    for name, values in columns.items():
        assert np.array_equal(found[1][name], np.float32(values), equal_nan=True), name


@pytest.mark.parametrize("version", ["0.25", "1.1", "1.5", "2.0", "3.1"])
def test_frames_of_other_versions_of_pandas(probe, tmp_path, version):
    columns = {"Male": [1, -1, 1], "Young": [1, 0, 1], "score": [0.5, NAN, 2], "mixed": [1, NAN, -1], "Bald": [-1, 1, -1], "Hat": [1, -1, 1]}
    if version > "1":
        columns["known"] = [1, NAN, -1]
    names = ["12", "7", "person é"]
    assert_table(table(probe, FRAMES / f"frame_{version}.pt", tmp_path), names, columns)
    assert_table(table(probe, FRAMES / f"numbered_{version}.pt", tmp_path), ["5", "7", "9"], {n: columns[n] for n in ("Male", "Bald")})
    assert_table(table(probe, FRAMES / f"series_{version}.pt", tmp_path), names, {"Male": columns["Male"]})


INDICES = {"texts": ["a", "b", "c"], "numbers": [4, 2, 9], "reals": [1.5, 2.0, 3.0], "none": None}


def names_of(index):
    return ["0", "1", "2"] if index is None else [f"{i:.15g}" if isinstance(i, float) else str(i) for i in index]


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "uint16", "uint32", "uint64", "float64", "float32", "float16", "bool", "object",
                                   "Int64", "boolean", "Float32", "category", str])
def test_labels_of_every_type(probe, tmp_path, dtype):
    frame = pandas.DataFrame({"Male": [1, 0, 1], "Young": [0, 1, 1]}).astype(dtype)
    assert_table(saved(probe, frame, tmp_path), names_of(None), {"Male": [1, 0, 1], "Young": [0, 1, 1]})


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("protocol", [2, 5])
def test_rows_of_frames_and_series(probe, tmp_path, index, protocol):
    frame = pandas.DataFrame({"Male": [1, -1, 1], "Young": [-1, 1, 1]}, index=INDICES[index])
    for content, columns in ((frame, ["Male", "Young"]), (frame["Male"], ["Male"])):
        found = saved(probe, content, tmp_path, pickle_protocol=protocol)
        assert_table(found, names_of(INDICES[index]), {name: frame[name].tolist() for name in columns})


def test_texts_of_pandas_3(probe, tmp_path):
    with pandas.option_context("future.infer_string", True):
        frame = pandas.DataFrame({"Male": [1, -1, 1], "note": ["x", "y", "z"]}, index=["a", "b", "c"])
    assert_table(saved(probe, frame, tmp_path), ["a", "b", "c"], {"Male": [1, -1, 1]})


def test_missing_labels_and_cells_that_are_numpy_scalars(probe, tmp_path):
    frame = pandas.DataFrame({"a": [np.int64(1), None, np.float32(-1)], "b": [pandas.NA, np.bool_(True), torch.tensor(-1)],
                              "c": ["1", " -1", ""]}, dtype=object)
    assert_table(saved(probe, frame, tmp_path), ["0", "1", "2"], {"a": [1, NAN, -1], "b": [NAN, 1, -1], "c": [1, -1, NAN]})


def test_the_files_of_a_frame_name_its_rows(probe, tmp_path):
    """The release's notebooks: its table's `file` is the number in the name of a model's folder."""
    frame = pandas.DataFrame({"file": [10, 7, 8], "Male": [1, -1, 1]})
    assert_table(saved(probe, frame, tmp_path), ["10", "7", "8"], {"Male": [1, -1, 1]})
    assert_table(saved(probe, frame.assign(file=["10", "x", "y"]), tmp_path), ["10", "x", "y"], {"Male": [1, -1, 1]})
    frame.index = ["p", "q", "r"]
    assert_table(saved(probe, frame, tmp_path), ["p", "q", "r"], {"Male": [1, -1, 1]})
    same = pandas.DataFrame({"file": [1, -1, 1], "Male": [1, -1, 1]})
    assert_table(saved(probe, same, tmp_path), ["0", "1", "2"], {"file": [1, -1, 1], "Male": [1, -1, 1]})


MATRIX = [[1, -1], [-1, 1], [1, 1]]
A, B = [1, -1, 1], [-1, 1, 1]


@pytest.mark.parametrize("content, rows, columns", [
    (torch.tensor(A), None, {"label": A}),
    (torch.tensor(A, dtype=torch.bfloat16), None, {"label": A}),
    (torch.tensor(MATRIX), None, {"label_0": A, "label_1": B}),
    (torch.tensor([A, B]).t(), None, {"label_0": A, "label_1": B}),
    (np.array(A), None, {"label": A}),
    (np.array(MATRIX, order="F", dtype="float16"), None, {"label_0": A, "label_1": B}),
    (np.array(A, dtype=object), None, {"label": A}),
    (A, None, {"label": A}),
    ([np.int64(x) for x in A], None, {"label": A}),
    ([torch.tensor(x) for x in A], None, {"label": A}),
    ([True, False, None], None, {"label": [1, 0, NAN]}),
    (MATRIX, None, {"label_0": A, "label_1": B}),
    ([torch.tensor(row) for row in MATRIX], None, {"label_0": A, "label_1": B}),
    ([{"a": x, "b": y} for x, y in MATRIX], None, {"a": A, "b": B}),
    ({"a": A, "b": torch.tensor(B)}, None, {"a": A, "b": B}),
    ({"a": np.array(A), "b": pandas.Series(B)}, None, {"a": A, "b": B}),
    ({"dog": 1, "cat": -1, 7: 1}, ["dog", "cat", "7"], {"label": A}),
    ({"x": {"a": 1, "b": -1}, "y": {"b": 1, "a": -1}, "z": {"a": 1, "b": 1}}, ["x", "y", "z"], {"a": A, "b": B}),
    (pandas.DataFrame({"a": A, "b": B}, index=["x", "y", "z"]).to_dict(), ["x", "y", "z"], {"a": A, "b": B}),
    ({"file": ["x", "y", "z"], "a": A}, ["x", "y", "z"], {"a": A}),
])
def test_tables_without_pandas(probe, tmp_path, content, rows, columns):
    assert_table(saved(probe, content, tmp_path), rows or ["0", "1", "2"], columns)


@pytest.mark.parametrize("content, message", [
    ({"a": A, "b": [1, 2]}, "columns have different lengths"),
    ([[1, 2], [1]], "rows have different lengths"),
    ({"a": (1, [2, 3])}, "expected a pandas.core.frame.DataFrame"),
    (torch.zeros(2, 2, 2), "expected a pandas.core.frame.DataFrame"),
    (["a", "b"], "no column holds numbers"),
    (pandas.DataFrame({"a": [[1], [2]]}), "no column holds numbers"),
    (torch.zeros(2, 20000), "expected a pandas.core.frame.DataFrame"),
    (pandas.DataFrame(np.ones((2, 2)), columns=pandas.MultiIndex.from_product([["a"], ["x", "y"]])), "MultiIndex"),
])
def test_what_is_no_table_of_labels(probe, tmp_path, content, message):
    torch.save(content, tmp_path / "labels.pt")
    assert message in probe("labels", tmp_path / "labels.pt", tmp_path / "out", code=3).stderr


def test_numpy_within_torch_files(probe, tmp_path):
    """Scalars, arrays and texts of numpy are what they say."""
    content = {"int": np.int32(-7), "float": np.float16(0.5), "bool": np.bool_(True), "text": np.str_("é人😀"), "texts": np.array(["a", "bb"]),
               "bytes": np.array([b"a", b"bb"]), "object": np.array([[1, "x"], [None, 2]], order="F", dtype=object)}
    for protocol in (2, 5):
        torch.save(content, tmp_path / "x.pt", pickle_protocol=protocol)
        found = dict(json.loads(probe("value", tmp_path / "x.pt").stdout)["dict"])
        assert found == {"int": -7, "float": 0.5, "bool": True, "text": "é人😀", "texts": ["a", "bb"], "bytes": ["a", "bb"],
                         "object": [[1, "x"], [None, 2]]}
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(6, dtype="int16").reshape(3, 2, order="F"), "c": np.ones((), "float32")}
    torch.save(arrays, tmp_path / "x.pt")
    probe("tensors", tmp_path / "x.pt", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert found.keys() == arrays.keys()
    for name, tensor in found.items():
        assert np.array_equal(tensor.numpy(), arrays[name]) and tensor.numpy().dtype == arrays[name].dtype
