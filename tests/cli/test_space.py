"""`space`: what build, convert, info and verify write and refuse, and builds that are interrupted. Numbers are in tests/parity."""
import json
import signal
import subprocess

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from conftest import until
from parity.loras import draw_models, save_kohya, save_matrix, save_peft

MODELS = 12


@pytest.fixture
def loras(world, tmp_path):
    """A folder of LoRA files."""
    folder = tmp_path / "loras"
    folder.mkdir()
    for i, theta in enumerate(draw_models(world.space.modules, MODELS)):
        save_kohya(world.space.modules, theta, folder / f"person_{i:02}_lora.safetensors")
    return folder


@pytest.fixture
def build(w2w, world, tmp_path):
    def run(*arguments, code=0, **options):
        return w2w("space", "build", *arguments, "-m", world.model, code=code, **options)
    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_writes_a_space_that_works(w2w, build, world, loras, tmp_path):
    done = build(loras, "-o", "new/space", "--steps", 3, "--prompt", "sks cat", "--base-model", "tiny")
    assert done.stdout == "new/space\n"
    assert sorted(contents(tmp_path / "new/space")) == ["basis.safetensors", "projections.safetensors", "space.json"]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["space"]
    description = json.loads((tmp_path / "new/space/space.json").read_text())
    assert description["components"] == MODELS - 1 and description["models"] == MODELS
    assert description["defaults"]["prompt"] == "sks cat" and description["defaults"]["steps"] == 3
    assert description["base_model"] == "tiny"
    w2w("sample", "--space", "new/space", "-m", world.model, "--identity-seed", 1, "-s", 1, "-o", "people")
    w2w("import", loras / "person_03_lora.safetensors", "--space", "new/space", "-m", world.model, "-o", "p3.safetensors")
    imported = load_file(tmp_path / "p3.safetensors")["coefficients"]
    own = load_file(tmp_path / "new/space/projections.safetensors")["projections"][3]
    assert (imported - own).norm() <= 1e-4 * own.norm()


def test_any_linear_layers_make_a_space(w2w, build, world, tmp_path):
    """Such as those of LoRAs for parts of a model; every command takes the result."""
    with safe_open(world.model / "unet/diffusion_pytorch_model.safetensors", "np") as file:
        shapes = {key.removesuffix(".weight"): file.get_slice(key).get_shape() for key in file.keys()}
    modules = sorted((name, *shape[::-1]) for name, shape in shapes.items()
                     if name.startswith("up_blocks") and name.endswith(("attn2.to_k", "ff.net.2")))
    assert {name.rpartition("transformer_blocks.0.")[2] for name, *_ in modules} == {"attn2.to_k", "ff.net.2"}
    (tmp_path / "loras").mkdir()
    for i, theta in enumerate(draw_models(modules, MODELS)):
        save_kohya(modules, theta, tmp_path / f"loras/p{i:02}.safetensors")
    build("loras", "-o", "space", "--steps", 2)
    own = ["--space", "space", "-m", world.model]
    w2w("sample", *own, "--identity-seed", 1, "-s", 1, "-o", "people")
    (person,), (picture,) = (list((tmp_path / "people").glob(f"*.{kind}")) for kind in ("safetensors", "png"))
    w2w("invert", picture, *own, "--steps", 2, "-o", "inverted.safetensors")
    w2w("export", person, *own, "-o", "lora.safetensors")
    assert len(load_file(tmp_path / "lora.safetensors")) >= 2 * len(modules)
    description = json.loads((tmp_path / "space/space.json").read_text())
    description["model_layers"] += 1
    (tmp_path / "space/space.json").write_text(json.dumps(description))
    assert "was made for another model: expected one of" in w2w("sample", *own, "-o", "none", code=1).stderr


def test_json_and_progress(build, loras):
    done = build(loras, "-o", "space", "--json", "--components", 5)
    (output,) = json.loads(done.stdout)["outputs"]
    assert output["kind"] == "space" and output["models"] == MODELS and output["components"] == 5
    assert output["method"] == "exact" and 0.5 < output["explained"] < 1
    assert "collecting" in done.stderr and "components" in done.stderr and "% of the variance" in done.stderr


