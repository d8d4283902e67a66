"""`export`, `import`, `nearest`, `interpolate`: what they write, what they print, what they refuse."""
import hashlib
import json
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.tiny_models import SHAPES, make_pipeline
from parity.tiny_spaces import make_space, make_space_of


@pytest.fixture
def person(w2w, world, tmp_path):
    w2w("sample", "--space", world.folder, "--identity-seed", 7, "--no-images")
    return tmp_path / "person-7.safetensors"


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
    lines = [line for line in done.stderr.splitlines() if not line.startswith("w2w: using the demo world")]
    assert lines[0].startswith("w2w: error: "), done.stderr
    return lines[0].removeprefix("w2w: error: "), (lines + [""])[1].removeprefix("hint: ")


# --- export ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form, name, kind", [("kohya", "person-7_lora.safetensors", "lora"), ("peft", "person-7_lora", "lora"),
                                              ("diffusers", "person-7_lora.safetensors", "lora"), ("pt", "person-7.pt", "coefficients")])
def test_every_format(w2w, world, person, tmp_path, form, name, kind):
    done = run(w2w, world, "export", person.name, "--format", form, "-o", "out", "--json")
    assert [(o["path"], o["kind"]) for o in facts(done)] == [(f"out/{name}", kind)]
    if form == "pt":
        written = torch.load(tmp_path / "out" / name, weights_only=True)
        assert written.shape == (1, 20) and written.dtype == torch.float32
        assert torch.equal(written[0], load_file(person)["coefficients"])
        return
    file = tmp_path / "out" / name / ("adapter_model.safetensors" if form == "peft" else "")
    assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float16}
    assert json.loads(metadata(file)["w2w.history"])[0]["identity_seed"] == 7
    assert metadata(file)["w2w.space"] == world.space.hash


def test_the_space_alone_is_enough(w2w, world, person, tmp_path):
    w2w("export", person.name, "--space", world.folder)
    assert (tmp_path / "person-7_lora.safetensors").exists()


