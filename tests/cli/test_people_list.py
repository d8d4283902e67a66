"""`train --list` and `invert --list`: who is in a table and what there is of them. Nothing is opened, made or changed."""
import json

import pytest


@pytest.fixture
def table(tmp_path):
    """Three people, of whom bert is finished and cora half way."""
    for name in ("p/a1.png", "p/a2.jpg", "b.png", "c.png", "m.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "people.csv").write_text("name,image\nanna,p\nbert,b.png\n,c.png\nbert,c.png\n")
    (tmp_path / "out").mkdir()
    for name in ("bert.safetensors", "bert_loss.csv", "c_checkpoint.safetensors"):
        (tmp_path / "out" / name).touch()
    return tmp_path / "people.csv"


def contents(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


@pytest.mark.parametrize("command", ["train", "invert"])
def test_a_line_each(w2w, table, tmp_path, command):
    before = contents(tmp_path)
    done = w2w(command, "--batch-file", "people.csv", "-o", "out", "--list", "-m", "/none", "--space", "/none")
    pictures = 2 if command == "train" else 1  # a folder is one for train alone
    assert done.stdout == (f"anna\tmissing\t{pictures}\tout/anna.safetensors\nbert\tfinished\t2\tout/bert.safetensors\n"
                           "c\tunfinished\t1\tout/c.safetensors\n")
    assert done.stderr == "" and contents(tmp_path) == before


def test_of_a_shard_in_a_folder_that_is_not_there(w2w, table, tmp_path):
    done = w2w("train", "--batch-file", "people.csv", "-o", "new", "--list", "--shard", "2/2")
    assert done.stdout == "bert\tmissing\t2\tnew/bert.safetensors\n" and not (tmp_path / "new").exists()


def test_as_json(w2w, table):
    listed = json.loads(w2w("train", "--batch-file", "people.csv", "-o", "out", "--list", "--json").stdout)
    assert listed["command"] == "train" and listed["outputs"] == [] and listed["class_pictures"] == "out/class"
    assert [(p["name"], p["state"]) for p in listed["people"]] == [("anna", "missing"), ("bert", "finished"), ("c", "unfinished")]
    assert listed["people"][0] == {
        "name": "anna", "state": "missing", "pictures": ["p/a1.png", "p/a2.jpg"],
        "outputs": [{"path": "out/anna.safetensors", "exists": False}, {"path": "out/anna_loss.csv", "exists": False}]}
    assert listed["people"][1]["outputs"][1] == {"path": "out/bert_loss.csv", "exists": True}


@pytest.mark.parametrize("options, class_pictures", [([], "class"), (["--prior-weight", "0"], None), (["-o", "x"], "x/class"),
                                                     (["--class-images", "people"], "people"), (["--prior-weight", ".5"], "class")])
def test_which_class_pictures_a_training_uses(w2w, table, options, class_pictures):
    listed = json.loads(w2w("train", "--batch-file", "people.csv", "--list", "--json", *options).stdout)
    assert listed["class_pictures"] == class_pictures


def test_of_other_formats_masks_and_folders(w2w, table, tmp_path):
    outputs = lambda *arguments: [o["path"] for o in json.loads(w2w(*arguments, "--list", "--json").stdout)["people"][0]["outputs"]]
    assert outputs("train", "--batch-file", "people.csv", "--format", "peft") == ["anna", "anna_loss.csv"]
    assert outputs("train", "p", "--name", "ada", "-o", "x.safetensors") == ["x.safetensors", "x_loss.csv"]
    (tmp_path / "masks.csv").write_text("image,mask\nb.png,m.png\n")
    assert outputs("invert", "--batch-file", "masks.csv", "--lora", "kohya", "--no-images") == ["b.safetensors", "b_loss.csv", "b_lora.safetensors"]
    (tmp_path / "folders/ada").mkdir(parents=True)
    (tmp_path / "folders/ada/1.png").touch()
    assert outputs("train", "--batch-file", "folders") == ["ada.safetensors", "ada_loss.csv"]


@pytest.mark.parametrize("arguments, code, what", [
    (["train", "--batch-file", "none.csv", "--list"], 4, "none.csv"),
    (["train", "--batch-file", "bad.csv", "--list"], 3, "line 2 has 1 cells, expected 2"),
    (["train", "--batch-file", "gone.csv", "--list"], 4, "named in line 2 of gone.csv"),
    (["train", "--batch-file", "people.csv", "--list", "--steps", "0"], 2, "--steps expects a whole number"),
    (["train", "--batch-file", "people.csv", "--list", "--prepare"], 2, "--list and --prepare cannot be combined"),
])
def test_what_is_refused(w2w, table, tmp_path, arguments, code, what):
    (tmp_path / "bad.csv").write_text("name,image\nanna\n")
    (tmp_path / "gone.csv").write_text("name,image\nanna,gone.png\n")
    assert what in w2w(*arguments, code=code).stderr
