"""`direction fit`: what it writes, what it prints, what it refuses."""
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ATTRIBUTES = ["Male", "Young", "Eyeglasses", "Bald"]
NAMES = [f"person_{i}" for i in range(30)]


def write_table(path, columns, names=NAMES):
    """columns: {name: values}."""
    rows = [",".join([name, *(str(values[i]) for values in columns.values())]) for i, name in enumerate(names)]
    path.write_text("\n".join(["name," + ",".join(columns), *rows]) + "\n")
    return path


def random_columns(names=ATTRIBUTES, seed=2):
    random = np.random.default_rng(seed)
    return {name: random.permutation([-1, 1] * 15) for name in names}


@pytest.fixture
def space(world, tmp_path):
    """The tiny world's space with labels; outside the folder that commands run in."""
    folder = tmp_path / ".space" / "space"
    shutil.copytree(world.folder, folder)
    write_table(folder / "labels.csv", random_columns())
    return folder


@pytest.fixture
def fit(w2w, space):
    return lambda *arguments, **options: w2w("direction", "fit", "--space", space, *arguments, **options)


def written(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))


def tables(done):
    """The lines beside messages on stderr."""
    return [line for line in done.stderr.splitlines() if not line.startswith(("w2w:", "hint:"))]


def test_tables_beside_the_path(fit, tmp_path):
    done = fit()
    assert done.stdout == "directions.safetensors\n"
    lines = tables(done)
    assert lines[0].split() == ["attribute", "with", "without", "accuracy", "balanced", "majority", "auc", "std", "smallest", "largest", "variance", "related"]
    assert [line.split()[0] for line in lines[1:5]] == ATTRIBUTES
    assert [line.split()[1:3] for line in lines[1:5]] == [["15", "15"]] * 4
    assert lines[6].split() == ["cosines", "1", "2", "3"] and [len(line.split()) for line in lines[7:11]] == [2, 3, 4, 5]
    assert written(tmp_path) == ["directions.safetensors"]
    assert not any(line.endswith(" ") for line in lines)
    assert fit("-q", "--force", "--holdout", 0).stderr == ""


def test_json(fit):
    done = json.loads(fit("--method", "ridge", "--without", "Male", "--seed", 1, "--json").stdout)
    assert (done["command"], done["action"]) == ("direction", "fit")
    assert done["outputs"] == [{"path": "directions.safetensors", "kind": "directions"}]
    assert (done["method"], done["penalty"], done["without"], done["components"]) == ("ridge", 0.1, ["Male"], 20)
    assert done["held_out"] == {"share": 0.2, "seed": 1, "models": 6}
    entry = done["attributes"][1]
    assert entry["attribute"] == "Young" and entry["smallest_strength"] < 0 < entry["largest_strength"]
    assert set(entry["held_out"]) == {"models", "accuracy", "balanced_accuracy", "majority", "auc"}
    assert set(done["cosines"]["Male"]) == set(ATTRIBUTES) - {"Male"}
    assert abs(done["cosines"]["Male"]["Young"]) < 1e-9, "taken out"


def test_of_the_demo_world(w2w):
    """What a newcomer sees, with nothing but defaults: 22 attributes, told apart well above chance."""
    done = w2w("direction", "fit", "--method", "ridge")
    assert "largest cosines (-v shows all)" in done.stderr
    shown = json.loads(w2w("direction", "fit", "--method", "ridge", "--json", "--force").stdout)
    assert np.mean([entry["held_out"]["balanced_accuracy"] for entry in shown["attributes"]]) > 0.9
    assert all(len(line) == 22 - 1 for line in [shown["cosines"]["Male"]])
    everything = tables(w2w("direction", "fit", "--method", "ridge", "-v", "--force"))
    assert len(everything) == 1 + 22 + 1 + 1 + 22 and everything[24].startswith("cosines")


