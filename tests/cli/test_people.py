"""Many people in one file: `sample --matrix`, and the commands that read it. `nearest --among` and `compare`."""
import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file

NAMES = [f"person-{seed}" for seed in range(7, 12)]


def run(w2w, world, *arguments, **how):
    return w2w(*arguments, "--model", world.model, "--space", world.folder, **how)


def facts(done):
    return json.loads(done.stdout)["outputs"]


def metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def refused(done):
    """The error and its hint; nothing on stdout."""
    assert done.stdout == ""
    lines = done.stderr.partition("w2w: error: ")[2].splitlines()
    assert lines, done.stderr
    return lines[0], (lines + [""])[1].removeprefix("hint: ")


@pytest.fixture
def people(w2w, world, tmp_path):
    """Five people, in one file and in a file each."""
    w2w("sample", "--space", world.folder, "--count", 5, "--identity-seed", 7, "--no-images", "--matrix", "people.safetensors")
    w2w("sample", "--space", world.folder, "--count", 5, "--identity-seed", 7, "--no-images", "-o", "single")
    return tmp_path / "people.safetensors"


def singles(tmp_path):
    return [tmp_path / f"single/{name}.safetensors" for name in NAMES]


# --- sample --matrix ------------------------------------------------------------------------------------------------

def test_rows_are_the_single_files(w2w, world, people, tmp_path):
    matrix = load_numpy(people)
    assert list(matrix) == ["coefficients"] and matrix["coefficients"].shape == (5, 20) and matrix["coefficients"].dtype == np.float32
    assert matrix["coefficients"].tobytes() == b"".join(load_numpy(path)["coefficients"].tobytes() for path in singles(tmp_path))
    assert json.loads(metadata(people)["names"]) == NAMES
    assert {k: v for k, v in metadata(people).items() if k != "names"} == metadata(singles(tmp_path)[0])
    assert not (tmp_path / "person-7.safetensors").exists()


def test_the_draw_is_torch(people, world):
    """docs/cli.md, "Random numbers"."""
    mean, std = world.space.projections.mean(0), world.space.projections.std(0)
    drawn = torch.stack([mean + std * torch.randn(20, generator=torch.Generator().manual_seed(seed)) for seed in range(7, 12)])
    torch.testing.assert_close(load_file(people)["coefficients"], drawn, atol=1e-5, rtol=1e-5)


def test_the_matrix_takes_the_place_of_the_single_files_alone(w2w, world, tmp_path):
    done = run(w2w, world, "sample", "--count", 2, "--identity-seed", 3, "-s", 1, "--steps", 1, "--lora", "kohya", "--matrix", "all.safetensors",
               "-o", "out", "--json")
    assert [(o["path"], o["kind"]) for o in facts(done)] == [
        ("all.safetensors", "matrix"), *((f"out/person-{i}{end}", kind) for i in (3, 4)
                                         for end, kind in (("_lora.safetensors", "lora"), ("_p1_s1.png", "picture")))]
    assert facts(done)[0] == {"path": "all.safetensors", "kind": "matrix", "people": 2, "identity_seed": 3}
    assert "has no effect" in run(w2w, world, "sample", "--no-images", "--matrix", "b.safetensors", "-o", "nowhere").stderr
    assert not (tmp_path / "nowhere").exists()


def test_an_existing_matrix_is_refused(w2w, world, people):
    before = people.read_bytes()
    sample = lambda *more, **how: run(w2w, world, "sample", "--identity-seed", 1, "--no-images", "--matrix", people.name, *more, **how)
    message, hint = refused(sample(code=1))
    assert "exists already (people.safetensors)" in message and "--force" in hint
    assert sample("--skip-existing").stdout == "" and people.read_bytes() == before
    sample("--force")
    assert load_numpy(people)["coefficients"].shape == (1, 20)


def test_a_matrix_that_cannot_be(w2w, world, tmp_path):
    sample = lambda name, **how: refused(run(w2w, world, "sample", "--no-images", "--matrix", name, **how))[0]
    assert "--matrix expects a .safetensors file, found 'people.pt'" in sample("people.pt", code=2)
    (tmp_path / "x.safetensors").mkdir()
    assert "is a folder" in sample("x.safetensors", code=1)


