"""`edit` and `direction list`: what they write, what they print, what they refuse."""
import json
import shlex
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.tiny_models import SHAPES, make_pipeline
from parity.tiny_spaces import make_space

ATTRIBUTES = ["Male", "Young", "Eyeglasses", "Bald"]


def write_labels(path, columns=ATTRIBUTES, rows=range(30), prefix="person_"):
    values = np.random.default_rng(2).choice([-1, 1], size=(len(rows), len(columns)))
    lines = [f"{prefix}{row}," + ",".join(map(str, line)) for row, line in zip(rows, values)]
    path.write_text("name," + ",".join(columns) + "\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def space(world, tmp_path):
    """The tiny world's space with labels; outside the folder that commands run in."""
    folder = tmp_path / ".space" / "space"
    shutil.copytree(world.folder, folder)
    write_labels(folder / "labels.csv")
    return folder


@pytest.fixture
def person(w2w, space, tmp_path):
    w2w("sample", "--space", space, "--identity-seed", 7, "--no-images", "-o", tmp_path / ".space")
    return tmp_path / ".space" / "person-7.safetensors"


@pytest.fixture
def edit(w2w, world, space, person):
    def run(*arguments, identity=person, **options):
        return w2w("edit", identity, "--model", world.model, "--space", space, "--steps", 3, *arguments, **options)
    return run


def written(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


def coefficients(path):
    return load_file(path)["coefficients"]


def test_before_and_after_of_every_prompt_and_seed(edit, person, tmp_path):
    done = edit("--add", "Young=3", "-p", "a person", "-p", "sks person", "-s", "5,8", "-o", "out")
    pictures = [f"out/person-7_Young+3{kind}_p{p}_s{s}.png" for p in (1, 2) for s in (5, 8) for kind in ("_before", "")]
    assert done.stdout.splitlines() == ["out/person-7_Young+3.safetensors", *pictures, "out/person-7_Young+3_sheet.png"]
    assert written(tmp_path / "out") == sorted(line[4:] for line in done.stdout.splitlines())
    assert pixels(tmp_path / pictures[0]).shape == (64, 64, 3)
    assert np.abs(pixels(tmp_path / pictures[0]) - pixels(tmp_path / pictures[1])).mean() > 1
    sheet = pixels(tmp_path / "out/person-7_Young+3_sheet.png")
    assert sheet.shape[0] > 4 * 192 and sheet.shape[1] > 2 * 192, "four rows of two enlarged pictures"


def test_json(edit, person):
    done = json.loads(edit("--add", "Young=3", "--without", "Male", "-s", 5, "--lora", "kohya", "--json").stdout)
    assert done["command"] == "edit"
    assert done["unet_calls"] == 2 * 4, "three PNDM steps run at 667, 334, 334 and 1: nothing above 800 to share"
    kinds = [(o["path"], o["kind"]) for o in done["outputs"]]
    assert kinds == [(f"person-7_Young+3_without-Male{rest}", kind) for rest, kind in (
        (".safetensors", "coefficients"), ("_lora.safetensors", "lora"), ("_before_p1_s5.png", "picture"), ("_p1_s5.png", "picture"),
        ("_sheet.png", "sheet"))]
    after = done["outputs"][3]
    assert after["seed"] == 5 and after["edit"] == {"Young": 3.0} and after["without"] == ["Male"] and after["inject_at"] == 800
    assert done["outputs"][2]["edit"] == {} and done["outputs"][2]["identity"] == str(person)


def test_a_sweep_beside_other_edits(edit, person, tmp_path):
    done = json.loads(edit("--sweep", "Bald=-1.5:1.5:11", "--add", "Young=2", "-s", 5, "--json").stdout)
    outputs = done["outputs"]
    paths = [f"person-7_Young+2_Bald{strength}.safetensors" for strength in
             ("-1.5", "-1.2", "-0.9", "-0.6", "-0.3", "+0", "+0.3", "+0.6", "+0.9", "+1.2", "+1.5")]
    assert [o["path"] for o in outputs if o["kind"] == "coefficients"] == paths
    assert [o["edit"]["Bald"] for o in outputs if o["kind"] == "coefficients"] == [round(-1.5 + 0.3 * i, 9) for i in range(11)]
    points = np.stack([coefficients(tmp_path / path) for path in paths])
    np.testing.assert_allclose(np.diff(points, axis=0), np.tile(points[1] - points[0], (10, 1)), atol=1e-5)
    edit("--add", "Young=2", "--no-images", "-o", "alone.safetensors")
    np.testing.assert_allclose(points[5], coefficients(tmp_path / "alone.safetensors"), atol=1e-6)
    assert outputs[-1]["path"] == "person-7_Young+2_Bald-1.5..+1.5_sheet.png" and pixels(tmp_path / outputs[-1]["path"]).shape[1] > 12 * 192, "the original and 11 points"


def test_a_sweep_over_zero_shows_the_original_once(edit, tmp_path):
    edit("--sweep", "Bald=-1:1:3", "-s", 5)
    assert (pixels(tmp_path / "person-7_Bald+0_p1_s5.png") == pixels(tmp_path / "person-7_Bald-1..+1_before_p1_s5.png")).all()
    assert 3 * 192 < pixels(tmp_path / "person-7_Bald-1..+1_sheet.png").shape[1] < 4 * 192


def test_opposite_edits_give_the_person_back(edit, person, tmp_path):
    edit("--add", "Young=2.5", "--add", "Bald=-1", "--no-images")
    edit("--add", "Young=-2.5", "--add", "Bald=1", "--no-images", identity="person-7_Young+2.5_Bald-1.safetensors")
    back = coefficients(tmp_path / "person-7_Young+2.5_Bald-1_Young-2.5_Bald+1.safetensors")
    assert (back - coefficients(person)).abs().max() < 1e-5
    with safe_open(tmp_path / "person-7_Young+2.5_Bald-1_Young-2.5_Bald+1.safetensors", "pt") as file:
        history = json.loads(file.metadata()["w2w.history"])
    assert [entry["command"] for entry in history] == ["sample", "edit", "edit"]
    assert history[1]["add"] == {"Young": 2.5, "Bald": -1.0} and history[2]["add"] == {"Young": -2.5, "Bald": 1.0}


def test_reference_files_can_be_edited(edit, person, space, tmp_path):
    (tmp_path / "ref").mkdir()
    torch.save(coefficients(person)[None], tmp_path / "ref" / "w2wmodel.pt")
    edit("--add", "Young=1", "--no-images", identity="ref")
    edit("--add", "Young=1", "--no-images")
    assert (coefficients(tmp_path / "ref_Young+1.safetensors") == coefficients(tmp_path / "person-7_Young+1.safetensors")).all()
    with safe_open(tmp_path / "ref_Young+1.safetensors", "pt") as file:
        assert file.metadata()["w2w.space"] == json.loads((space / "space.json").read_text())["hash"]


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers"])
def test_the_edited_persons_lora(w2w, edit, world, space, tmp_path, form):
    """The LoRA is the edited person for a whole run."""
    edit("--add", "Young=3", "--lora", form, "-s", 5, "--inject-at", 1000)
    (lora,) = tmp_path.glob("person-7_Young+3_lora*")
    w2w("render", lora, *world.options[:4], "--steps", 3, "-s", 5, "-o", "lora.png")
    difference = np.abs(pixels(tmp_path / "lora.png") - pixels(tmp_path / "person-7_Young+3_p1_s5.png"))
    assert difference.max() <= 8 and difference.mean() < 0.5, "f16 factors"


def test_the_whole_run_is_what_render_draws(w2w, edit, person, world, space, tmp_path):
    edit("--add", "Young=3", "-s", 5, "--inject-at", 1000)
    for identity, name in ((person, "Young+3_before"), ("person-7_Young+3.safetensors", "Young+3")):
        w2w("render", identity, "--model", world.model, "--space", space, "--steps", 3, "-s", 5, "-o", f"{name}.png")
        assert (pixels(tmp_path / f"{name}.png") == pixels(tmp_path / f"person-7_{name}_p1_s5.png")).all()


@pytest.mark.parametrize("picture", ["Young-2..+3_without-Male_before_p1_s5", "Young-2_without-Male_p1_s5", "Young-2..+3_without-Male_sheet"])
def test_inspect_prints_the_command_that_makes_each_picture_again(w2w, edit, tmp_path, picture):
    picture = f"person-7_Bald+0.5_{picture}.png"
    edit("--sweep", "Young=-2:3:2", "--add", "Bald=0.5", "--without", "Male", "--sequential", "--inject-at", 700.5,
         "--components", 9, "-s", "5,6", "-p", "a person", "-p", "it's", "-n", "man", "--sampler", "Euler a", "-o", "first")
    command = json.loads(w2w("inspect", tmp_path / "first" / picture, "--json").stdout)["files"][0]["facts"]["command"]
    w2w(*shlex.split(command)[1:], "-o", "second")
    again = [path for path in (tmp_path / "second").glob("*.png") if (pixels(path).shape == pixels(tmp_path / "first" / picture).shape)
             and (pixels(path) == pixels(tmp_path / "first" / picture)).all()]
    assert again, command


def test_the_same_command_gives_the_same_bytes_anywhere(edit, tmp_path):
    for folder in ("a", "b/c"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        edit("--sweep", "Young=0:2:2", "-s", 5, "--lora", "kohya", "-o", folder)
    files = written(tmp_path / "a")
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b/c" / file).read_bytes(), file


def test_output_names_one_file(edit, tmp_path):
    edit("--add", "Young=1", "-s", 5, "-o", "anna.safetensors")
    assert written(tmp_path) == ["anna.safetensors", *(f"anna_Young+1_{rest}.png" for rest in ("before_p1_s5", "p1_s5", "sheet"))]
    edit("--sweep", "Young=1:2:2", "-s", 5, "-o", "sweep.png")
    assert "sweep.png" in written(tmp_path) and "sweep_Young+1.safetensors" in written(tmp_path)


def test_existing_files_are_refused_before_any_work(edit, tmp_path):
    (tmp_path / "person-7_Young+1_sheet.png").write_text("mine")
    assert "--force" in edit("--add", "Young=1", code=1).stderr
    assert written(tmp_path) == ["person-7_Young+1_sheet.png"]


def test_experiments_in_one_folder_have_names_of_their_own(edit, tmp_path):
    """Also strengths that differ in their fifth digit, attributes with signs in their names, and many of them."""
    for how in (["--add", "Young=1"], ["--add", "Young=2"], ["--add", "Young=1", "--without", "Bald"], ["--add", "Young=1", "--raw"],
                ["--add", "Young=1", "--add", "Bald=-0.25"], ["--sweep", "Bald=1:1.00002:3"]):
        edit(*how, "--no-images")
    assert written(tmp_path) == sorted(f"person-7_{name}.safetensors" for name in (
        "Young+1", "Young+2", "Young+1_without-Bald", "Young+1_raw", "Young+1_Bald-0.25", "Bald+1", "Bald+1.00001", "Bald+1.00002"))


REFUSED = [
    ([], 2, "edit needs --add ATTRIBUTE=STRENGTH or --sweep", "attributes are Male, Young, Eyeglasses, Bald"),
    (["--add", "Eyeglases=1"], 2, "unknown attribute 'Eyeglases'", "did you mean 'Eyeglasses'?"),
    (["--add", "Young=1", "--without", "Mael"], 2, "unknown attribute 'Mael'", "did you mean 'Male'?"),
    (["--sweep", "Yuong=0:1:2"], 2, "unknown attribute 'Yuong'", "did you mean 'Young'?"),
    (["--add", "Young,"], 2, "--add expects ATTRIBUTE=STRENGTH separated by commas, found 'Young,'", "for example --add Eyeglasses=1.5"),
    (["--add", "Young="], 2, "--add expects ATTRIBUTE=STRENGTH", ""),
    (["--add", "=1"], 2, "--add expects ATTRIBUTE=STRENGTH", ""),
    (["--add", "Young=much"], 2, "found 'much'", ""),
    (["--add", "Young=nan"], 2, "found 'nan'", ""),
    (["--sweep", "Young=0:1"], 2, "--sweep expects ATTRIBUTE=FROM:TO:N", "for example"),
    (["--sweep", "Young=0:1:2:3"], 2, "--sweep expects ATTRIBUTE=FROM:TO:N", ""),
    (["--sweep", "Young=0:1:1"], 2, "--sweep N expects a whole number from 2 to 1000, found '1'", ""),
    (["--sweep", "Young=a:1:3"], 2, "--sweep FROM", "found 'a'"),
    (["--add", "Young=1", "--add", "Young=2"], 2, "'Young' is added twice", ""),
    (["--add", "Young=1", "--sweep", "Young=0:1:2"], 2, "'Young' is added twice", ""),
    (["--add", "Young=1", "--without", "Young"], 2, "attribute 'Young' is both added and taken out", ""),
    (["--add", "Young=1", "--without", "Male,,Bald"], 2, "--without expects attributes separated by commas", ""),
    (["--add", "Young=1", "--inject-at", 1001], 2, "--inject-at expects a number from 0 to 1000, found '1001'", ""),
    (["--add", "Young=1", "--inject-at", "late"], 2, "--inject-at", "found 'late'"),
    (["--add", "Young=1", "--components", 21], 2, "expected 1 to 20 components, as many as the space", "found 21"),
    (["--add", "Young=1", "--lora", "koya"], 2, "koya", "kohya"),
    (["--add", "Young=1", "--labels", "nowhere.csv"], 4, "nowhere.csv", ""),
    (["--add", "Young=1", "--directions", "nowhere.safetensors"], 4, "nowhere.safetensors", ""),
    (["--add", "Young=1", "--directions", "a", "--labels", "b"], 2, "--directions", "--labels"),
    (["--add", "Young=1", "--space", "nowhere"], 4, "nowhere", ""),
    (["--add", "Young=1", "--model", "nowhere"], 4, "nowhere", ""),
    (["--add", "Young=1", "-o", "/proc/out"], 1, "/proc/out", ""),
]


@pytest.mark.parametrize("arguments, code, what, more", REFUSED, ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_with_a_sentence(edit, tmp_path, arguments, code, what, more):
    done = edit(*arguments, code=code)
    assert "w2w: error: " in done.stderr and what in done.stderr and more in done.stderr
    assert not done.stdout and not written(tmp_path)


@pytest.mark.parametrize("history", ["[" * 60_000 + "]" * 60_000, '[{"a": ' * 30_000 + "1" + "}]" * 30_000, "[" * 5_000_000, "{", "7"])
def test_a_history_that_is_none_is_left_out(w2w, edit, world, person, space, tmp_path, history):
    """Brackets that would overflow the stack where they are copied or written."""
    with safe_open(person, "pt") as file:
        about = file.metadata()
    save_file(load_file(person), tmp_path / "deep.safetensors", metadata=about | {"w2w.history": history})
    says = "warning: the identity's history is not a JSON list and is left out"
    assert says in edit("--add", "Young=1", "--no-images", "-o", "e.safetensors", identity="deep.safetensors").stderr
    with safe_open(tmp_path / "e.safetensors", "pt") as file:
        assert [entry["command"] for entry in json.loads(file.metadata()["w2w.history"])] == ["edit"]
    own = ["--space", space, "--model", world.model]
    assert says in w2w("interpolate", "deep.safetensors", person, *own, "--no-images", "--points", 2, "-o", "way").stderr
    with safe_open(next((tmp_path / "way").glob("*_01.safetensors")), "pt") as file:
        (entry,) = json.loads(file.metadata()["w2w.history"])
    assert entry["from"] == [] and [e["command"] for e in entry["to"]] == ["sample"]
    w2w("export", "deep.safetensors", *own, "-o", "lora.safetensors")
    w2w("import", "lora.safetensors", *own, "-o", "back.safetensors")
    w2w("inspect", "deep.safetensors", "--json")
    w2w("inspect", "lora.safetensors", "--json")


def test_a_sweep_from_next_to_nothing(edit, tmp_path):
    """The strengths are numpy's linspace, also where they are subnormal."""
    done = json.loads(edit("--sweep", "Young=1e-310:1:3", "--no-images", "--json", "-o", "out").stdout)
    strengths = []
    for output in done["outputs"]:
        with safe_open(tmp_path / output["path"], "pt") as file:
            strengths.append(json.loads(file.metadata()["w2w.history"])[-1]["add"]["Young"])
    assert strengths == [1e-310, 0.5, 1]


LABELS = [
    ("name,Young\nperson_0,1\n", 1, "no labels for 'person_1', 'person_2', 'person_3', ... (29 in all)"),
    ("name,Young\n" + "".join(f"person_{i},{(-1) ** i}\n" for i in range(31)), 1, "unknown to the space: 'person_30'"),
    ("name,Young\n" + "person_0,1\n" * 30, 3, "'person_0' twice"),
    ("name,Young\n" + "".join(f"person_{i},1\n" for i in range(30)), 1, "30 with it, 0 without"),
    ("name,Young\n" + "".join(f"person_{i},{i}\n" for i in range(30)), 1, "expected labels +1 and -1, or 1 and 0"),
    ("name,Young\nperson_0,1,2\n", 3, "labels.csv"),
    ("", 3, "labels.csv"),
]


@pytest.mark.parametrize("content, code, what", LABELS, ids=[what[:20] for *_, what in LABELS])
def test_labels_that_do_not_fit(edit, space, tmp_path, content, code, what):
    (space / "labels.csv").write_text(content)
    assert what in edit("--add", "Young=1", code=code).stderr
    assert not written(tmp_path)


def test_labels_in_another_number_than_a_released_space_has(w2w, world, person, tmp_path):
    released = world.space.save_released(tmp_path / ".space" / "files")
    write_labels(tmp_path / ".space" / "l.csv", rows=range(29))
    done = w2w("edit", person, "--space", released, "--add", "Young=1", "--labels", tmp_path / ".space" / "l.csv", code=1)
    assert "expected 30 rows, as the projections have, found 29" in done.stderr


def test_a_space_that_knows_no_attributes(edit, space):
    (space / "labels.csv").unlink()
    done = edit("--add", "Young=1", code=4)
    assert "has no attributes: expected labels.csv" in done.stderr and "hint: give --labels or --directions" in done.stderr


def test_directions_of_another_space(edit, world, tmp_path):
    save_file({"directions": torch.ones(1, 20), "covariance": torch.ones(1, 1).double(), "largest": torch.ones(1).double(),
               "counts": torch.ones(1, 2).long()}, tmp_path / ".d.safetensors",
              {"w2w.format": "1", "w2w.space": "0" * 64, "w2w.attributes": '["Young"]'})
    done = edit("--add", "Young=1", "--directions", ".d.safetensors", code=1)
    assert "belong to another space" in done.stderr and world.space.hash[:8] in done.stderr
    (tmp_path / ".d.safetensors").write_bytes(b"none")
    edit("--add", "Young=1", "--directions", ".d.safetensors", code=3)


def test_people_who_cannot_be_edited(w2w, edit, person, world, space, tmp_path):
    assert "nobody" in edit("--add", "Young=1", identity="nobody", code=4).stderr
    w2w("sample", *world.options, "--identity-seed", 7, "--no-images", "--lora", "peft", "-o", ".x")
    done = edit("--add", "Young=1", identity=".x/person-7_lora", code=2)
    assert "found a LoRA" in done.stderr and "w2w import" in done.stderr
    w2w("sample", *world.options, "--identity-seed", 7, "--no-images", "--lora", "kohya", "-o", ".y")
    assert "found a LoRA" in edit("--add", "Young=1", identity=".y/person-7_lora.safetensors", code=2).stderr
    (tmp_path / ".z").write_bytes(b"not a tensor")
    edit("--add", "Young=1", identity=".z", code=3)
    save_file({"weight": torch.ones(3)}, tmp_path / ".w.safetensors")
    assert "expected a tensor 'coefficients'" in edit("--add", "Young=1", identity=".w.safetensors", code=3).stderr
    other = make_space(make_pipeline(SHAPES["demo"]).unet, components=9, seed=5).save_compact(tmp_path / ".other")
    assert "belongs to another space" in w2w("edit", person, "--space", other, "--add", "Young=1", code=1).stderr
    assert "edit takes one identity, found 2" in w2w("edit", person, person, "--add", "Young=1", code=2).stderr


def test_help_leads_with_examples(w2w):
    for command in ("edit", "direction list"):
        text = w2w("help", *command.split()).stdout
        assert text.index("Examples") < text.index("Usage") < text.index("--components")
    assert "w2w edit person-7.safetensors --add Eyeglasses=2" in w2w("edit", "--help").stdout


def test_direction_list_of_the_demo_world(w2w):
    """What a newcomer sees, with nothing but defaults."""
    lines = w2w("direction", "list").stdout.splitlines()
    assert lines[0].split() == ["attribute", "with", "without", "std", "smallest", "largest", "variance", "related"]
    assert len(lines) == 23 and any(line.startswith("Eyeglasses ") for line in lines)


def test_direction_names_alone(w2w, space):
    """What completion asks for: nothing is fitted, so that labels without projections will do."""
    listed = json.loads(w2w("direction", "list", "--json").stdout)
    assert w2w("direction", "list", "--names").stdout.splitlines() == [entry["attribute"] for entry in listed["attributes"]]
    assert json.loads(w2w("direction", "list", "--names", "--json").stdout)["attributes"][0] == listed["attributes"][0]["attribute"]
    header = (space / "labels.csv").read_text().splitlines()[0]
    assert w2w("direction", "list", "--names", "--space", space).stdout.split() == header.split(",")[1:]


def test_direction_list_leaves_out_what_is_no_attribute(w2w, space):
    text = (space / "labels.csv").read_text().splitlines()
    (space / "labels.csv").write_text("\n".join([text[0] + ",Age", *(f"{line},{i}" for i, line in enumerate(text[1:]))]) + "\n")
    done = w2w("direction", "list", "--space", space)
    assert len(done.stdout.splitlines()) == 5 and "left out: attribute 'Age'" in done.stderr


@pytest.mark.parametrize("words, what", [
    ([], "direction expects an action: fit or list"), (["fti"], "did you mean 'fit'?"), (["lst"], "did you mean 'list'?"),
    (["list", "x"], "unexpected argument 'x'"), (["list", "--method", "ridge"], "--method is an option of `w2w direction fit`")])
def test_direction_words(w2w, words, what):
    assert what in w2w("direction", *words, code=2).stderr