def test_the_released_space_takes_its_modules_from_the_model(w2w, world, tmp_path):
    save_file({"coefficients": world.space.projections[1].clone()}, tmp_path / "p.safetensors")
    folder = world.space.save_released(tmp_path / "files")
    w2w("export", "p.safetensors", "--space", folder, "--model", world.model, "-o", "a.safetensors", "--no-metadata")
    w2w("export", "p.safetensors", "--space", world.folder, "-o", "b.safetensors", "--name", "a", "--no-metadata")
    a, b = load_file(tmp_path / "a.safetensors"), load_file(tmp_path / "b.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("form, output", [("kohya", "x.safetensors"), ("diffusers", "x.safetensors"), ("pt", "x.pt"), ("peft", "x")])
def test_the_same_command_gives_the_same_bytes_anywhere(w2w, world, person, tmp_path, form, output):
    for folder in ("a", "b/c"):
        run(w2w, world, "export", person.name, "--format", form, "-o", f"{folder}/{output}")
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.read_bytes() == (tmp_path / "b/c" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_lora_in_another_format(w2w, world, person, tmp_path):
    run(w2w, world, "export", person.name, "--dtype", "f32")
    done = run(w2w, world, "export", "person-7_lora.safetensors", "--format", "peft", "--dtype", "f32", "-o", "peft")
    assert done.stdout == "peft/person-7_lora\n"
    run(w2w, world, "export", "peft/person-7_lora", "--dtype", "f32", "-o", "back.safetensors")
    first, back = load_file(tmp_path / "person-7_lora.safetensors"), load_file(tmp_path / "back.safetensors")
    assert first.keys() == back.keys() and all(torch.equal(first[name], back[name]) for name in first)
    assert json.loads(metadata(tmp_path / "back.safetensors")["w2w.history"])[0]["identity_seed"] == 7


def test_titles(w2w, world, person, tmp_path):
    run(w2w, world, "export", person.name, "--name", "Ada", "-o", "x.safetensors")
    assert metadata(tmp_path / "x.safetensors")["ss_output_name"] == "Ada"
    run(w2w, world, "export", person.name, "--no-metadata", "-o", "y.safetensors")
    assert not any(key.startswith("w2w.") for key in metadata(tmp_path / "y.safetensors"))


CLAIMS = "modelspec.architecture", "ss_base_model_version", "modelspec.resolution", "ss_v2"


def claims(path):
    return [metadata(path).get(key) for key in CLAIMS]


def test_a_lora_of_the_demo_world_is_none_of_stable_diffusion(w2w, tmp_path):
    w2w("sample", "--identity-seed", 7, "--no-images", "--lora", "kohya", "-o", "a")
    said = w2w("export", "a/person-7.safetensors", "-o", "b").stderr.splitlines()
    assert said[-1] == "fits the demo model only (64x64), not Stable Diffusion"
    done = w2w("export", "a/person-7_lora.safetensors", "-o", "c", "--json", "-q")
    assert facts(done)[0]["fits"] == "the demo model only (64x64), not Stable Diffusion" and done.stderr == ""
    for folder in "abc":
        assert claims(tmp_path / folder / "person-7_lora.safetensors") == ["w2w-demo/lora", None, "64x64", "False"]


def test_a_lora_of_another_model_claims_none(w2w, world, person, tmp_path):
    done = run(w2w, world, "export", person.name, "-o", "a.safetensors", "--json")
    assert facts(done)[0]["fits"] == "models like tiny only (64x64), not Stable Diffusion"
    assert claims(tmp_path / "a.safetensors") == ["unknown/lora", None, "64x64", "False"]
    done = w2w("export", person.name, "--space", world.folder, "-o", "b.safetensors")  # which says nothing of the size
    assert done.stderr.splitlines()[-1] == "fits models like tiny only, not Stable Diffusion"
    assert claims(tmp_path / "b.safetensors") == ["unknown/lora", None, None, "False"]


@pytest.mark.parametrize("text, said, expected", [
    (768, "Stable Diffusion 1.x", ["stable-diffusion-v1/lora", "sd_v1", "512x512", "False"]),
    (1024, "Stable Diffusion 2.x", ["stable-diffusion-v2/lora", "sd_v2", None, "True"])])
def test_a_lora_of_stable_diffusion_says_so(w2w, tmp_path, text, said, expected):
    """Every linear layer of its UNet, by diffusers."""
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(cross_attention_dim=text, use_linear_projection=text == 1024)
    modules = sorted((name, layer.in_features, layer.out_features) for name, layer in unet.named_modules() if isinstance(layer, torch.nn.Linear))
    space = make_space_of(modules, components=2).save_compact(tmp_path / "space")
    w2w("sample", "--space", space, "--identity-seed", 7, "--no-images")
    done = w2w("export", "person-7.safetensors", "--space", space)
    assert done.stderr == f"fits {said}\n"
    assert claims(tmp_path / "person-7_lora.safetensors") == expected


def test_several_at_once(w2w, world, tmp_path):
    w2w("sample", "--space", world.folder, "--count", 2, "--identity-seed", 7, "--no-images")
    done = run(w2w, world, "export", "person-7.safetensors", "person-8.safetensors", "-o", "out")
    assert done.stdout.splitlines() == ["out/person-7_lora.safetensors", "out/person-8_lora.safetensors"]


def test_a_merged_model_draws_the_person_without_a_lora(w2w, world, person, tmp_path):
    """A LoRA of zeros on the merged model against the person on the base model."""
    w2w("render", person.name, *world.options, "-s", 5, "-o", "expected.png")
    run(w2w, world, "export", person.name, "--merge", "-o", "merged")
    nobody = {}
    for name, columns, rows in world.space.modules:
        nobody[f"unet.{name}.lora_A.weight"], nobody[f"unet.{name}.lora_B.weight"] = torch.zeros(1, columns), torch.zeros(rows, 1)
    save_file(nobody, tmp_path / "nobody.safetensors")
    w2w("render", "nobody.safetensors", "--model", "merged", "--steps", 2, "-s", 5, "--cfg-scale", 3, "-o", "found.png")
    found, expected = (np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("found", "expected"))
    assert np.abs(found - expected).max() <= 1


EXPORT_REFUSED = [
    (["--format", "koyha"], 2, "unknown value 'koyha' of --format", "did you mean 'kohya'?"),
    (["--merge", "--format", "peft"], 2, "use one of them", ""),
    (["--merge", "-o", "x.ckpt"], 2, "merged models are written as .safetensors, not .ckpt", ""),
    (["--merge", "--name", "Ada"], 2, "no LoRA is written", ""),
    (["--dtype", "f64"], 2, "unknown value 'f64' of --dtype", ""),
    (["-o", "/proc/x"], 1, "/proc/x", ""),
]


@pytest.mark.parametrize("arguments, code, what, hint", EXPORT_REFUSED, ids=lambda value: str(value)[:30])
def test_export_refuses(w2w, world, person, tmp_path, arguments, code, what, hint):
    found = refused(run(w2w, world, "export", person.name, *arguments, code=code))
    assert what in found[0] and hint in found[1]
    assert [path.name for path in tmp_path.iterdir()] == ["person-7.safetensors"]


def test_export_refuses_what_does_not_fit(w2w, world, person, tmp_path):
    assert "no such identity" in refused(run(w2w, world, "export", "nobody.safetensors", code=4))[0]
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert "bad.safetensors" in refused(run(w2w, world, "export", "bad.safetensors", code=3))[0]
    run(w2w, world, "export", person.name)
    found = refused(run(w2w, world, "export", "person-7_lora.safetensors", "--format", "pt", code=2))
    assert "found a LoRA" in found[0] and "w2w import" in found[1]
    assert "--force" in refused(run(w2w, world, "export", person.name, code=1))[1]
    other = make_space(make_pipeline(SHAPES["demo"]).unet, seed=5).save_compact(tmp_path / "other")
    assert "belongs to another space" in refused(w2w("export", person.name, "--space", other, "-o", "o", code=1))[0]
    says = w2w("export", "person-7_lora.safetensors", "--format", "peft", "-o", "o", code=3).stderr
    assert "no model or space given: using the demo world" in says and "hint: it was made for another model" in says
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


@pytest.mark.parametrize("epoch, date", [("0", "1970-01-01T00:00:00Z"), ("1700000000", "2023-11-14T22:13:20Z"),
                                         ("253402300799", "9999-12-31T23:59:59Z"), ("", None)])
def test_a_date_only_by_source_date_epoch(w2w, world, person, tmp_path, epoch, date):
    run(w2w, world, "export", person.name, "-o", "x.safetensors", SOURCE_DATE_EPOCH=epoch)
    assert metadata(tmp_path / "x.safetensors").get("modelspec.date") == date


@pytest.mark.parametrize("epoch", ["253402300800", "99999999999999999999999", "-1", "today", "1e9"])
def test_a_source_date_epoch_that_is_no_date(w2w, world, person, tmp_path, epoch):
    what = refused(run(w2w, world, "export", person.name, "-o", "x.safetensors", SOURCE_DATE_EPOCH=epoch, code=2))[0]
    assert what == f"SOURCE_DATE_EPOCH expects a whole number from 0 to 253402300799, found '{epoch}'"
    assert not (tmp_path / "x.safetensors").exists()


# --- import ---------------------------------------------------------------------------------------------------------

def test_import_says_what_it_found(w2w, world, person, tmp_path):
    run(w2w, world, "export", person.name)
    done = run(w2w, world, "import", "person-7_lora.safetensors", "-o", "back.safetensors")
    assert done.stdout == "back.safetensors\n"
    assert "residual outside the space" in done.stderr and "relative error of the weight change" in done.stderr
    history = json.loads(metadata(tmp_path / "back.safetensors")["w2w.history"])
    assert history[0]["identity_seed"] == 7
    assert history[1] == {"command": "import", "file": "person-7_lora.safetensors", "components": 20,
                          "sha256": hashlib.sha256((tmp_path / "person-7_lora.safetensors").read_bytes()).hexdigest()}
    assert metadata(tmp_path / "back.safetensors")["w2w.space"] == world.space.hash


def test_import_of_the_reference_file(w2w, world, person, tmp_path):
    coefficients = load_file(person)["coefficients"]
    (tmp_path / "me").mkdir()
    torch.save(coefficients[None], tmp_path / "me/w2wmodel.pt")
    done = run(w2w, world, "import", "me/w2wmodel.pt")
    assert done.stdout == "me.safetensors\n"
    assert torch.equal(load_file(tmp_path / "me.safetensors")["coefficients"], coefficients)
    assert metadata(tmp_path / "me.safetensors")["w2w.space"] == world.space.hash


@pytest.fixture
def kohya(w2w, world, person, tmp_path):
    """lora.safetensors of person 7, and the function that saves it changed."""
    run(w2w, world, "export", person.name, "--dtype", "f32", "-o", "lora.safetensors")
    tensors = load_file(tmp_path / "lora.safetensors")

    def save(change):
        changed = dict(tensors)
        change(changed)
        save_file(changed, tmp_path / "changed.safetensors")
    return save


STEM = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v"


def outside(tensors):
    tensors[STEM.replace("to_v", "to_k") + ".lora_down.weight"] = torch.ones(2, 32)
    tensors[STEM.replace("to_v", "to_k") + ".lora_up.weight"] = torch.ones(64, 2)
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.ones(1, 32)
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = torch.ones(96, 1)


def test_import_leaves_out_only_on_demand(w2w, world, kohya, person, tmp_path):
    kohya(outside)
    what, hint = refused(run(w2w, world, "import", "changed.safetensors", "-o", "part.safetensors", code=1))
    assert "changes 2 matrices that are not part of the space" in what and "attn2_to_k" in what and "--partial" in hint
    done = run(w2w, world, "import", "changed.safetensors", "--partial", "-o", "part.safetensors", "--json")
    assert "2 matrices outside the space are ignored" in done.stderr
    (entry,) = facts(done)
    assert entry["left_out_matrices"] == 2 and 0.1 < entry["left_out"] < 1
    torch.testing.assert_close(load_file(tmp_path / entry["path"])["coefficients"], load_file(person)["coefficients"],
                               rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change, code, what", [
    (lambda t: [t.pop(STEM + part) for part in (".lora_down.weight", ".lora_up.weight")], 1, "does not change mid_block.attentions.0."),
    (lambda t: t.pop(STEM + ".lora_up.weight"), 3, "found no up factor"),
    (lambda t: t.update({STEM + ".lora_up.weight": torch.ones(65, 1)}), 3, "expected down [r, 32] and up [64, r]"),
    (lambda t: t.update({STEM + ".lora_up.weight": torch.full((64, 1), float("nan"))}), 3, "not finite"),
    (lambda t: t.update({STEM + ".hada_w1_a": torch.ones(3, 3)}), 3, "it is a LoHa (LyCORIS)"),
], ids=["missing", "half", "shape", "nan", "kind"])
def test_import_names_what_does_not_fit(w2w, world, kohya, tmp_path, change, code, what):
    kohya(change)
    assert what in refused(run(w2w, world, "import", "changed.safetensors", "-o", "out", code=code))[0]
    assert not list((tmp_path / "out").glob("*"))


def test_import_refuses(w2w, world, kohya, person):
    assert "20" in refused(run(w2w, world, "import", "lora.safetensors", "--components", 21, "-o", "x.safetensors", code=2))[0]
    assert "--components" in refused(run(w2w, world, "import", person.name, "--components", 5, code=2))[0]
    assert "no such identity" in refused(run(w2w, world, "import", "none.safetensors", code=4))[0]
    assert "exists already" in refused(run(w2w, world, "import", "lora.safetensors", "-o", person.name, code=1))[0]


# --- nearest --------------------------------------------------------------------------------------------------------

def cosines(space, coefficients):
    centred = (space.projections - space.projections.mean(0)).double()
    c = coefficients.double() - space.projections.mean(0).double()
    return (centred @ c) / centred.norm(dim=1) / c.norm()


def test_nearest_against_numpy(w2w, world, person):
    done = run(w2w, world, "nearest", person.name, "--json")
    expected = cosines(world.space, load_file(person)["coefficients"]).sort(descending=True)
    found = json.loads(done.stdout)["neighbours"]
    assert [n["row"] for n in found] == expected.indices[:10].tolist()
    np.testing.assert_allclose([n["cosine"] for n in found], expected.values[:10], atol=1e-6)
    assert [n["name"] for n in found] == [f"person_{n['row']}" for n in found]
    lines = run(w2w, world, "nearest", person.name, "--count", 2).stdout.splitlines()
    assert [line.split() for line in lines] == [["rank", "cosine", "person"]] + [
        [str(i + 1), f"{n['cosine']:.3f}", n["name"]] for i, n in enumerate(found[:2])]


def test_a_training_person_is_nearest_to_itself(w2w, world, tmp_path):
    save_file({"coefficients": world.space.projections[11].clone()}, tmp_path / "x.safetensors")
    run(w2w, world, "export", "x.safetensors")
    best = json.loads(run(w2w, world, "nearest", "x_lora.safetensors", "--json").stdout)["neighbours"][0]
    assert best["name"] == "person_11" and best["cosine"] > 0.9999


def test_fewer_coefficients_count_alone(w2w, world, tmp_path):
    save_file({"coefficients": world.space.projections[4, :3].clone()}, tmp_path / "x.safetensors")
    best = json.loads(run(w2w, world, "nearest", "x.safetensors", "--json").stdout)["neighbours"][0]
    assert best["row"] == 4 and best["cosine"] > 0.9999


def test_nearest_in_the_released_space(w2w, world, person, tmp_path):
    folder = world.space.save_released(tmp_path / "files")
    done = w2w("nearest", person.name, "--space", folder, "--count", 1)  # no model need say what its parameters are
    row = cosines(world.space, load_file(person)["coefficients"]).argmax().item()
    assert done.stdout.splitlines()[1].endswith(f"row {row}")


def test_names_come_from_the_labels_of_the_release(w2w, world, person, tmp_path):
    pandas = pytest.importorskip("pandas")
    folder = world.space.save_released(tmp_path / "files")
    row = cosines(world.space, load_file(person)["coefficients"]).argmax().item()
    near = lambda: w2w("nearest", person.name, "--space", folder, "--model", world.model, "--count", 1)
    torch.save(pandas.DataFrame({"Male": [1.0, -1.0] * 15}, index=[f"model-{i}" for i in range(30)]), folder / "identity_df.pt")
    assert near().stdout.splitlines()[1].endswith(f" model-{row}")
    torch.save(pandas.DataFrame({"Male": [1.0] * 29}, index=[f"model-{i}" for i in range(29)]), folder / "identity_df.pt")
    done = near()
    assert "has 29 names, the space has 30" in done.stderr and done.stdout.splitlines()[1].endswith(f" row {row}")


def test_nearest_draws_everybody(w2w, world, person, tmp_path):
    done = run(w2w, world, "nearest", person.name, "--count", 2, "-s", "5,6", "--steps", 2, "-o", "sheet.png")
    assert done.stdout.splitlines()[-1] == "sheet.png"
    picture = Image.open(tmp_path / "sheet.png")
    assert picture.width > 3 * 64 and picture.height > 2 * 64
    command = shlex.split(next(line for line in w2w("inspect", "sheet.png").stdout.splitlines() if "w2w nearest" in line).split("command", 1)[1])
    w2w(*command[1:], "-o", "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "sheet.png").read_bytes()
    run(w2w, world, "nearest", person.name, "--count", 1, "--steps", 1, "-s", 1, "-o", "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["person-7_nearest.png"]


def test_nearest_refuses(w2w, world, person, tmp_path):
    assert "1 to 30 neighbours" in refused(run(w2w, world, "nearest", person.name, "--count", 31, code=2))[0]
    assert "takes one identity" in refused(run(w2w, world, "nearest", code=2))[0]
    (world.folder / "projections.safetensors").rename(tmp_path / "aside")
    try:
        assert "no projections" in refused(run(w2w, world, "nearest", person.name, code=1))[0]
    finally:
        (tmp_path / "aside").rename(world.folder / "projections.safetensors")


def test_cosines_that_are_undefined(w2w, world, tmp_path):
    """A person may be as far away as f32 goes; one without a deviation from the mean is not near anybody."""
    far = world.space.projections[3] * 1e30
    save_file({"coefficients": far}, tmp_path / "far.safetensors")
    found = json.loads(run(w2w, world, "nearest", "far.safetensors", "--json").stdout)["neighbours"]
    expected = cosines(world.space, far.double()).sort(descending=True)
    assert [n["row"] for n in found] == expected.indices[:10].tolist()
    np.testing.assert_allclose([n["cosine"] for n in found], expected.values[:10], atol=1e-6)
    save_file({"coefficients": world.space.projections.mean(0)}, tmp_path / "mean.safetensors")
    assert "cosine similarity is undefined" in refused(run(w2w, world, "nearest", "mean.safetensors", code=1))[0]
    for value in float("nan"), float("inf"), -float("inf"):
        for at in 0, 19:
            bad = world.space.projections[0].clone()
            bad[at] = value
            save_file({"coefficients": bad}, tmp_path / "bad.safetensors")
            torch.save(bad[None], tmp_path / "bad.pt")
            for name in "bad.safetensors", "bad.pt":
                for command in ["nearest", name], ["export", name], ["render", name, "-s", 1], ["interpolate", name, "mean.safetensors"]:
                    assert "not all finite (" + name in refused(run(w2w, world, *command, code=3))[0]


# --- interpolate ----------------------------------------------------------------------------------------------------

@pytest.fixture
def two(w2w, world, tmp_path):
    w2w("sample", "--space", world.folder, "--count", 2, "--identity-seed", 7, "--no-images")
    return [load_file(tmp_path / f"person-{seed}.safetensors")["coefficients"] for seed in (7, 8)]


def test_people_on_the_way_in_the_released_space(w2w, world, two, tmp_path):
    released = world.space.save_released(tmp_path / "files")
    w2w("interpolate", "person-7.safetensors", "person-8.safetensors", "--space", released, "--points", 3, "--no-images", "-o", "way")
    middle = load_file(tmp_path / "way/person-7-to-person-8_02.safetensors")["coefficients"]
    torch.testing.assert_close(middle, (two[0] + two[1]) / 2)


def test_people_on_the_way(w2w, world, two, tmp_path):
    done = run(w2w, world, "interpolate", "person-7.safetensors", "person-8.safetensors", "--points", 3, "-s", "5,6", "--steps", 2,
               "--lora", "peft", "-o", "way")
    expected = [f"way/person-7-to-person-8_0{i}{rest}" for i in (1, 2, 3)
                for rest in (".safetensors", "_lora", "_p1_s5.png", "_p1_s6.png")] + ["way/person-7-to-person-8_sheet.png"]
    assert done.stdout.splitlines() == expected
    for i, weight in enumerate((0, 0.5, 1)):
        found = load_file(tmp_path / f"way/person-7-to-person-8_0{i + 1}.safetensors")["coefficients"]
        torch.testing.assert_close(found, torch.lerp(*two, weight), rtol=1e-6, atol=1e-7)
    history = json.loads(metadata(tmp_path / "way/person-7-to-person-8_02.safetensors")["w2w.history"])
    assert history[0]["position"] == 0.5 and history[0]["from"][0]["identity_seed"] == 7 and history[0]["to"][0]["identity_seed"] == 8
    w2w("render", "person-7.safetensors", *world.options, "-s", 5, "-o", "one.png")
    assert (np.asarray(Image.open(tmp_path / "one.png")) == np.asarray(Image.open(tmp_path / "way/person-7-to-person-8_01_p1_s5.png"))).all()
    sheet = Image.open(tmp_path / "way/person-7-to-person-8_sheet.png")
    assert sheet.width > 3 * 64 and sheet.height > 2 * 64


def test_a_shorter_end_is_padded_with_zeros(w2w, world, two, tmp_path):
    save_file({"coefficients": two[1][:5].clone()}, tmp_path / "short.safetensors")
    done = run(w2w, world, "interpolate", "short.safetensors", "person-7.safetensors", "--points", 2, "--no-images", "--json")
    assert "short.safetensors has 5 coefficients, person-7.safetensors has 20" in done.stderr
    assert [entry["kind"] for entry in facts(done)] == ["coefficients"] * 2
    first = load_file(tmp_path / facts(done)[0]["path"])["coefficients"]
    assert torch.equal(first, torch.nn.functional.pad(two[1][:5], (0, 15)))


def test_interpolate_refuses(w2w, world, two):
    assert "takes two identities, found 1" in refused(run(w2w, world, "interpolate", "person-7.safetensors", code=2))[0]
    found = refused(run(w2w, world, "interpolate", "person-7.safetensors", "person-8.safetensors", "--points", 1, code=2))
    assert "--points expects a whole number from 2" in found[0]
    assert "no such identity (x)" in refused(run(w2w, world, "interpolate", "person-7.safetensors", "x", code=4))[0]