def test_inspect_tells_what_it_is(w2w, people):
    (found,) = json.loads(w2w("inspect", people.name, "--json").stdout)["files"]
    assert found["kind"] == "matrix"
    assert {k: found["facts"][k] for k in ("people", "components", "first", "last")} == {
        "people": 5, "components": 20, "first": "person-7", "last": "person-11"}


# --- reading it -----------------------------------------------------------------------------------------------------

def test_render_draws_everybody_or_one(w2w, world, people, tmp_path):
    options = ["-s", 1, "--steps", 1]
    run(w2w, world, "render", *singles(tmp_path), *options, "-o", "a")
    run(w2w, world, "render", people.name, *options, "-o", "b")
    names = sorted(f"{name}_p1_s1.png" for name in NAMES)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == names
    pixels = lambda path: np.asarray(Image.open(path)).tobytes()
    for name in names:
        assert pixels(tmp_path / "a" / name) == pixels(tmp_path / "b" / name)
    for choice in "person-9", "2":
        done = run(w2w, world, "render", f"{people.name}:{choice}", *options, "-o", f"one-{choice}")
        assert done.stdout == f"one-{choice}/person-9_p1_s1.png\n"
        assert pixels(tmp_path / done.stdout.strip()) == pixels(tmp_path / "a/person-9_p1_s1.png")


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers", "pt"])
def test_export_is_that_of_the_single_files(w2w, world, people, tmp_path, form):
    run(w2w, world, "export", *singles(tmp_path), "--format", form, "-o", "a")
    run(w2w, world, "export", people.name, "--format", form, "-o", "b")
    files = lambda folder: {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(files(tmp_path / "b")) >= 5 and files(tmp_path / "a") == files(tmp_path / "b")
    done = run(w2w, world, "export", f"{people.name}:person-8", "--format", form, "-o", "c")
    assert files(tmp_path / "c").items() <= files(tmp_path / "a").items() and done.stdout.count("\n") == 1


def test_edit_interpolate_and_nearest_take_one(w2w, world, people, tmp_path):
    run(w2w, world, "interpolate", "people.safetensors:person-7", "people.safetensors:1", "--points", 2, "--no-images", "-o", "way")
    assert sorted(path.name for path in (tmp_path / "way").iterdir()) == [f"person-7-to-person-8_0{i}.safetensors" for i in (1, 2)]
    single = run(w2w, world, "nearest", singles(tmp_path)[0], "--json").stdout
    assert run(w2w, world, "nearest", "people.safetensors:person-7", "--json").stdout == single
    for command in (["nearest"], ["interpolate", singles(tmp_path)[0], "--no-images"], ["export", "--merge"], ["edit", "--add", "A=1"]):
        message = refused(run(w2w, world, *command, people.name, code=2))[0]
        assert "one" in message and "found 5" in message


def test_a_choice_that_is_none(w2w, world, people, tmp_path):
    render = lambda name, code: refused(run(w2w, world, "render", name, "-s", 1, code=code))
    assert render("people.safetensors:persn-8", 2) == ("unknown person 'persn-8' (people.safetensors)", "did you mean 'person-8'?")
    assert "a row from 0 to 4 (people.safetensors), found '5'" in render("people.safetensors:5", 2)[0]
    assert "a row from 0 to 4 (people.safetensors), found '-1'" in render("people.safetensors:-1", 2)[0]
    assert "no such identity (none.safetensors:person-7)" in render("none.safetensors:person-7", 4)[0]
    assert "no such identity (single/person-7.safetensors:0)" in render("single/person-7.safetensors:0", 4)[0]


def test_file_names_with_colons_stay_file_names(w2w, world, people, tmp_path):
    """A file of that very name comes first; a name may have colons too; names come before rows."""
    matrix = load_file(people)["coefficients"]
    save_file({"coefficients": matrix}, tmp_path / "x:y.safetensors", {"names": json.dumps(["a:b", "0", "c", "d", "e"])})
    save_file({"coefficients": matrix[4].clone()}, tmp_path / "x:y.safetensors:e")
    exported = lambda name: torch.load(tmp_path / run(w2w, world, "export", name, "--format", "pt", "-o", "out", "--force").stdout.strip())[0]
    assert torch.equal(exported("x:y.safetensors:a:b"), matrix[0])
    assert torch.equal(exported("x:y.safetensors:0"), matrix[1])
    assert torch.equal(exported("x:y.safetensors:2"), matrix[2])
    assert torch.equal(exported("x:y.safetensors:e"), matrix[4])


def test_a_matrix_of_ones_own(w2w, world, tmp_path):
    """Any [n, k] without names: people are called after file and row. A single row without a name is a person of that file's name."""
    matrix = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))
    save_file({"coefficients": matrix.double()}, tmp_path / "mine.safetensors")
    assert run(w2w, world, "export", "mine.safetensors", "-o", "out").stdout.split() == [f"out/mine-{i}_lora.safetensors" for i in range(3)]
    assert run(w2w, world, "export", "mine.safetensors:1", "--format", "pt").stdout == "mine-1.pt\n"
    assert torch.equal(torch.load(tmp_path / "mine-1.pt")[0], matrix[1])
    save_file({"coefficients": matrix[:1].clone()}, tmp_path / "one.safetensors")
    assert run(w2w, world, "export", "one.safetensors", "--format", "pt").stdout == "one.pt\n"
    assert "expected a row from 0 to 2" in refused(run(w2w, world, "export", "mine.safetensors:anna", code=2))[0]