def test_a_folder_with_fewer_models_than_components_asked(build, loras):
    error = build(loras, "-o", "space", "--components", MODELS, code=2).stderr
    assert f"too few models: {MODELS} components need at least {MODELS + 1}, found {MODELS}" in error
    assert f"hint: --components {MODELS - 1} at most" in error


def test_one_model_is_no_space(build, loras):
    assert "too few models" in build(next(loras.iterdir()), "-o", "space", code=2).stderr


def test_models_that_depend_on_each_other(build, world, tmp_path):
    models = draw_models(world.space.modules, 6)
    models[5] = models[2]
    matrix = save_matrix(models, tmp_path / "m.safetensors")
    error = build(matrix, "-o", "space", "--components", 5, code=1).stderr
    assert "are linearly dependent: rank 4" in error and "--components 4 or fewer" in error
    assert not list(tmp_path.glob("*.building"))
    done = build(matrix, "-o", "space")
    assert "the 6 models are linearly dependent: rank 4" in done.stderr
    assert load_file(tmp_path / "space/basis.safetensors")["components"].shape[0] == 4
    save_matrix(np.repeat(models[:1], 4, 0), tmp_path / "same.safetensors")
    assert "all 4 models are equal" in build(tmp_path / "same.safetensors", "-o", "none", code=1).stderr


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_named(build, world, loras, tmp_path, value):
    name = world.space.modules[2][0]
    models = draw_models(world.space.modules, MODELS)
    at = sum(i + o for _, i, o in world.space.modules[:2]) + 1
    models[7, at] = value
    error = build(save_matrix(models, tmp_path / "m.safetensors"), "-o", "space", code=3).stderr
    assert "model 'model_00008'" in error and name in error and "not finite" in error
    save_kohya(world.space.modules, models[7], loras / "person_07_lora.safetensors")
    error = build(loras, "-o", "space", code=3).stderr
    assert "person_07_lora.safetensors" in error and name in error and "not finite" in error
    assert not list(tmp_path.glob("*space*"))


def test_duplicate_names_are_refused_with_both_places(build, world, loras, tmp_path):
    save_peft(world.space.modules, draw_models(world.space.modules, 1)[0], tmp_path / "more" / "person_03")
    error = build(loras, tmp_path / "more", "-o", "space", code=1).stderr
    assert "two models are named 'person_03'" in error
    assert "loras/person_03_lora.safetensors" in error and "more/person_03" in error
    names = tmp_path / "names.txt"
    names.write_text("".join(f"p{i}\n" for i in range(MODELS + 1)))
    build(loras, tmp_path / "more", "--names", names, "-o", "space")
    with safe_open(tmp_path / "space/projections.safetensors", "pt") as file:
        assert json.loads(file.metadata()["names"])[-1] == f"p{MODELS}"


def test_mixed_geometries_are_refused(build, world, loras, tmp_path):
    modules = world.space.modules
    fewer = draw_models(modules[1:], 1)[0]
    save_kohya(modules[1:], fewer, loras / "zoe.safetensors")
    error = build(loras, "-o", "space", code=1).stderr
    assert "zoe.safetensors) does not change " + modules[0][0] in error and "person_00" in error
    (loras / "zoe.safetensors").rename(loras / "adam.safetensors")
    error = build(loras, "-o", "space", code=1).stderr
    assert "person_00_lora.safetensors) changes " + modules[0][0] in error and "adam" in error
    (loras / "adam.safetensors").unlink()
    save_matrix(draw_models(modules, 3)[:, :-1], tmp_path / "m.safetensors")
    assert "expected" in build(tmp_path / "m.safetensors", "-o", "space", code=1).stderr
    assert "columns" in build(loras, tmp_path / "m.safetensors", "-o", "space", code=1).stderr
    wider = [(name, columns + 1, rows) for name, columns, rows in modules]
    save_kohya(wider, draw_models(wider, 1)[0], loras / "zoe.safetensors")
    assert "expected down [r," in build(loras, "-o", "space", code=3).stderr


