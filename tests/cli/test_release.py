"""A downloaded release: what `space verify` and `doctor` say of its files, and commands on files in the release's forms."""
import json

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import load_file

from parity.loras import draw_models
from parity.tiny_spaces import TinySpace

MODELS = 30


@pytest.fixture
def released(world, tmp_path):
    """Every file of the release, of a space whose components are orthonormal and whose projections are its own."""
    space = world.space
    basis = torch.linalg.qr(space.components.T.double())[0].T.float().contiguous()
    whole = TinySpace(space.modules, space.mean, space.std, basis, space.projections)
    folder = whole.save_released(tmp_path / "released" / "files")
    (folder / "proj_2pc.pt").unlink()
    frame = pandas.DataFrame({"file": range(100, 100 + MODELS), "Male": [1, -1, -1] * 10, "Young": [1, -1] * 15})
    torch.save(frame, folder / "identity_df.pt")
    torch.save(torch.linalg.pinv(space.projections), folder / "pinverse_20pc.pt")
    return folder


def verify(w2w, *arguments, code=0):
    done = w2w("space", "verify", "released/files", *arguments, "--json", code=code)
    found = json.loads(done.stdout)
    return found, {file["name"]: file for file in found["files"]}


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * share)])


def test_a_whole_release(w2w, world, released):
    found, files = verify(w2w, "-m", world.model)
    assert found["ok"] and all(check["ok"] for check in found["checks"])
    parameters = f"{world.space.mean.numel():,}"
    assert {name: (file["state"], file["size"]) for name, file in files.items() if file["state"] == "ok"} == {
        path.name: ("ok", path.stat().st_size) for path in released.iterdir() if path.name != "pinverse_20pc.pt"}
    assert files["V.pt"]["found"] == f"20 components of {parameters} parameters, f32"
    assert files["proj_20pc.pt"]["found"] == f"{MODELS} models, 20 components, f32"
    assert files["identity_df.pt"]["found"] == f"{MODELS} models, 2 attributes"
    assert "model" in [check["name"] for check in found["checks"]] and found["next"] is None
    text = w2w("space", "verify", "released/files").stdout
    assert text.splitlines()[0].split()[:2] == ["ok", "V.pt"] and "next:" not in text
    assert json.loads(w2w("space", "verify", "released", "--json").stdout)["files"] == found["files"]


def test_a_file_cut_short(w2w, released):
    whole = (released / "V.pt").stat().st_size
    cut(released / "V.pt", 0.4)
    found, files = verify(w2w, code=3)
    assert [name for name, file in files.items() if file["state"] != "ok" and file["needed_for"]] == ["V.pt"]
    assert files["V.pt"]["state"] == "cut" and files["V.pt"]["size"] == int(whole * 0.4)
    assert 0.98 * whole < files["V.pt"]["expected_size"] <= whole  # by what its first bytes declare
    assert found["next"] == "hf download snap-research/weights2weights files/V.pt --force-download --local-dir released"
    done = w2w("space", "verify", "released/files", code=3)
    row = done.stdout.splitlines()[0].split()
    assert row[:2] == ["CUT", "V.pt"] and row[3] == "of" and f"next: {found['next']}" in done.stdout
    assert "1 of 7 checks of the space failed" in done.stderr