@pytest.mark.parametrize("names, what", [
    ('["a", "b"]', "expected a name for each of 3 rows, found 2"), ('["a", "b", "a"]', "it names 'a' twice"),
    ('["a", "../b", "c"]', "expected valid file names, found '../b'"), ('["a", "", "c"]', "expected valid file names, found ''"),
    ('["a", 1, "c"]', "a JSON list of texts"), ('{', "a JSON list of texts"), ("[" * 5000, "a JSON list of texts")])
def test_names_that_are_none(w2w, world, tmp_path, names, what):
    """A name becomes a file's, so that none leads out of the output folder."""
    save_file({"coefficients": torch.zeros(3, 20)}, tmp_path / "bad.safetensors", {"names": names})
    for name in "bad.safetensors", "bad.safetensors:a":
        assert what in refused(run(w2w, world, "export", name, "-o", "out", code=3))[0]


def test_matrices_that_are_none(w2w, world, people, tmp_path):
    export = lambda code: refused(run(w2w, world, "export", "bad.safetensors", code=code))[0]
    bad = load_file(people)["coefficients"]
    bad[3, 5] = float("nan")
    save_file({"coefficients": bad}, tmp_path / "bad.safetensors")
    assert "not all finite (bad.safetensors)" in export(3)
    save_file({"coefficients": torch.zeros(3, 20, dtype=torch.int64)}, tmp_path / "bad.safetensors")
    assert "expected 'coefficients' [n, k], found [3, 20] of Long" in export(3)
    save_file({"coefficients": torch.zeros(3, 20)}, tmp_path / "bad.safetensors", {"w2w.format": "2"})
    assert "this w2w reads format 1" in export(3)
    save_file({"coefficients": torch.zeros(3, 20)}, tmp_path / "bad.safetensors", {"w2w.space": "0" * 64})
    assert "identity (bad.safetensors:0) belongs to another space" in export(1)
    save_file({"coefficients": torch.zeros(3, 21)}, tmp_path / "bad.safetensors")
    assert "at most 20 coefficients" in export(1)
    assert "coefficients of a person (people.safetensors)" in refused(run(w2w, world, "space", "build", people.name, "-o", "new", code=3))[0]


# --- nearest --among ------------------------------------------------------------------------------------------------

def oracle(world, a, b):
    """Cosine around the training models' mean and distance in their deviations, in f64 with numpy."""
    mean, std = world.space.projections.double().mean(0).numpy(), world.space.projections.double().std(0).numpy()
    k = min(len(a), len(b))
    a, b, mean, std = (np.asarray(x, np.float64)[:k] for x in (a, b, mean, std))
    cosine = (a - mean) @ (b - mean) / np.linalg.norm(a - mean) / np.linalg.norm(b - mean)
    return cosine, np.linalg.norm((a - b) / std), k