def test_files_that_are_no_loras(build, world, loras, tmp_path):
    save_file({"weight": torch.zeros(3, 4, 5)}, loras / "other.safetensors")
    assert "other.safetensors" in build(loras, "-o", "space", code=3).stderr
    (loras / "other.safetensors").unlink()
    save_matrix(draw_models(world.space.modules, 3), loras / "matrix.safetensors")
    error = build(loras, "-o", "space", code=3).stderr
    assert "contains a matrix" in error and "matrix.safetensors" in error
    (loras / "matrix.safetensors").unlink()
    save_file({"coefficients": torch.zeros(4)}, tmp_path / "c.safetensors")
    assert "coefficients of a person" in build(tmp_path / "c.safetensors", "-o", "space", code=3).stderr
    (tmp_path / "empty").mkdir()
    assert "no LoRA in this folder" in build(tmp_path / "empty", "-o", "space", code=4).stderr
    assert "no such source" in build(tmp_path / "nowhere", "-o", "space", code=4).stderr


def test_usage(w2w, build, loras):
    assert "needs -o" in build(loras, code=2).stderr
    assert "needs a source" in build("-o", "space", code=2).stderr
    error = w2w("space", "biuld", code=2).stderr
    assert "unknown action 'biuld'" in error and "did you mean 'build'" in error
    assert "expects an action" in w2w("space", code=2).stderr
    assert "--canonical is an option of `w2w space build`, not of `w2w space info`" in w2w("space", "info", "--canonical", code=2).stderr
    assert "--components" in build(loras, "-o", "space", "--components", 0, code=2).stderr
    assert ".safetensors" in build(loras, "-o", "space", "--weights", "w.pt", code=2).stderr


def test_an_existing_output_is_kept(build, loras, tmp_path):
    (tmp_path / "space").mkdir()
    build(loras, "-o", "space")  # an empty folder is no loss
    before = contents(tmp_path / "space")
    assert "exists already" in build(loras, "-o", "space", code=1).stderr
    build(loras, "-o", "space", "--force", "--components", 3)
    assert contents(tmp_path / "space") != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("dear")
    assert "--force replaces spaces only" in build(loras, "-o", "mine", "--force", code=1).stderr


@pytest.fixture
def large(world, tmp_path):
    """A matrix that takes a second or so in many blocks."""
    return save_matrix(draw_models(world.space.modules, 700, noise=0.3), tmp_path / "large.safetensors")


def interrupted(w2w, arguments, lines, how):
    """The exit code of a build that is stopped after so many lines of progress."""
    command = [str(a) for a in [w2w.path, "space", "build", *arguments]]
    process = subprocess.Popen(command, cwd=w2w.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=w2w.environment())
    told = 0
    while told < lines and (line := process.stderr.readline()):
        told += " %)" in line
    process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_goes_on_after_an_interruption_to_the_same_bytes(w2w, build, world, large, tmp_path, how, method):
    options = [large, "-m", world.model, "--components", 60, "--method", method, "--save-every", 0,
               "--weights", tmp_path / "w.safetensors", "-t", 1]
    w2w("space", "build", *options, "-o", "whole")
    weights = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").unlink()
    stopped = resumed = 0
    for attempt in range(40):
        code = interrupted(w2w, [*options, "-o", "space"], 4 + 2 * (attempt % 7), how)
        if code == 0 or (tmp_path / "space").exists():  # killed just after it was whole
            break
        assert code in ((-signal.SIGKILL,) if how == signal.SIGKILL else (130, -signal.SIGINT))
        stopped += 1
        resumed += (tmp_path / "space.building/state.safetensors").exists()
    if not (tmp_path / "space").exists():
        done = w2w("space", "build", *options, "-o", "space")
        code = done.returncode
        assert "resuming an unfinished build" in done.stderr
    assert code != 0 or not (tmp_path / "space.building").exists()
    assert stopped >= 1 and resumed >= 1
    assert contents(tmp_path / "space") == contents(tmp_path / "whole")
    assert (tmp_path / "w.safetensors").read_bytes() == weights


