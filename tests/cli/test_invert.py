"""`invert`: what it writes, how it goes on after interruptions, what it refuses. Its numbers are in tests/parity."""
import csv
import json
import re
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from conftest import until

STEPS = 40


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "anna.png", 1)


def draw(path, seed, size=(64, 64), mode="RGB"):
    channels = {"RGB": 3, "RGBA": 4}[mode]
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, channels), np.uint8)
    Image.fromarray(coarse, mode).resize(size, Image.BICUBIC).save(path)
    return path


@pytest.fixture
def invert(w2w, world):
    def run(*arguments, steps=4, seed=5, **options):
        return w2w("invert", "--model", world.model, "--space", world.folder, "--steps", steps, "--seed", seed,
                   *arguments, **options)
    return run


@pytest.fixture
def start(w2w, world):
    """An inversion in the background, the process."""
    def run(*arguments):
        return w2w.start("invert", "--model", world.model, "--space", world.folder, "--seed", 5, *arguments)
    return run


def coefficients(path):
    return load_file(path)["coefficients"]


def losses(path):
    with open(path) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_writes_coefficients_and_losses(invert, picture, world, tmp_path):
    done = invert(picture, "-o", "out")
    assert done.stdout.splitlines() == ["out/anna_loss.csv", "out/anna_sheet.png", "out/anna.safetensors"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["anna.safetensors", "anna_loss.csv", "anna_sheet.png"]
    assert (tmp_path / "out/anna_loss.csv").read_text().splitlines()[0] == "step,loss,smoothed"
    assert len(losses(tmp_path / "out/anna_loss.csv")) == 4
    with safe_open(tmp_path / "out/anna.safetensors", "pt") as file:
        metadata = file.metadata()
        assert file.get_tensor("coefficients").shape == (world.space.components.shape[0],)
    (entry,) = json.loads(metadata["w2w.history"])
    assert entry["command"] == "invert" and entry["images"] == ["anna.png"] and entry["seed"] == 5
    assert metadata["w2w.space"] == world.space.hash
    assert "all are used" in done.stderr and "loss" in done.stderr


def test_output_names_the_coefficients(invert, picture, tmp_path):
    invert(picture, "-o", "people/she.safetensors")
    assert sorted(p.name for p in (tmp_path / "people").iterdir()) == ["she.safetensors", "she_loss.csv", "she_sheet.png"]


def test_json(invert, picture):
    done = json.loads(invert(picture, "--json", "--lora", "kohya", "--preview-every", 2, "--preview-steps", 2).stdout)
    assert [(o["kind"], o["path"]) for o in done["outputs"]] == [
        ("picture", "anna_preview_0002.png"), ("picture", "anna_preview_0004.png"), ("log", "anna_loss.csv"),
        ("sheet", "anna_sheet.png"), ("lora", "anna_lora.safetensors"), ("coefficients", "anna.safetensors")]


def test_the_person_beside_the_picture(invert, picture, w2w, world, tmp_path):
    """The picture as the model got it, then the person, drawn with the run's seed; nothing with --no-images."""
    done = json.loads(invert(picture, "--preview-steps", 2, "--json").stdout)
    w2w("render", "anna.safetensors", *world.options, "--steps", 2, "-s", 5, "-o", "shown.png")
    sheet = np.asarray(Image.open(tmp_path / "anna_sheet.png").convert("RGB")).astype(int)
    places = []
    for name in ("anna.png", "shown.png"):
        planes = torch.from_numpy(np.asarray(Image.open(tmp_path / name).convert("RGB")).copy()).permute(2, 0, 1)[None].float()
        large = torch.nn.functional.interpolate(planes, scale_factor=3, mode="bicubic").round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
        places += [(top, left) for top in range(sheet.shape[0] - 191) for left in range(sheet.shape[1] - 191)
                   if (sheet[top, left] == large[0, 0]).all() and (sheet[top:top + 192, left:left + 192] == large).all()]
    (top, left), (same, right) = places
    assert top == same and right > left + 192
    person = done["outputs"][-1]
    z = (coefficients(tmp_path / "anna.safetensors").double() - world.space.projections.mean(0)) / world.space.projections.std(0)
    assert person["typicality"] == pytest.approx(z.square().mean().sqrt().item(), rel=1e-5)
    assert person["seconds"] > 0 and person["loss"] > 0 and person["steps"] == 4 and person["prior"] == 0
    with safe_open(tmp_path / "anna.safetensors", "pt") as file:
        (entry,) = json.loads(file.metadata()["w2w.history"])
    assert entry["loss"] == person["loss"] and "seconds" not in entry
    assert invert(picture, "--no-images", "-o", "none").stdout.splitlines() == ["none/anna_loss.csv", "none/anna.safetensors"]


def test_an_untypical_person_is_told(invert, picture, tmp_path):
    """Large steps lead far away; --prior keeps the person near."""
    said = invert(picture, "--lr", 3, "--method", "fast", "--no-images").stderr
    assert "warning: anna is " in said and "above 2, a person seldom resembles the picture" in said and "--prior 1.5" in said
    done = json.loads(invert(picture, "--lr", 3, "--method", "fast", "--prior", 1.25, "--no-images", "-o", "near", "--json").stdout)
    assert done["outputs"][-1]["typicality"] == pytest.approx(1.25, rel=0.2), "the space's mean is not quite zero"


@pytest.mark.parametrize("box, says", [((60, 2, 28, 28), "wide.png is 96x32: the part around the mask, 32x32 is used"),
                                       ((4, 4, 6, 6), "the part around the mask, 8x8 is used"), (None, "the middle 32x32 is used")])
def test_what_a_crop_leaves_is_told(invert, tmp_path, box, says):
    wide = draw(tmp_path / "wide.png", 2, (96, 32))
    mask = []
    if box:
        left, top, width, height = box
        values = np.zeros((32, 96), np.uint8)
        values[top:top + height, left:left + width] = 255
        Image.fromarray(values).save(tmp_path / "mask.png")
        mask = ["--mask", "mask.png"]
    assert says in invert(wide, *mask, "--no-images").stderr

def test_the_last_preview_is_the_person(invert, w2w, picture, world, tmp_path):
    invert(picture, "--preview-every", 3, "--preview-steps", 2)
    assert not (tmp_path / "anna_preview_0002.png").exists()
    w2w("render", "anna.safetensors", *world.options, "-s", 5, "-o", "shown.png")
    a, b = (np.asarray(Image.open(tmp_path / n)) for n in ("anna_preview_0004.png", "shown.png"))
    assert (a == b).all()


def test_previews_change_nothing(invert, picture, tmp_path):
    invert(picture, "-o", "plain")
    invert(picture, "--preview-every", 1, "--preview-steps", 1, "-o", "watched")
    assert (tmp_path / "plain/anna.safetensors").read_bytes() == (tmp_path / "watched/anna.safetensors").read_bytes()


@pytest.mark.parametrize("how, method", [(signal.SIGKILL, "reference"), (signal.SIGINT, "reference"), (signal.SIGKILL, "fast")])
def test_interrupted_and_resumed_is_the_uninterrupted_run(invert, start, picture, tmp_path, how, method):
    chosen = ["--method", method, picture]
    invert(*chosen, "-o", "whole", steps=STEPS)
    state = tmp_path / "state.safetensors"
    process = start(*chosen, "--steps", STEPS, "--checkpoint", state, "-o", "parts")
    until(state.exists, process)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), error
    if how == signal.SIGINT:
        assert "hint: run the same command with --resume to continue" in error
    assert not (tmp_path / "parts/anna.safetensors").exists()
    done = invert(*chosen, "--checkpoint", state, "--resume", "-o", "parts", steps=STEPS)
    assert "resuming" in done.stderr
    for file in ("anna.safetensors", "anna_loss.csv"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_state_without_a_name_lies_beside_the_output_until_finished(invert, start, picture, tmp_path):
    process = start(picture, "--steps", STEPS, "-o", "out")
    state = tmp_path / "out/anna_checkpoint.safetensors"
    until(state.exists, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert state.exists()
    assert "there is the state of an unfinished run" in invert(picture, "-o", "out", code=1, steps=STEPS).stderr
    invert(picture, "--resume", "-o", "out", steps=STEPS)
    assert not state.exists() and (tmp_path / "out/anna.safetensors").exists()


def test_a_finished_run_goes_on_for_longer(invert, picture, tmp_path):
    invert(picture, "--checkpoint", "s.safetensors", "-o", "short", steps=3)
    invert(picture, "--checkpoint", "s.safetensors", "--resume", "-o", "long", steps=8)
    invert(picture, "-o", "whole", steps=8)
    assert coefficients(tmp_path / "long/anna.safetensors").equal(coefficients(tmp_path / "whole/anna.safetensors"))


def test_a_run_that_drew_its_seed_is_resumed_with_it(w2w, world, picture, tmp_path):
    command = ["invert", "--model", world.model, "--space", world.folder, "--steps", STEPS, picture, "-o", "out"]
    process = w2w.start(*command)
    until((tmp_path / "out/anna_checkpoint.safetensors").exists, process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    (seed,) = re.findall(r"drew seed (\d+)", error)
    assert "drew seed" not in w2w(*command, "--resume").stderr
    with safe_open(tmp_path / "out/anna.safetensors", "pt") as file:
        assert json.loads(file.metadata()["w2w.history"])[0]["seed"] == int(seed)


@pytest.mark.parametrize("other, says", [(["--lr", "0.5"], "lr is 0.1 there, 0.5 here"),
                                         (["--batch", "2"], "batch is 1 there, 2 here"),
                                         (["--method", "fast", "--lr", "0.1", "--weight-decay", "1e-10"],
                                          "method is reference there, fast here"),
                                         (["--fit", "pad", "wide.png"], "fit is crop there, pad here"),
                                         (["wide.png"], "made with other pictures")])
def test_a_checkpoint_of_another_run_is_refused(invert, picture, tmp_path, other, says):
    draw(tmp_path / "wide.png", 2, (96, 64))
    invert(picture, "--checkpoint", "s.safetensors", "-o", "a")
    images = [] if "wide.png" in other else [picture]
    done = invert(*images, *other, "--checkpoint", "s.safetensors", "--resume", "-o", "b", code=1)
    assert f"the checkpoint belongs to another run (s.safetensors): {says}" in done.stderr


def test_a_damaged_checkpoint(invert, picture, tmp_path):
    (tmp_path / "s.safetensors").write_bytes(b"\0" * 30)
    invert(picture, "--checkpoint", "s.safetensors", "--resume", code=3)
    save_file({"x": torch.zeros(3)}, tmp_path / "s.safetensors")
    done = invert(picture, "--checkpoint", "s.safetensors", "--resume", code=3)
    assert "not a checkpoint of an inversion" in done.stderr


def test_an_inversion_goes_on_with_other_threads_and_another_processor(invert, picture, tmp_path):
    """A picture that is resized: its values then differ in their last bits, the decoded pixels do not."""
    draw(tmp_path / "wide.png", 2, (150, 101)), draw(tmp_path / "mask.png", 3, (150, 101)), draw(tmp_path / "m2.png", 4, (150, 101))
    arguments = ["wide.png", "--checkpoint", "s.safetensors"]
    invert(*arguments, "--mask", "mask.png", "-t", 2, "-o", "a", steps=3)
    other = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    done = invert(*arguments, "--mask", "mask.png", "--resume", "-t", 1, "-o", "b", steps=6, **other)
    assert "after step 3" in done.stderr and len(losses(tmp_path / "b/wide_loss.csv")) == 6
    for masks in [], ["--mask", "m2.png"]:
        error = invert(*arguments, *masks, "--resume", "-o", "c", steps=8, code=1).stderr
        assert "made with other pictures" in error


def test_every_tensor_of_a_state_is_checked(invert, picture, tmp_path):
    state = tmp_path / "s.safetensors"
    invert(picture, "--checkpoint", state, "-o", "a", steps=2)
    whole, tensors = state.read_bytes(), load_file(state)
    with safe_open(state, "pt") as file:
        about = file.metadata()
    assert sorted(tensors) == ["first_moment", "generator", "losses", "position", "second_moment"]
    again = [picture, "--checkpoint", state, "--resume", "-o", "b"]
    for name, tensor in tensors.items():
        changed = [None, tensor[None].contiguous(), tensor.to(torch.float16)]
        if name != "losses":
            changed += [torch.cat([tensor, tensor]), tensor[:-1].contiguous()]
        changed.append(tensor * 0 if name == "generator" else torch.full_like(tensor, float("inf")))
        for value in changed:
            save_file({k: v for k, v in (tensors | {name: value}).items() if v is not None}, state, metadata=about)
            error = invert(*again, steps=4, code=3).stderr
            assert f"damaged checkpoint ({state}): expected '{name}'" in error and ", found " in error, error
            assert "hint: delete it to start over" in error
    state.write_bytes(whole)
    invert(*again, steps=4)
    save_file(tensors, state, metadata=about | {"w2w.format": "checkpoint of an inversion, version 1"})
    assert "written by an earlier version of w2w" in invert(picture, "--checkpoint", state, "--resume", "-o", "c", code=1).stderr


def test_the_same_command_gives_the_same_bytes_anywhere(invert, picture, tmp_path):
    for folder in ("a", "b/c"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        invert(picture, "-o", folder)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b/c" / file.name).read_bytes()


def test_a_seed_nobody_chose_is_recorded(invert, picture, tmp_path):
    done = invert(picture, seed=-1)
    with safe_open(tmp_path / "anna.safetensors", "pt") as file:
        seed = json.loads(file.metadata()["w2w.history"])[0]["seed"]
    assert str(seed) in done.stderr


def test_two_processes_share_a_table(w2w, world, tmp_path):
    names = [f"p{i}" for i in range(6)]
    for i, name in enumerate(names):
        draw(tmp_path / f"{name}.png", i)
    (tmp_path / "people.csv").write_text("name,image\n" + "".join(f"{name},{name}.png\n" for name in names))
    command = ["invert", "--batch-file", "people.csv", *world.options[:4], "--steps", 30, "--seed", 5, "--no-images", "-o", "out"]
    both = [w2w.start(*command) for _ in range(2)]
    ends = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    found = [[line for line in out.splitlines() if line.endswith(".safetensors")] for out, _ in ends]
    assert sorted(found[0] + found[1]) == [f"out/{name}.safetensors" for name in names], "each person once"
    assert "by another process" in ends[0][1] + ends[1][1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{name}{rest}" for name in names for rest in (".safetensors", "_loss.csv"))


def test_many_people_from_a_table(invert, picture, tmp_path):
    draw(tmp_path / "b1.png", 2), draw(tmp_path / "b2.png", 3)
    (tmp_path / "people.csv").write_text("name,image,mask\n,anna.png,\nbert,b1.png,b2.png\nbert,b2.png,\n")
    done = invert("--batch-file", "people.csv", "-o", "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "anna.safetensors", "anna_loss.csv", "anna_sheet.png", "bert.safetensors", "bert_loss.csv", "bert_sheet.png"]
    invert(picture, "-o", "alone")
    assert coefficients(tmp_path / "out/anna.safetensors").equal(coefficients(tmp_path / "alone/anna.safetensors"))
    (tmp_path / "out/bert.safetensors").unlink()
    done = invert("--batch-file", "people.csv", "-o", "out")
    assert done.stdout.splitlines() == ["out/bert_loss.csv", "out/bert_sheet.png", "out/bert.safetensors"]
    assert "anna is finished" in done.stderr
    assert invert("--batch-file", "people.csv", "-o", "out").stdout == ""


def test_one_bad_picture_does_not_stop_the_others(invert, picture, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "people.csv").write_text("image\nbad.png\nanna.png\n")
    done = invert("--batch-file", "people.csv", code=1)
    assert "1 of 2 people could not be inverted: bad" in done.stderr and (tmp_path / "anna.safetensors").exists()


@pytest.mark.parametrize("table, code, says", [
    ("img\nanna.png\n", 3, "found 'img'"),
    ("name,mask\na,anna.png\n", 3, "has no column 'image'"),
    ("image\n", 3, "it has no rows"),
    ("", 3, "it is empty"),
    ("image\nnone.png\n", 4, "named in line 2 of people.csv"),
    ("image,name\nanna.png,a/b\n", 3, "expected a valid file name, found 'a/b'"),
    ("image,name\nanna.png\n", 3, "line 2 has 1 cells, expected 2")])
def test_bad_tables(invert, picture, tmp_path, table, code, says):
    (tmp_path / "people.csv").write_text(table)
    assert says in invert("--batch-file", "people.csv", code=code).stderr


@pytest.mark.parametrize("arguments, code, says", [
    ([], 2, "invert needs a picture"),
    (["none.png"], 4, "no such picture (none.png)"),
    (["text.png"], 3, "text.png"),
    (["anna.png", "--mask", "none.png"], 4, "no such picture (none.png)"),
    (["anna.png", "--mask", "black.png"], 3, "the mask hides the whole picture (black.png)"),
    (["anna.png", "--mask", "anna.png", "--mask", "anna.png"], 2, "--mask expects one per picture, found 2 for 1"),
    (["anna.png", "--components", "21"], 2, "21"),
    (["anna.png", "--checkpoint", "none/s.safetensors"], 1, "none/s.safetensors"),
    (["anna.png", "--lr", "0"], 2, "learning rate must be above 0"),
    (["anna.png", "--preset", "rael"], 2, "did you mean 'real'"),
    (["anna.png", "--preset", "reference", "--method", "fast"], 2, "--preset reference needs --method reference"),
    (["anna.png", "--fit", "squash"], 2, "--fit"),
    (["anna.png", "--seed", "1,2"], 2, "--seed expects one whole number"),
    (["--batch-file", "people.csv", "anna.png"], 2, "--batch-file already lists all pictures"),
    (["--batch-file", "people.csv", "--checkpoint", "x"], 2, "--checkpoint is for one person")])
def test_refusals(invert, picture, tmp_path, arguments, code, says):
    (tmp_path / "text.png").write_text("hello")
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    done = invert(*arguments, code=code)
    assert says in done.stderr
    assert not list(tmp_path.glob("*.safetensors"))


def test_existing_results_are_kept(invert, picture):
    invert(picture)
    assert "the output exists already" in invert(picture, code=1).stderr
    assert "the output exists already" in invert(picture, "--resume", code=1).stderr
    invert(picture, "--force")


def test_a_mask_of_another_size_is_resized_with_a_notice(invert, picture, tmp_path):
    Image.new("L", (32, 48), 255).save(tmp_path / "white.png")
    done = invert(picture, "--mask", "white.png", "-o", "masked")
    assert "the mask (white.png) is 32x48, its picture 64x64: the mask is resized" in done.stderr
    invert(picture, "-o", "plain")
    assert coefficients(tmp_path / "masked/anna.safetensors").equal(coefficients(tmp_path / "plain/anna.safetensors"))


def test_two_values_and_classes_are_masks(invert, picture, tmp_path):
    """A mask of 0 and 1, and chosen classes of a face parser's map, mean what black and white mean."""
    classes = np.zeros((64, 64), np.uint8)
    classes[8:50, 10:40], classes[20:30, 20:30], classes[50:, :] = 1, 17, 18
    head = np.isin(classes, [1, 17])
    palette = Image.fromarray(classes, mode="P")
    palette.putpalette([(37 * i * k) % 256 for i in range(256) for k in (1, 2, 3)])
    for name, mask in {"white": Image.fromarray(head.astype(np.uint8) * 255), "ones": Image.fromarray(head.astype(np.uint8)),
                       "grey": Image.fromarray(classes), "palette": palette}.items():
        mask.save(tmp_path / f"{name}.png")
    invert(picture, "--mask", "white.png", "-o", "white")
    expected = coefficients(tmp_path / "white/anna.safetensors")
    for name, *options in (["ones"], ["grey", "--mask-labels", "1-13,17"], ["palette", "--mask-labels", "17,1"]):
        invert(picture, "--mask", f"{name}.png", *options, "-o", name)
        assert coefficients(tmp_path / name / "anna.safetensors").equal(expected), name
    for name in ("grey", "palette"):
        done = invert(picture, "--mask", f"{name}.png", "-o", "refused", code=3)
        assert "class map of 4 classes, 0 to 18" in done.stderr and "--mask-labels, such as 1-13,17" in done.stderr
    assert "none of the classes 5" in invert(picture, "--mask", "grey.png", "--mask-labels", "5", "-o", "refused", code=3).stderr
    assert "found '-1'" in invert(picture, "--mask", "grey.png", "--mask-labels=-1", "-o", "refused", code=2).stderr
    assert "--mask-labels needs --mask" in invert(picture, "--mask-labels", "5", "-o", "refused", code=2).stderr


def test_what_the_mask_hides_does_not_count_for_the_loss(invert, tmp_path):
    """Alpha of a cut-out picture is its mask: the loss falls to about the visible share."""
    picture = np.array(Image.open(draw(tmp_path / "anna.png", 1)).convert("RGBA"))
    picture[:, 32:, 3] = 0
    Image.fromarray(picture).save(tmp_path / "half.png")
    invert("anna.png", "-o", "a", steps=8), invert("half.png", "-o", "a", steps=8)
    ratio = sum(losses(tmp_path / "a/half_loss.csv")) / sum(losses(tmp_path / "a/anna_loss.csv"))
    assert .35 < ratio < .65


def test_settings_of_pictures_do_not_change_the_inversion(w2w, world, picture, tmp_path):
    (tmp_path / "c.toml").write_text('steps = 3\nprompt = "a cat"\n[invert]\nlr = 0.5\n')
    w2w("invert", picture, "-m", world.model, "--space", world.folder, "--config", "c.toml", "-s", 1, W2W_STEPS="2", timeout=600)
    with safe_open(tmp_path / "anna.safetensors", "pt") as file:
        (entry,) = json.loads(file.metadata()["w2w.history"])
        assert file.metadata()["w2w.trigger"] == "sks person"
    assert entry["steps"] == 400 and entry["lr"] == 0.5