def test_nearest_among_against_numpy(w2w, world, people, tmp_path):
    matrix = load_numpy(people)["coefficients"]
    found = json.loads(run(w2w, world, "nearest", singles(tmp_path)[1], "--among", people.name, "--json").stdout)["neighbours"]
    expected = sorted(((oracle(world, matrix[1], row)[0], name) for row, name in zip(matrix, NAMES)), reverse=True)
    assert [n["name"] for n in found] == [name for _, name in expected]
    assert [n["path"] for n in found] == [f"people.safetensors:{name}" for _, name in expected]
    np.testing.assert_allclose([n["cosine"] for n in found], [cosine for cosine, _ in expected], atol=1e-6)
    assert found[0]["name"] == "person-8" and found[0]["cosine"] > 0.999999 and [n["rank"] for n in found] == [1, 2, 3, 4, 5]
    folder = json.loads(run(w2w, world, "nearest", singles(tmp_path)[1], "--among", "single", "--json").stdout)["neighbours"]
    assert [(n["name"], n["cosine"]) for n in folder] == [(n["name"], n["cosine"]) for n in found]
    assert [n["path"] for n in folder] == [f"single/{name}.safetensors" for _, name in expected]
    lines = run(w2w, world, "nearest", singles(tmp_path)[1], "--among", "single", "--count", 2).stdout.splitlines()
    assert [line.split()[2] for line in lines[1:]] == [name for _, name in expected][:2]


def test_training_people_among_a_file_are_those_of_the_space(w2w, world, people, tmp_path):
    """The same cosine by both ways."""
    save_file({"coefficients": world.space.projections.clone()}, tmp_path / "all.safetensors")
    person = singles(tmp_path)[0]
    among = json.loads(run(w2w, world, "nearest", person, "--among", "all.safetensors", "--json").stdout)["neighbours"]
    space = json.loads(run(w2w, world, "nearest", person, "--json").stdout)["neighbours"]
    assert [n["name"] for n in among] == [f"all-{n['row']}" for n in space]
    np.testing.assert_allclose([n["cosine"] for n in among], [n["cosine"] for n in space], atol=1e-6)


def test_a_folder_holds_other_files_too(w2w, world, people, tmp_path):
    run(w2w, world, "export", singles(tmp_path)[0], "-o", "single")
    (tmp_path / "single/loss.csv").write_text("step,loss\n")
    people.rename(tmp_path / "single/people.safetensors")
    done = run(w2w, world, "nearest", singles(tmp_path)[0], "--among", "single", "--json")
    assert len(json.loads(done.stdout)["neighbours"]) == 10
    assert "no coefficients, left out (single): person-7_lora.safetensors" in done.stderr and "csv" not in done.stderr


def test_nearest_among_draws_them(w2w, world, people, tmp_path):
    run(w2w, world, "nearest", singles(tmp_path)[0], "--among", people.name, "--count", 2, "-s", 5, "--steps", 1, "-o", "sheet.png")
    assert "--among people.safetensors" in w2w("inspect", "sheet.png").stdout


def test_nearest_among_refuses(w2w, world, people, tmp_path):
    (tmp_path / "empty").mkdir()
    run(w2w, world, "export", singles(tmp_path)[0], "-o", "lora.safetensors")
    near = lambda *more, **how: refused(run(w2w, world, "nearest", singles(tmp_path)[0], *more, **how))[0]
    assert "1 to 5 neighbours, as many as there are people, found 6" in near("--among", people.name, "--count", 6, code=2)
    assert "no coefficients in this folder (empty)" in near("--among", "empty", code=4)
    assert "expected coefficients, found a LoRA (lora.safetensors)" in near("--among", "lora.safetensors", code=2)
    assert "no such identity (none)" in near("--among", "none", code=4)
    save_file({"coefficients": world.space.projections.mean(0)}, tmp_path / "mean.safetensors")
    assert "mean person" in refused(run(w2w, world, "nearest", "mean.safetensors", "--among", people.name, code=1))[0]
    save_file({"coefficients": torch.zeros(21)}, tmp_path / "single/long.safetensors")
    assert "(single/long.safetensors) belongs to another space" in near("--among", "single", code=1)


# --- compare --------------------------------------------------------------------------------------------------------