def test_people_of_an_exact_and_a_randomized_space_are_told_apart(w2w, build, world, large, tmp_path):
    few = ["--components", 5, "--base-model", "tiny"]
    build(large, *few, "--method", "exact", "-o", "exact")
    build(large, *few, "--method", "randomized", "-o", "random")
    build(large, *few, "--method", "randomized", "--seed", 3, "-o", "seed")
    build(large, *few, "--method", "exact", "--dtype", "f16", "-o", "again")
    hashes = {json.loads((tmp_path / f"{s}/space.json").read_text())["hash"] for s in ("exact", "random", "seed", "again")}
    assert len(hashes) == 1
    w2w("space", "convert", "random", "-m", world.model, "--dtype", "f16", "-o", "converted")
    for space in "exact", "random", "seed", "again", "converted":
        w2w("sample", "--space", space, "-m", world.model, "--identity-seed", 1, "--no-images", "-o", f"of_{space}")
    same = [{"exact", "again"}, {"random", "converted"}, {"seed"}]
    for person in "exact", "random", "seed", "again", "converted":
        for space in "exact", "random", "seed", "again", "converted":
            fits = any({person, space} <= group for group in same)
            done = w2w("export", f"of_{person}/person-1.safetensors", "--space", space, "-m", world.model, "--force", "-o", "x.safetensors",
                       code=0 if fits else 1)
            assert fits or "belongs to another space of the same models: expected components found by" in done.stderr
    # A person of an older version, or of a release, does not say.
    with safe_open(tmp_path / "of_exact/person-1.safetensors", "pt") as file:
        about = {k: v for k, v in file.metadata().items() if k != "w2w.basis"}
        assert file.metadata()["w2w.basis"] == "exact"
    save_file(load_file(tmp_path / "of_exact/person-1.safetensors"), tmp_path / "old.safetensors", metadata=about)
    w2w("export", "old.safetensors", "--space", "random", "-m", world.model, "-o", "y.safetensors")
    description = json.loads((tmp_path / "random/space.json").read_text())
    del description["build"]
    (tmp_path / "random/space.json").write_text(json.dumps(description))
    w2w("export", "of_exact/person-1.safetensors", "--space", "random", "-m", world.model, "-o", "z.safetensors")


def test_an_unfinished_build_of_other_models_is_not_gone_on_with(w2w, build, world, large, loras, tmp_path):
    command = [str(a) for a in (w2w.path, "space", "build", large, "-m", world.model, "--save-every", 0, "-o", "space")]
    process = subprocess.Popen(command, cwd=w2w.home, stderr=subprocess.DEVNULL, env=w2w.environment())
    until((tmp_path / "space.building/state.safetensors").exists, process)
    process.kill()
    process.wait(timeout=60)
    error = build(loras, "-o", "space", code=1).stderr
    assert "an unfinished build of other models" in error and "--force" in error
    build(loras, "-o", "space", "--force")
    assert not (tmp_path / "space.building").exists()
    assert json.loads((tmp_path / "space/space.json").read_text())["models"] == MODELS