@pytest.mark.parametrize("name", ["V.pt", "mean.pt", "std.pt", "proj_20pc.pt", "identity_df.pt", "weight_dimensions.pt"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_wherever_it_is_cut(w2w, released, name, share):
    whole = (released / name).stat().st_size
    cut(released / name, share)
    found, files = verify(w2w, code=3)
    assert files[name]["state"] == "cut" and f"files/{name}" in found["next"]
    assert files[name]["expected_size"] is None or files[name]["size"] < files[name]["expected_size"] <= whole * 1.01
    assert [file["state"] for other, file in files.items() if other != name and file["needed_for"]].count("ok") == 5 - bool(files[name]["needed_for"])


def test_files_that_are_missing(w2w, released):
    for name in ("identity_df.pt", "weight_dimensions.pt", "proj_20pc.pt"):
        (released / name).unlink()
    found, files = verify(w2w)
    assert found["ok"] and [name for name, file in files.items() if file["state"] == "missing"] == [
        "proj_1000pc.pt", "identity_df.pt", "weight_dimensions.pt", "pinverse_1000pc.pt"]
    assert files["proj_1000pc.pt"]["found"] == "needed for sample, edit, nearest"
    assert found["next"] == "hf download snap-research/weights2weights files/proj_1000pc.pt files/identity_df.pt --local-dir released"
    (released / "V.pt").unlink()
    found, files = verify(w2w, code=4)
    assert files["V.pt"]["required"] and found["next"].split()[3] == "files/V.pt"
    assert w2w("space", "verify", "released/files", code=4).stdout.startswith("MISSING V.pt")
    released.rename(released.parent / "my space")
    done = json.loads(w2w("space", "verify", "released/my space", "--json", code=4).stdout)
    assert done["next"].endswith("--local-dir 'released/my space' && mv 'released/my space'/files/* 'released/my space'")


@pytest.mark.parametrize("name, content, says", [
    ("V.pt", torch.zeros(7, 20), "components], as long as mean.pt"),
    ("std.pt", torch.ones(5), "expected "),
    ("identity_df.pt", pandas.DataFrame({"Male": [1, -1]}), f"expected {MODELS} rows, as the coefficients have, found 2"),
    ("weight_dimensions.pt", {"x": (torch.Size([3]), torch.Size([1, 3]))}, "values in all, found 1 of 3"),
])
def test_files_that_do_not_fit_each_other(w2w, released, name, content, says):
    torch.save(content, released / name)
    found, files = verify(w2w, code=3)
    assert files[name]["state"] == "wrong" and says in files[name]["found"]
    (released / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    files = verify(w2w, code=3)[1]
    assert files[name]["state"] == "wrong" and ("Git LFS pointer" in files[name]["found"] or name in ("identity_df.pt", "weight_dimensions.pt"))


def test_another_model(w2w, world, released):
    found, files = verify(w2w, "-m", world.model)
    model = next(check for check in found["checks"] if check["name"] == "model")
    assert model["ok"] and f"{len(world.space.modules)} layers" in model["found"]
    dimensions = torch.load(released / "weight_dimensions.pt", weights_only=True)
    keys = list(dimensions)
    torch.save({k: dimensions[k] for k in keys[1:] + keys[:1]}, released / "weight_dimensions.pt")  # counts in another order
    found, files = verify(w2w, "-m", world.model, code=1)
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["model"]
    assert all(file["state"] == "ok" for file in files.values() if file["needed_for"])


def test_doctor_has_the_same_rows(w2w, world, released):
    cut(released / "proj_20pc.pt", 0.5)
    done = w2w("doctor", "--space", "released/files", "-m", world.model, "--json", code=1)
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not found["proj_20pc.pt"]["ok"] and "cut short" in found["proj_20pc.pt"]["found"]
    assert found["V.pt"]["ok"] and found["pinverse_1000pc.pt"]["ok"]
    assert found["next"]["found"].startswith("hf download snap-research/weights2weights files/proj_20pc.pt")
    lines = w2w("doctor", "--space", "released/files", code=1).stdout.splitlines()
    assert any(line.startswith("-     pinverse_1000pc.pt") for line in lines) and any(line.startswith("WRONG proj_20pc.pt") for line in lines)


def test_what_the_table_of_factors_may_say(w2w, world, released):
    """One that is not understood, or puts the factors into another order by their names, warns; the release's own is silent."""
    def said(content):
        torch.save(content, released / "weight_dimensions.pt")
        return w2w("space", "convert", released, "-m", world.model, "--components", 2, "-o", "space", "--force").stderr
    own = world.space.dimensions()
    assert "warning" not in said(own)
    warned = said({"x": "y"})
    assert "warning" in warned and "weight_dimensions.pt" in warned and "the model gives the same information" in warned
    names = list(own)
    warned = said(dict(zip([*names[2:4], *names[:2], *names[4:]], own.values())))
    assert "warning" in warned and f"'{names[2]}' is in the place of {world.space.modules[0][0]}" in warned


# The weight data sets

@pytest.mark.parametrize("form", [lambda t: t, lambda t: t.double(), lambda t: t.bfloat16(), lambda t: t.T.contiguous().T, torch.nn.Parameter,
                                  lambda t: {"weights": t}, lambda t: t.numpy()],
                         ids=["f32", "f64", "bf16", "columns", "parameter", "dict", "numpy"])
def test_build_from_all_weights(w2w, world, tmp_path, form):
    """all_weights.pt and dog_weights.pt: [models, P]; against the space of the same rows in a safetensors file."""
    from parity.loras import save_matrix
    theta = torch.from_numpy(draw_models(world.space.modules, 12))
    made = form(theta.clone())
    torch.save(made, tmp_path / "dog_weights.pt")
    exact = theta.bfloat16().float() if getattr(made, "dtype", None) == torch.bfloat16 else theta
    save_matrix(exact, tmp_path / "rows.safetensors")
    for source in ("dog_weights.pt", "rows.safetensors"):
        w2w("space", "build", source, "-m", world.model, "-o", f"space_{source}")
    ours, expected = (load_file(tmp_path / f"space_{source}" / "basis.safetensors") for source in ("dog_weights.pt", "rows.safetensors"))
    assert all(torch.equal(ours[name], expected[name]) for name in expected)
    assert torch.allclose(ours["mean"], exact.double().mean(0).float(), rtol=1e-6, atol=1e-7)


LABELS = {"Big": [1, -1] * 6, "Curly": [1, 1, -1] * 4}
TABLES = {
    "frame": lambda: pandas.DataFrame(LABELS), "bool frame": lambda: pandas.DataFrame(LABELS) > 0, "objects": lambda: pandas.DataFrame(LABELS, dtype=object),
    "reals": lambda: pandas.DataFrame(LABELS, dtype="float32"), "lists": lambda: LABELS, "tensors": lambda: {k: torch.tensor(v) for k, v in LABELS.items()},
    "arrays": lambda: {k: np.array(v) for k, v in LABELS.items()}, "scalars": lambda: {k: [np.int64(x) for x in v] for k, v in LABELS.items()},
    "records": lambda: [dict(zip(LABELS, row)) for row in zip(*LABELS.values())]}


@pytest.mark.parametrize("table", TABLES)
def test_directions_from_dog_labels(w2w, world, tmp_path, table):
    """Against the directions of the same labels in CSV."""
    torch.save(torch.from_numpy(draw_models(world.space.modules, 12)), tmp_path / "dog_weights.pt")
    torch.save(TABLES[table](), tmp_path / "dog_labels.pt")
    (tmp_path / "labels.csv").write_text("name,Big,Curly\n" + "".join(f"{i},{b},{c}\n" for i, (b, c) in enumerate(zip(*LABELS.values()))))
    (tmp_path / "names.txt").write_text("".join(f"{i}\n" for i in range(12)))
    w2w("space", "build", "dog_weights.pt", "-m", world.model, "--names", "names.txt", "-o", "dogs")
    for labels in ("dog_labels.pt", "labels.csv"):
        w2w("direction", "fit", labels, "--space", "dogs", "--holdout", 0, "-o", f"{labels}.safetensors")
    ours, expected = (load_file(tmp_path / f"{labels}.safetensors")["directions"] for labels in ("dog_labels.pt", "labels.csv"))
    assert torch.equal(ours, expected)


def test_directions_from_identity_df(w2w, world, released, tmp_path):
    """Least squares on the projections, as the reference's pinverse @ labels."""
    w2w("direction", "fit", released / "identity_df.pt", "--space", released, "--holdout", 0, "-o", "d.safetensors")
    ours = load_file(tmp_path / "d.safetensors")["directions"].double()
    labels = torch.tensor([[1, -1, -1] * 10, [1, -1] * 15], dtype=torch.float64)
    expected = (torch.linalg.pinv(world.space.projections.double()) @ labels.T).T
    assert (ours - expected).norm() <= 1e-5 * expected.norm()
    assert [n["name"] for n in json.loads(w2w("nearest", "--space", released, *first_person(tmp_path, world), "--json").stdout)["neighbours"]][0] == "103"


def first_person(tmp_path, world):
    from safetensors.torch import save_file
    save_file({"coefficients": world.space.projections[3].contiguous()}, tmp_path / "p.safetensors")
    return [tmp_path / "p.safetensors"]


def test_names_of_dogs_in_a_torch_file(w2w, world, tmp_path):
    torch.save(torch.from_numpy(draw_models(world.space.modules, 3)), tmp_path / "dog_weights.pt")
    torch.save(["collie", "pug", "husky"], tmp_path / "names.pt")
    w2w("space", "build", "dog_weights.pt", "-m", world.model, "--names", "names.pt", "-o", "dogs")
    assert json.loads(w2w("space", "info", "dogs", "--json").stdout)["names"] == ["collie", "pug", "husky"]