def test_compare_against_numpy_and_scipy(w2w, world, people, tmp_path):
    scipy = pytest.importorskip("scipy.spatial.distance")
    a, b = (load_numpy(path)["coefficients"] for path in singles(tmp_path)[:2])
    (pair,) = json.loads(run(w2w, world, "compare", *singles(tmp_path)[:2], "--json").stdout)["pairs"]
    cosine, distance, k = oracle(world, a, b)
    assert (pair["a"], pair["b"], pair["components"]) == (str(singles(tmp_path)[0]), str(singles(tmp_path)[1]), k)
    assert pair["cosine"] == pytest.approx(cosine, abs=1e-6) and pair["distance"] == pytest.approx(distance, rel=1e-5)
    variance = world.space.projections.double().var(0).numpy()
    assert pair["distance"] == pytest.approx(scipy.seuclidean(a.astype(float), b.astype(float), variance), rel=1e-5)
    assert pair["distance_per_component"] == pytest.approx(distance / 20 ** 0.5, rel=1e-5)
    near = json.loads(run(w2w, world, "nearest", singles(tmp_path)[0], "--among", singles(tmp_path)[1], "--json").stdout)["neighbours"]
    assert near[0]["cosine"] == pair["cosine"]
    lines = run(w2w, world, "compare", *singles(tmp_path)[:2]).stdout.splitlines()
    assert lines[0].split() == ["cosine", "distance", "per", "component", "components", "people"]
    assert lines[1].split() == [f"{cosine:.3f}", f"{distance:.3f}", f"{distance / 20 ** 0.5:.3f}", "20", "person-7", "person-8"]


def test_compare_shows_all_pairs(w2w, world, people, tmp_path):
    pairs = json.loads(run(w2w, world, "compare", people.name, "--json").stdout)["pairs"]
    matrix = load_numpy(people)["coefficients"]
    assert [(p["a"], p["b"]) for p in pairs] == [(f"people.safetensors:{a}", f"people.safetensors:{b}") for a, b in itertools.combinations(NAMES, 2)]
    expected = [oracle(world, a, b) for a, b in itertools.combinations(matrix, 2)]
    np.testing.assert_allclose([(p["cosine"], p["distance"]) for p in pairs], [e[:2] for e in expected], rtol=1e-5, atol=1e-6)
    done = run(w2w, world, "compare", people.name, singles(tmp_path)[0])
    assert len(done.stdout.splitlines()) == 1 + 15
    assert done.stdout.splitlines()[5].split()[-2:] == ["people.safetensors:person-7", str(singles(tmp_path)[0])], "two of one name: paths"


def test_compare_takes_loras_and_other_lengths(w2w, world, people, tmp_path):
    run(w2w, world, "export", singles(tmp_path)[0], "--dtype", "f32", "-o", "lora.safetensors")
    save_file({"coefficients": load_file(people)["coefficients"][0, :5].clone()}, tmp_path / "short.safetensors")
    pairs = json.loads(run(w2w, world, "compare", singles(tmp_path)[0], "lora.safetensors", "short.safetensors", "--json").stdout)["pairs"]
    assert [p["components"] for p in pairs] == [20, 5, 5]
    assert all(p["cosine"] > 0.9999 and p["distance_per_component"] < 0.01 for p in pairs)


def test_compare_with_the_mean_person(w2w, world, people, tmp_path):
    save_file({"coefficients": world.space.projections.mean(0)}, tmp_path / "mean.safetensors")
    (pair,) = json.loads(run(w2w, world, "compare", "mean.safetensors", singles(tmp_path)[0], "--json").stdout)["pairs"]
    assert pair["cosine"] is None and pair["distance"] > 0
    assert run(w2w, world, "compare", "mean.safetensors", singles(tmp_path)[0]).stdout.splitlines()[1].split()[0] == "-"


def test_compare_refuses(w2w, world, people, tmp_path):
    assert "two or more identities, found 1" in refused(run(w2w, world, "compare", singles(tmp_path)[0], code=2))[0]
    run(w2w, world, "compare", code=2)
    assert "no such identity" in refused(run(w2w, world, "compare", singles(tmp_path)[0], "none", code=4))[0]