def test_two_builds_at_once(w2w, build, loras, tmp_path):
    import fcntl
    (tmp_path / "space.building").mkdir()
    with open(tmp_path / "space.building/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is building this space" in build(loras, "-o", "space", code=1).stderr
    build(loras, "-o", "space")


# info and verify

def test_info(w2w, build, loras):
    build(loras, "-o", "space", "--base-model", "tiny")
    text = w2w("space", "info", "space").stdout
    assert "base model" in text and "tiny" in text and "attn1.to_q" in text and "person_00, person_01" in text
    assert "(12 in all; -v shows them)" in text and "100.0 %" in text
    assert "person_11" not in text and "person_11" in w2w("space", "info", "space", "-v").stdout
    info = json.loads(w2w("space", "info", "space", "--json").stdout)
    assert info["models"] == MODELS and len(info["names"]) == MODELS and info["modules"]["attn1.to_q"] > 0
    assert "modules" in w2w("space", "info").stdout  # the demo world's


def test_info_and_verify_of_a_release(w2w, world, tmp_path):
    released = world.space.save_released(tmp_path / "files")
    assert json.loads(w2w("space", "info", released, "--json").stdout)["models"] == 30
    checks = json.loads(w2w("space", "verify", released, "--json", code=3).stdout)["checks"]
    assert [c["name"] for c in checks if not c["ok"]] == ["orthonormal", "round trip"]  # random components


def test_verify(w2w, build, loras, tmp_path):
    build(loras, "-o", "space")
    for dtype in ("f16", "bf16"):
        build(loras, "-o", dtype, "--dtype", dtype)
        w2w("space", "verify", dtype)
    done = w2w("space", "verify", "space")
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    names = {c["name"] for c in json.loads(w2w("space", "verify", "space", "--json").stdout)["checks"]}
    assert names == {"files", "values", "orthonormal", "names", "statistics", "explained variance", "round trip"}
    w2w("space", "verify")  # the demo world's


def damage(change):
    def run(folder):
        basis = load_file(folder / "basis.safetensors")
        change(basis)
        save_file({k: v.contiguous() for k, v in basis.items()}, folder / "basis.safetensors")
    return run


def bad_projection(folder):
    with safe_open(folder / "projections.safetensors", "pt") as file:
        values, metadata = file.get_tensor("projections"), file.metadata()
    values[3] *= 1.5
    save_file({"projections": values}, folder / "projections.safetensors", metadata)


@pytest.mark.parametrize("change, wrong", [
    (damage(lambda b: b["components"][1].mul_(1.001)), "orthonormal"),
    (damage(lambda b: b["components"][0, 5].fill_(float("nan"))), "values"),
    (damage(lambda b: b["mean"].add_(1)), "files"),
    (damage(lambda b: b["projection_std"].mul_(1.01)), "statistics"),
    (damage(lambda b: b["explained_variance"][2].mul_(1.1)), "explained variance"),
    (bad_projection, "statistics"),
    (lambda f: (f / "labels.csv").write_text("name,Male\nnobody,1\n"), "labels"),
    (lambda f: save_file({"directions": torch.zeros(1, 2)}, f / "directions.safetensors"), "directions"),
])
def test_verify_finds_damage(w2w, build, loras, tmp_path, change, wrong):
    build(loras, "-o", "space")
    change(tmp_path / "space")
    done = w2w("space", "verify", "space", code=3)
    assert any(line.startswith("WRONG " + wrong) for line in done.stdout.splitlines()), done.stdout
    assert "checks of the space failed" in done.stderr
    checks = json.loads(w2w("space", "verify", "space", "--json", code=3).stdout)
    assert not checks["ok"] and wrong in [c["name"] for c in checks["checks"] if not c["ok"]]


def test_verify_without_a_space(w2w, tmp_path):
    assert "no space in this folder" in w2w("space", "verify", tmp_path, code=4).stderr
    (tmp_path / "file").write_text("x")
    assert "it is a file" in w2w("space", "info", "file", code=4).stderr


def test_verify_without_a_file(w2w, build, loras, tmp_path):
    build(loras, "-o", "space")
    (tmp_path / "space/basis.safetensors").unlink()
    done = json.loads(w2w("space", "verify", "space", "--json", code=4).stdout)
    assert (done["action"], done["ok"]) == ("verify", False) and "basis.safetensors" in done["checks"][0]["found"]
    assert w2w("space", "verify", "space", code=4).stdout.startswith("WRONG files")


@pytest.mark.parametrize("text, says", [("{", "parse error at line 1"), ("{}", "key 'format' not found"), ("[]", "is not an object")])
def test_a_damaged_description(w2w, build, loras, tmp_path, text, says):
    build(loras, "-o", "space")
    (tmp_path / "space/space.json").write_text(text)
    error = w2w("space", "info", "space", code=3).stderr
    assert says in error and "exception" not in error


def test_settings_of_the_environment_for_other_actions(w2w, build, loras):
    build(loras, "-o", "space")
    w2w("space", "info", "space", W2W_OUTPUT="elsewhere", W2W_FORCE="1")
    w2w("space", "verify", "space", W2W_OUTPUT="elsewhere")


def test_info_of_more_components_than_there_are(w2w, build, loras):
    build(loras, "-o", "space")
    assert "expected 1 to 11 components" in w2w("space", "info", "space", "--components", 12, code=2).stderr


def test_names_of_a_file(w2w, build, loras, tmp_path):
    def names(text, code=3):
        (tmp_path / "names.txt").write_bytes(text)
        return build(loras, "--names", "names.txt", "-o", "space", code=code).stderr
    assert "expected text, found binary data" in names(b"a\0b\n")
    assert "(names.txt): contains 'a' twice" in names(b"a\n" * MODELS)
    assert "for each of the 12 models (names.txt), found 2 names" in names(b"a\nb\n")
    names("\n".join("abcdefghijkl").encode(), code=0)


def test_a_lora_of_another_shape_keeps_its_rank(build, loras, tmp_path):
    """Nothing is said of a rank above 1 before the shape is refused."""
    file = loras / "person_05_lora.safetensors"
    tensors = {key: torch.zeros(1, 2 * value.shape[1]) if "down" in key else value for key, value in load_file(file).items()}
    save_file(tensors, file)
    done = build(loras, "-o", "space", code=3)
    assert "found down [1, " in done.stderr and "rank" not in done.stderr


def test_a_model_that_is_not_finite_is_named_without_a_base_model(w2w, tmp_path):
    w2w("sample", "--count", 3, "--identity-seed", 1, "--lora", "kohya", "--no-images", "-o", "people")
    file = tmp_path / "people/person-2_lora.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values())).fill_(float("nan"))
    save_file(tensors, file)
    done = w2w("space", "build", "people", "-o", "space", code=3)
    assert "person-2_lora.safetensors" in done.stderr and "not finite" in done.stderr
    assert "no --model given" not in done.stderr


# convert

def test_convert_a_release(w2w, world, tmp_path):
    import pandas
    released = world.space.save_released(tmp_path / "files")
    names = [f"{i}" for i in range(30)]
    frame = pandas.DataFrame({"Male": np.where(np.arange(30) % 3 == 0, 1, -1), "Young": [1, -1] * 15}, index=names)
    torch.save(frame, released / "identity_df.pt")
    done = w2w("space", "convert", released, "-m", world.model, "-o", "space", "--components", 7, "--prompt", "sks dog")
    assert done.stdout == "space\n"
    basis = load_file(tmp_path / "space/basis.safetensors")
    assert torch.equal(basis["components"], world.space.components[:7])
    assert torch.equal(basis["mean"], world.space.mean) and torch.equal(basis["std"], world.space.std)
    with safe_open(tmp_path / "space/projections.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("projections"), world.space.projections[:, :7])
        assert json.loads(file.metadata()["names"]) == names
    assert (tmp_path / "space/labels.csv").read_text().splitlines()[:2] == ["name,Male,Young", "0,1,1"]
    description = json.loads((tmp_path / "space/space.json").read_text())
    assert description["hash"] == world.space.hash and description["defaults"]["prompt"] == "sks dog"
    listed = json.loads(w2w("direction", "list", "--space", "space", "--json").stdout)["attributes"]
    assert [a["attribute"] for a in listed] == ["Male", "Young"] and listed[0]["with"] == 10


def test_convert_to_another_dtype(w2w, build, loras, tmp_path):
    build(loras, "-o", "space")
    labels = "name,Smile\n" + "".join(f"person_{i:02},{1 if i % 2 else -1}\n" for i in range(MODELS))
    (tmp_path / "space/labels.csv").write_text(labels)
    w2w("space", "convert", "space", "--dtype", "bf16", "-o", "narrow")
    wide, narrow = (load_file(tmp_path / name / "basis.safetensors") for name in ("space", "narrow"))
    assert torch.equal(narrow.pop("components"), wide.pop("components").bfloat16())
    assert all(torch.equal(narrow[name], wide[name]) for name in wide)
    assert (tmp_path / "narrow/labels.csv").read_text() == labels
    w2w("space", "verify", "narrow")
    w2w("space", "convert", "space", "--components", 4, "-o", "fewer")
    w2w("space", "verify", "fewer")
    assert load_file(tmp_path / "fewer/basis.safetensors")["explained_variance"].shape == (4,)
    assert load_file(tmp_path / "fewer/projections.safetensors")["projections"].shape == (MODELS, 4)


def test_convert_refuses(w2w, build, loras, world, tmp_path):
    build(loras, "-o", "space")
    assert "as many as the space" in w2w("space", "convert", "space", "--components", 50, "-o", "x", code=2).stderr
    assert "takes one space" in w2w("space", "convert", "-o", "x", code=2).stderr
    assert "is the space itself" in w2w("space", "convert", "space", "-o", "space", "--force", code=1).stderr
    assert "needs -o" in w2w("space", "convert", "space", code=2).stderr
    assert not (tmp_path / "x").exists()