def test_the_same_command_gives_the_same_bytes(fit, tmp_path):
    for name in ("a", "b"):
        fit("--method", "logistic", "-o", f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_into_the_space(fit, w2w, space, tmp_path):
    """The space's own directions are what edit and list take from then on; fit itself goes back to the labels."""
    assert fit("-o", space, "--attributes", "Bald,Young").stdout.splitlines()[-1] == str(space / "directions.safetensors")
    listed = json.loads(w2w("direction", "list", "--space", space, "--json").stdout)
    assert [entry["attribute"] for entry in listed["attributes"]] == ["Bald", "Young"]
    assert listed["source"] == str(space / "directions.safetensors")
    save_file({"coefficients": torch.zeros(20)}, tmp_path / ".me.safetensors")
    done = w2w("edit", ".me.safetensors", "--space", space, "--add", "Male=1", "--no-images", code=2)
    assert "unknown attribute 'Male'" in done.stderr
    w2w("edit", ".me.safetensors", "--space", space, "--add", "Bald=1", "--no-images")
    assert fit("-o", space, code=1).stderr.count("--force") == 1
    fit("-o", space, "--force")
    assert len(load_file(space / "directions.safetensors")["directions"]) == 4


def test_list_shows_the_test_that_fit_made(fit, w2w, space, tmp_path):
    """Stored in the file, attribute by attribute; nothing is said where nothing is stored."""
    write_table(tmp_path / ".l.csv", random_columns() | {"Rare": [1] + [-1] * 29})
    fitted = json.loads(fit(".l.csv", "--seed", 1, "--json").stdout)
    list_ = lambda *more: w2w("direction", "list", "--space", space, "--directions", "directions.safetensors", *more)
    listed = json.loads(list_("--json").stdout)
    assert listed["held_out"] == fitted["held_out"] == {"share": 0.2, "seed": 1, "models": 6}
    # Vectors are f64 while they are fitted and f32 in the file, so that nothing but the test itself is the same to the last digit.
    assert [entry["held_out"] for entry in listed["attributes"]] == [entry["held_out"] for entry in fitted["attributes"]]
    assert listed["attributes"][4]["held_out"] is None
    lines = list_().stdout.splitlines()
    assert lines[0].split()[3:7] == ["accuracy", "balanced", "majority", "auc"] and lines[5].split()[3:7] == ["-"] * 4
    assert [float(x) for x in lines[1].split()[3:7]] == pytest.approx(
        [fitted["attributes"][0]["held_out"][key] for key in ("accuracy", "balanced_accuracy", "majority", "auc")], abs=5e-4)
    fit(".l.csv", "--holdout", 0, "--force")
    assert "held_out" not in list_("--json").stdout and "auc" not in list_().stdout
    assert "held_out" not in w2w("direction", "list", "--json").stdout, "the demo world's were not tested"


def test_the_share_of_variance_against_numpy(fit, world, tmp_path):
    shown = json.loads(fit("--json").stdout)["attributes"]
    p = world.space.projections.double().numpy()
    for entry, d in zip(shown, load_file(tmp_path / "directions.safetensors")["directions"].double().numpy()):
        assert entry["variance_share"] == pytest.approx((p @ d / np.linalg.norm(d)).var(ddof=1) / p.var(0, ddof=1).sum(), rel=1e-5)


def test_labels_drawn_at_random_are_warned_of(w2w, tmp_path):
    """Of the demo world's 208 people: attributes that they have are not warned of, coins that were thrown for them are."""
    names = json.loads(w2w("space", "info", "--json").stdout)["names"]
    random = np.random.default_rng(5)
    coins = {f"Coin{i}": random.permutation([-1, 1] * 104) for i in range(4)}
    done = w2w("direction", "fit", write_table(tmp_path / ".coins.csv", coins, names), "--method", "ridge", "--json")
    scores = {entry["attribute"]: entry["held_out"]["auc"] for entry in json.loads(done.stdout)["attributes"]}
    (warning,) = [line for line in done.stderr.splitlines() if "by chance" in line]
    assert all(f"{name} (AUC {auc:.2f})" in warning for name, auc in scores.items()), (warning, scores)
    done = w2w("direction", "fit", "--method", "ridge", "--force")
    assert "by chance" not in done.stderr


@pytest.mark.parametrize("text, what", [
    ("{", "the results of a test"), ("[]", "the results of a test"), ('{"share": 0.2, "seed": 0, "models": 6, "scores": [null]}', "expected 4 scores"),
    ('{"share": 0.2, "seed": 0, "models": 6, "scores": [{"models": 6}, null, null, null]}', "the results of a test"),
    ('{"share": 0.2, "seed": 0, "models": 6, "scores": [{"models": 6, "accuracy": 2, "balanced_accuracy": 0, "majority": 0, "auc": 0}, null, null, null]}', "from 0 to 1"),
    ("[" * 5000, "the results of a test")])
def test_a_stored_test_that_is_none(fit, w2w, space, tmp_path, text, what):
    fit()
    with safe_open(tmp_path / "directions.safetensors", "pt") as file:
        metadata = file.metadata() | {"w2w.held_out": text}
    save_file(load_file(tmp_path / "directions.safetensors"), tmp_path / "bad.safetensors", metadata)
    done = w2w("direction", "list", "--space", space, "--directions", "bad.safetensors", code=3)
    assert "not a readable directions file (bad.safetensors)" in done.stderr and what in done.stderr


def test_edit_remembers_what_was_taken_out(fit, w2w, space, tmp_path):
    fit("--without", "Male", "--attributes", "Bald")
    save_file({"coefficients": torch.zeros(20)}, tmp_path / ".me.safetensors")
    options = ("--space", space, "--directions", "directions.safetensors", "--no-images")
    w2w("edit", ".me.safetensors", "--add", "Bald=1", *options)
    (path,) = tmp_path.glob("*Bald+1.safetensors")
    with safe_open(path, "pt") as file:
        (entry,) = json.loads(file.metadata()["w2w.history"])
    assert entry["without"] == ["Male"] and entry["debias"] == "joint" and entry["attributes"] == "directions.safetensors"
    done = w2w("edit", ".me.safetensors", "--add", "Bald=1", "--without", "Young", *options, code=2)
    assert "unknown attribute 'Young'" in done.stderr


def test_inspect_knows_the_file(fit, w2w):
    fit("--method", "ridge", "--without", "Male")
    text = w2w("inspect", "directions.safetensors").stdout
    assert "attribute directions of a w2w space" in text and "Male, Young, Eyeglasses, Bald" in text
    (described,) = json.loads(w2w("inspect", "directions.safetensors", "--json").stdout)["files"]
    assert described["kind"] == "directions"


def test_several_tables(fit, tmp_path):
    write_table(tmp_path / ".a.csv", random_columns(["Hat", "Scarf"]))
    write_table(tmp_path / ".b.csv", random_columns(["Smile"]), NAMES)
    shown = json.loads(fit(".a.csv", ".b.csv", "--json").stdout)
    assert [entry["attribute"] for entry in shown["attributes"]] == ["Hat", "Scarf", "Smile"]
    assert "'Smile' is in two tables" in fit(".b.csv", "--labels", ".b.csv", code=1).stderr


def test_columns_that_cannot_be_used_are_said(fit, tmp_path):
    columns = random_columns() | {"Age": range(30), "Person": [1] * 30}
    done = fit(write_table(tmp_path / ".l.csv", columns))
    assert "left out: attribute 'Age'" in done.stderr and "left out: attribute 'Person'" in done.stderr
    assert [line.split()[0] for line in tables(done)[1:5]] == ATTRIBUTES
    assert "'Age'" in fit(".l.csv", "--attributes", "Age", "--force", code=1).stderr, "asked for by name"


def test_a_group_too_small_to_test(fit, tmp_path):
    write_table(tmp_path / ".l.csv", random_columns() | {"Rare": [1] + [-1] * 29})
    done = fit(".l.csv")
    assert "too few models with or without Rare to hold out a share of 0.2" in done.stderr
    rare = next(line for line in tables(done) if line.startswith("Rare "))
    assert rare.split()[3:7] == ["-", "-", "-", "-"]
    done = fit(".l.csv", "--attributes", "Male,Rare", "--force", code=1)
    assert "too few models with or without Rare" in done.stderr and "--holdout 0" in done.stderr
    assert "accuracy" not in fit(".l.csv", "--attributes", "Male,Rare", "--force", "--holdout", 0).stderr


def test_too_few_models_for_the_components(fit, world, w2w, tmp_path):
    columns = {name: [value if i < 18 else "" for i, value in enumerate([-1, 1] * 15)] for name in ("A",)}
    write_table(tmp_path / ".l.csv", columns)
    assert "18 labelled models for 20 components" in fit(".l.csv").stderr
    assert "labelled models" not in fit(".l.csv", "--method", "ridge", "--force").stderr


REFUSED = [
    (["--method", "lstq"], 2, "unknown value 'lstq' of --method", "did you mean 'lstsq'?"),
    (["--attributes", "Yung"], 2, "unknown attribute 'Yung'", "did you mean 'Young'?"),
    (["--without", "Yung"], 2, "unknown attribute 'Yung'", "did you mean 'Young'?"),
    (["--attributes", "Male,Male"], 2, "'Male' is named twice", ""),
    (["--attributes", "Male,,Young"], 2, "--attributes expects attributes separated by commas", ""),
    (["--without", "Male,Male"], 2, "'Male' is named twice", ""),
    (["--debias", "--without", "Male"], 2, "--debias and --without cannot be combined", ""),
    (["--debias", "--attributes", "Male"], 2, "--debias expects several attributes, found only 'Male'", ""),
    (["--ridge", 0.1], 2, "--ridge is the penalty of ridge and logistic, not of lstsq", "--method ridge"),
    (["--method", "mean-difference", "--ridge", 1], 2, "not of mean-difference", ""),
    (["--method", "ridge", "--ridge", 0], 2, "--ridge expects a number from", "found '0'"),
    (["--method", "ridge", "--ridge", "nan"], 2, "--ridge", "found 'nan'"),
    (["--holdout", 1], 2, "--holdout expects a number from 0 to 0.9, found '1'", ""),
    (["--holdout", -0.1], 2, "--holdout", "found '-0.1'"),
    (["--holdout", 0, "--seed", 1], 2, "--seed and --holdout 0 cannot be combined", ""),
    (["--seed", -1], 2, "--seed expects a whole number from 0", "found '-1'"),
    (["--components", 21], 2, "expected 1 to 20 components, as many as the space", "found 21"),
    (["--components", 0], 2, "--components expects a whole number from 1", "found '0'"),
    (["--directions", "d.safetensors"], 2, "--directions is an option of `w2w direction list`, not of `w2w direction fit`", ""),
    (["nowhere.csv"], 4, "nowhere.csv", ""),
    (["--labels", "nowhere.csv"], 4, "nowhere.csv", ""),
    (["--space", "nowhere"], 4, "nowhere", ""),
    (["-o", "/proc/out"], 1, "/proc/out", ""),
]


@pytest.mark.parametrize("arguments, code, what, more", REFUSED, ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_with_a_sentence(fit, tmp_path, arguments, code, what, more):
    done = fit(*arguments, code=code)
    assert "w2w: error: " in done.stderr and what in done.stderr and more in done.stderr
    assert not done.stdout and not written(tmp_path)


LABELS = [
    ({"A": [1, -1] * 15}, NAMES[:-1] + ["stranger"], 1, "no labels for 'person_29'; unknown to the space: 'stranger'"),
    ({"A": [1, -1] * 15}, NAMES[:-1], 1, "no labels for 'person_29'"),
    ({"A": [1, -1] * 15}, NAMES[:-1] + ["person_3"], 3, "'person_3' twice"),
    ({"A": [1] * 30}, NAMES, 1, "no column of these labels can be used"),
]


@pytest.mark.parametrize("columns, names, code, what", LABELS, ids=[what[:24] for *_, what in LABELS])
def test_labels_that_do_not_fit(fit, tmp_path, columns, names, code, what):
    write_table(tmp_path / ".l.csv", columns, names)
    assert what in fit(".l.csv", code=code).stderr
    assert not written(tmp_path)


def test_spaces_without_labels_or_projections(fit, space, tmp_path):
    (space / "labels.csv").rename(tmp_path / ".l.csv")
    done = fit(code=4)
    assert "has no labels" in done.stderr and "w2w direction fit LABELS.csv" in done.stderr
    (space / "projections.safetensors").unlink()
    assert "has no projections of its training models" in fit(".l.csv", code=1).stderr
    assert not written(tmp_path)


def test_help_leads_with_examples(w2w):
    text = w2w("help", "direction", "fit").stdout
    assert text.index("w2w direction fit mine.csv") < text.index("Usage") < text.index("--method lstsq|mean-difference|logistic|ridge")
