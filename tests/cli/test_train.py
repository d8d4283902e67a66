"""`train`: what it writes, how it goes on after interruptions, what it refuses. Its numbers are in tests/parity/test_training.py."""
import csv
import json
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from conftest import until

STEPS = 60


def draw(path, seed, size=(64, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(coarse).resize(size, Image.BICUBIC).save(path)
    return path


@pytest.fixture
def anna(tmp_path):
    """A folder with two pictures and something else."""
    for i in range(2):
        draw(tmp_path / f"anna/{i}.png", i, (70, 64))
    (tmp_path / "anna/notes.txt").write_text("hello")
    return tmp_path / "anna"


@pytest.fixture
def people(tmp_path):
    """Five people in a table, one of them with two pictures of which one has its own prompt."""
    lines = ["name,image,prompt"]
    for i in range(5):
        draw(tmp_path / f"pictures/{i}.png", 10 + i)
        lines.append(f"p{i},pictures/{i}.png,")
    draw(tmp_path / "pictures/4b.png", 20)
    lines.append("p4,pictures/4b.png,sks person on the beach")
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "people.csv"


QUICK = ["--prior-weight", 0, "--lr", 1e-3]


@pytest.fixture
def train(w2w, world):
    def run(*arguments, steps=4, **options):
        return w2w("train", "-m", world.model, "--steps", steps, *QUICK, *arguments, **options)
    return run


@pytest.fixture
def start(w2w, world):
    """A training in the background, the process."""
    def run(*arguments):
        return w2w.start("train", "-m", world.model, "--steps", STEPS, *QUICK, *arguments)
    return run


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_one_person(train, anna, tmp_path, world):
    done = train(anna, "-o", "out", "--json")
    outputs = json.loads(done.stdout)["outputs"]
    assert [(o["kind"], o["path"]) for o in outputs] == [("log", "out/anna_loss.csv"), ("lora", "out/anna.safetensors")]
    assert [int(r["step"]) for r in rows(tmp_path / "out/anna_loss.csv")] == [1, 2, 3, 4]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"anna.safetensors", "anna_loss.csv"}
    (entry,) = json.loads(metadata(tmp_path / "out/anna.safetensors")["w2w.history"])
    assert entry["command"] == "train" and entry["steps"] == 4 and entry["pictures"] == 2 and entry["seed"] == 0


def test_the_person_is_drawn_by_render_and_by_a_space(train, w2w, anna, world, tmp_path):
    train(anna, "-o", "out")
    w2w("render", "out/anna.safetensors", "-m", world.model, "--steps", 2, "-s", 1, "-o", "anna.png")
    assert (tmp_path / "anna.png").exists()


def test_pictures_name_and_file(train, anna, tmp_path):
    train(anna / "0.png", anna / "1.png", "-o", "a")
    train(anna, "--name", "bob", "-o", "b")
    train(anna, "-o", "c/carl.safetensors")
    files = [tmp_path / "a/0.safetensors", tmp_path / "b/bob.safetensors", tmp_path / "c/carl.safetensors"]
    tensors = [load_file(f) for f in files]
    for other in tensors[1:]:
        assert all((tensors[0][k] == other[k]).all() for k in tensors[0])


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_formats(train, anna, tmp_path, dtype):
    for form in ("kohya", "peft", "diffusers"):
        train(anna, "--format", form, "--lora-dtype", dtype, "-o", form)
    scaled = load_file(tmp_path / "kohya/anna.safetensors")
    peft = load_file(tmp_path / "peft/anna/adapter_model.safetensors")
    diffusers = load_file(tmp_path / "diffusers/anna.safetensors")
    assert len(scaled) == len(peft) == len(diffusers)
    assert {str(t.dtype) for t in scaled.values()} == {{"f32": "torch.float32", "f16": "torch.float16", "bf16": "torch.bfloat16"}[dtype]}
    config = json.loads((tmp_path / "peft/anna/adapter_config.json").read_text())
    assert config["r"] == 1 and config["lora_alpha"] == 27


def test_many_people(train, people, tmp_path):
    done = train("--batch-file", people, "--together", 3, "-o", "out")
    assert {p.name for p in (tmp_path / "out").glob("*.safetensors")} == {f"p{i}.safetensors" for i in range(5)}
    assert len(done.stdout.splitlines()) == 10
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    again = train("--batch-file", people, "--together", 3, "-o", "out")
    assert again.stdout == "" and "5 of 5 are finished" in again.stderr
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}


def test_a_folder_of_people(train, anna, tmp_path):
    draw(tmp_path / "all/bea/x.png", 5), draw(tmp_path / "all/cid/y.jpg", 6)
    train("--batch-file", "all", "-o", "out")
    assert {p.stem for p in (tmp_path / "out").glob("*.safetensors")} == {"bea", "cid"}


def test_what_is_no_picture_is_told(train, anna, tmp_path):
    (anna / "0.png").rename(anna / "no extension")
    (anna / ".DS_Store").write_text("x")
    (anna / "._1.png").write_text("x")
    (anna / "Thumbs.db").write_text("x")
    (anna / "clip.mov").write_bytes(b"\0\0\0\x14ftypqt  ")
    (anna / "old").mkdir()
    told = train("anna", "-o", "out").stderr
    assert "skipped 3 files that are not pictures (anna): clip.mov, notes.txt, old/" in told
    with safe_open(tmp_path / "out/anna.safetensors", "np") as file:
        assert '"pictures":2' in file.metadata()["w2w.history"].replace(" ", "")
    (tmp_path / "all").mkdir()
    anna.rename(tmp_path / "all/anna")
    (tmp_path / "all/readme.md").write_text("x")
    told = train("--batch-file", "all", "-o", "many").stderr
    assert "skipped 1 file that is not a folder of a person (all): readme.md" in told


def test_tables_of_other_programs(train, people, tmp_path):
    rows = people.read_text().replace(",", ";").replace("\n", "\r\n")
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode() + b";;\r\n")
    train("--batch-file", "excel.csv", "-o", "out")
    assert len(list((tmp_path / "out").glob("p*[0-9].safetensors"))) == 5
    (tmp_path / "wide.csv").write_bytes(rows.encode("utf-16"))
    assert "found UTF-16" in train("--batch-file", "wide.csv", "-o", "other", code=3).stderr


def test_shards_are_the_whole(train, people, tmp_path):
    train("--batch-file", people, "-o", "whole")
    for i in (1, 2, 3):
        done = train("--batch-file", people, "--shard", f"{i}/3", "-o", "parts")
        assert [line for line in done.stdout.splitlines() if line.endswith(".safetensors")] == [
            f"parts/p{k}.safetensors" for k in range(i - 1, 5, 3)]
    for i in range(5):
        assert (tmp_path / f"parts/p{i}.safetensors").read_bytes() == (tmp_path / f"whole/p{i}.safetensors").read_bytes()
    assert train("--batch-file", people, "--shard", "6/6", "-o", "none").stdout == ""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_is_the_uninterrupted_run(train, start, anna, tmp_path, how):
    train(anna, "-o", "whole", steps=STEPS)
    process = start(anna, "-o", "parts")
    state = tmp_path / "parts/anna_checkpoint.safetensors"
    until(state.exists, process)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), error
    assert not (tmp_path / "parts/anna.safetensors").exists() and state.exists()
    kept = state.read_bytes()
    assert "there is the state of an unfinished run" in train(anna, "-o", "parts", code=1, steps=STEPS).stderr
    assert state.read_bytes() == kept
    done = train(anna, "-o", "parts", "--resume", steps=STEPS)
    assert "resuming anna after step" in done.stderr and not state.exists()
    for file in ("anna.safetensors", "anna_loss.csv"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_many_go_on_after_an_interruption(train, start, people, tmp_path):
    arguments = ["--batch-file", people, "--together", 2]
    train(*arguments, "-o", "whole", steps=STEPS)
    process = start(*arguments, "-o", "parts")
    until((tmp_path / "parts/p2_checkpoint.safetensors").exists, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    train(*arguments, "-o", "parts", steps=STEPS)
    for i in range(5):
        for file in (f"p{i}.safetensors", f"p{i}_loss.csv"):
            assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_progress_counts_people(train, people):
    last = train("--batch-file", people, "--together", 2, "-o", "out", steps=2).stderr.splitlines()[-1]
    assert "training 10/10 (100 %), loss" in last and last.endswith("5 of 5 people")


def test_a_checkpoint_of_ones_own_is_kept_and_goes_on_for_longer(train, anna, tmp_path):
    train(anna, "--checkpoint", "s.safetensors", "-o", "short", steps=3)
    train(anna, "--checkpoint", "s.safetensors", "--resume", "-o", "long", steps=8)
    train(anna, "-o", "whole", steps=8)
    assert (tmp_path / "long/anna.safetensors").read_bytes() != (tmp_path / "short/anna.safetensors").read_bytes()
    assert all((a == b).all() for a, b in zip(load_file(tmp_path / "long/anna.safetensors").values(),
                                              load_file(tmp_path / "whole/anna.safetensors").values()))


@pytest.mark.parametrize("other, says", [(["--lr", "0.5"], "lr is 0.001 there, 0.5 here"),
                                         (["--lr-schedule", "cosine"], "lr-schedule is constant there, cosine here"),
                                         (["anna/0.png"], "made with other pictures")])
def test_a_checkpoint_of_another_run_is_refused(train, anna, other, says):
    train("anna", "--checkpoint", "s.safetensors", "-o", "a")
    pictures = [] if other[0].endswith("png") else ["anna"]
    done = train(*pictures, *other, "--checkpoint", "s.safetensors", "--resume", "-o", "b", code=1)
    assert f"the checkpoint belongs to another run (s.safetensors): {says}" in done.stderr


def test_a_training_goes_on_with_other_threads_and_another_processor(train, start, anna, tmp_path):
    """What a requeue on another node is: the pictures' embeddings then differ in their last bits, the pictures do not."""
    train(anna, "-o", "whole", steps=STEPS)
    process = start(anna, "-o", "parts")
    state = tmp_path / "parts/anna_checkpoint.safetensors"
    until(state.exists, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    process.communicate(timeout=60)
    kept = state.read_bytes()
    other = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    draw(tmp_path / "anna/1.png", 9, (70, 64))
    assert "made with other pictures" in train(anna, "-o", "parts", "--resume", code=1, steps=STEPS, **other).stderr
    draw(tmp_path / "anna/1.png", 1, (70, 64))
    says = train(anna, "-o", "parts", "--resume", "--prompt", "a dog", code=1, steps=STEPS).stderr
    assert "prompt is sks person there, a dog here" in says
    assert "fit is crop there, pad here" in train(anna, "-o", "parts", "--resume", "--fit", "pad", code=1, steps=STEPS).stderr
    assert "width is 64 there, 128 here" in train(anna, "-o", "parts", "--resume", "-W", 128, code=1, steps=STEPS).stderr
    assert state.read_bytes() == kept
    done = train(anna, "-o", "parts", "--resume", "-t", 2, steps=STEPS, **other)
    assert "resuming anna after step" in done.stderr
    a, b = (load_file(tmp_path / f"{x}/anna.safetensors") for x in ("parts", "whole"))
    assert all((a[k] - b[k]).abs().max() <= 0.05 * b[k].abs().max() for k in a)


def test_class_pictures_belong_to_a_state(w2w, world, anna, tmp_path):
    arguments = ["train", anna, "-m", world.model, "--class-images", "class", "--checkpoint", "s.safetensors"]
    for i in range(3):
        draw(tmp_path / f"class/{i}.png", 30 + i)
    w2w(*arguments, "--steps", 2, "-t", 2, "-o", "a")
    w2w(*arguments, "--steps", 3, "-t", 1, "--resume", "-o", "b", ATEN_CPU_CAPABILITY="default")
    w2w(*arguments, "--steps", 4, "--resume", "--class-prompt", "animal", "-o", "c", code=1)
    draw(tmp_path / "class/1.png", 40)
    assert "made with other class pictures" in w2w(*arguments, "--steps", 4, "--resume", "-o", "c", code=1).stderr


def change_state(path, name, change):
    """The state with one tensor changed, everything else as it was."""
    tensors, about = load_file(path), metadata(path)
    tensors[name] = change(tensors[name])
    save_file({k: v for k, v in tensors.items() if v is not None}, path, metadata=about)


def damages(tensor):
    """What may have become of a tensor: gone, longer, of another type or dimension, not finite."""
    yield lambda t: None
    yield lambda t: torch.cat([t, t[-1:] if len(t) else torch.zeros(1, *t.shape[1:], dtype=t.dtype)])
    yield lambda t: t.to(torch.float16 if t.dtype != torch.float16 else torch.float32)
    yield lambda t: t[None].contiguous()
    if tensor.dtype.is_floating_point:
        yield lambda t: torch.full_like(t, float("nan"))


def test_every_tensor_of_a_state_is_checked(w2w, world, anna, tmp_path):
    draw(tmp_path / "class/0.png", 30), draw(tmp_path / "class/1.png", 31), draw(tmp_path / "anna/2.png", 32)
    arguments = ["train", anna, "-m", world.model, "--class-images", "class", "--checkpoint", "s.safetensors", "-o", "out"]
    w2w(*arguments, "--steps", 1)
    whole, tensors = (tmp_path / "s.safetensors").read_bytes(), load_file(tmp_path / "s.safetensors")
    assert sorted(tensors) == ["class_order", "first_moment", "generator", "losses", "order", "second_moment", "theta"]
    again = [*arguments, "--steps", 4, "--resume", "--force"]
    for name, tensor in tensors.items():
        lengths = name in ("order", "class_order", "losses")  # of any length; their contents are checked
        changes = [c for i, c in enumerate(damages(tensor)) if not (lengths and i == 1)]
        if "order" in name:
            changes += [lambda t: t * 0 - 1, lambda t: t * 0 + 10**12, lambda t: t * 0 + 3]
        if name == "losses":
            changes += [lambda t: t[:, :1].contiguous()]
        if name == "generator":
            changes += [lambda t: t * 0, lambda t: t * 0 + 255, lambda t: t[:-1].contiguous()]
        for change in changes:
            (tmp_path / "s.safetensors").write_bytes(whole)
            change_state(tmp_path / "s.safetensors", name, change)
            error = w2w(*again, code=3).stderr
            assert f"damaged checkpoint (s.safetensors): expected '{name}'" in error, error
            assert ", found " in error and "hint: delete it to start over" in error
    (tmp_path / "s.safetensors").write_bytes(whole)
    w2w(*again)


def test_a_state_of_an_earlier_version(train, anna, tmp_path):
    train(anna, "--checkpoint", "s.safetensors", "-o", "a")
    about = metadata(tmp_path / "s.safetensors") | {"w2w.format": "checkpoint of a training, version 1"}
    save_file(load_file(tmp_path / "s.safetensors"), tmp_path / "s.safetensors", metadata=about)
    error = train(anna, "--checkpoint", "s.safetensors", "--resume", "-o", "b", code=1).stderr
    assert "the checkpoint was written by an earlier version of w2w (s.safetensors)" in error
    assert "hint: finish it with that version, or delete it to start over" in error


def test_class_pictures_are_drawn_once_and_kept(w2w, world, anna, tmp_path):
    arguments = ["train", anna, "-m", world.model, "--steps", 2, "--num-class-images", 3]
    first = w2w(*arguments, "--prepare", "-o", "out")
    made = [f"out/class/class-{i:03}.png" for i in (1, 2, 3)]
    assert first.stdout.splitlines() == made
    (tmp_path / made[1]).unlink()
    assert w2w(*arguments, "-o", "out").stdout.splitlines() == [made[1], "out/anna_loss.csv", "out/anna.safetensors"]
    assert float(rows(tmp_path / "out/anna_loss.csv")[1]["prior"]) > 0


def test_class_pictures_are_added_to_a_folder_without_any(w2w, world, anna, tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class/notes.txt").write_text("hello")
    arguments = ["train", anna, "-m", world.model, "--num-class-images", 1, "--class-images", "class", "--prepare"]
    assert w2w(*arguments).stdout == "class/class-001.png\n"
    done = w2w(*arguments, "--prior-weight", 0)
    assert not done.stdout and "nothing to prepare" in done.stderr


def test_class_pictures_of_ones_own_are_enough(w2w, world, anna, tmp_path):
    draw(tmp_path / "others/x.png", 8)
    done = w2w("train", anna, "-m", world.model, "--steps", 2, "--class-images", "others", "-o", "out")
    assert done.stdout.splitlines() == ["out/anna_loss.csv", "out/anna.safetensors"]


def test_starting_from_a_lora(train, anna, tmp_path):
    """With a rate of nearly zero the result is the start."""
    train(anna, "-o", "a")
    train(anna, "--start", "a/anna.safetensors", "--lr", 1e-12, "-o", "b")
    a, b = (load_file(tmp_path / f"{x}/anna.safetensors") for x in "ab")
    assert all((a[k] - b[k]).abs().max() <= 1e-6 * a[k].abs().max() for k in a)
    assert "expected factors [2, " in train(anna, "--start", "a/anna.safetensors", "--rank", 2, "-o", "c", code=1).stderr


def test_everybody_may_start_from_a_lora_of_ones_own(train, anna, people, tmp_path):
    """With a rate of nearly zero the result is the start; who has none in the table takes that of --start, or random factors."""
    train("--batch-file", people, "-o", "a")
    table = people.read_text().replace("prompt", "prompt,start").replace(",\n", ",,\n").replace("beach", "beach,a/p4.safetensors")
    people.write_text(table.replace("p1,pictures/1.png,,", "p1,pictures/1.png,,a/p1.safetensors"))
    train("--batch-file", people, "--start", "a/p3.safetensors", "--together", 2, "--lr", 1e-12, "-o", "b")
    for name, start in ("p0", "p3"), ("p1", "p1"), ("p2", "p3"), ("p4", "p4"):
        a, b = load_file(tmp_path / f"a/{start}.safetensors"), load_file(tmp_path / f"b/{name}.safetensors")
        assert all((a[k] - b[k]).abs().max() <= 1e-6 * a[k].abs().max() for k in a), name
    with safe_open(tmp_path / "b/p1.safetensors", "np") as file:
        assert json.loads(file.metadata()["w2w.history"])[-1]["start"] == "p1.safetensors"
    wrong = train("--batch-file", people, "--start", "a/p3.safetensors", "--rank", 2, "-o", "c", code=1).stderr
    assert wrong.count("expected factors [2, ") == 1 and "could not be trained" not in wrong
    assert "cannot start from this LoRA (a/p3.safetensors)" in wrong and "its rank is 1" in wrong
    people.write_text(people.read_text().replace("4.png,,", "4.png,,a/p0.safetensors"))
    assert "'p4' starts from another LoRA above" in train("--batch-file", people, "-o", "c", code=3).stderr
    people.write_text("name,image,start\np0,pictures/0.png,none.safetensors\n")
    assert "no such file" in train("--batch-file", people, "-o", "c", code=4).stderr


def test_one_of_many_that_fails_does_not_stop_the_others(train, people, tmp_path):
    (tmp_path / "pictures/1.png").write_text("no picture")
    done = train("--batch-file", people, "--together", 2, "-o", "out", code=1)
    assert "1 of 5 people could not be trained: p1" in done.stderr and "pictures/1.png" in done.stderr
    told = json.loads(train("--batch-file", people, "--together", 2, "-o", "told", "--json", code=1).stdout)
    assert [o["path"] for o in told["outputs"] if o["kind"] == "lora"] == [f"told/{p}.safetensors" for p in ("p0", "p2", "p3", "p4")]
    assert told["error"]["kind"] == "failure" and told["error"]["message"].startswith("1 of 5 people could not be trained")
    (failed,) = told["failed"]
    assert failed["name"] == "p1" and failed["kind"] == "malformed" and "pictures/1.png" in failed["message"]
    assert {p.stem for p in (tmp_path / "out").glob("*.safetensors")} == {"p0", "p2", "p3", "p4"}
    draw(tmp_path / "pictures/1.png", 3)
    assert train("--batch-file", people, "-o", "out").stdout.splitlines() == ["out/p1_loss.csv", "out/p1.safetensors"]


def test_a_loss_that_is_no_number(train, anna, tmp_path):
    done = train(anna, "--lr", 1e6, "--max-grad-norm", 0, "-o", "out", code=1, steps=60)
    assert "is not finite at step" in done.stderr and "hint: a learning rate below" in done.stderr
    assert not (tmp_path / "out/anna.safetensors").exists()


@pytest.mark.parametrize("arguments, code, says", [
    ([], 2, "train needs pictures of a person"),
    (["none"], 4, "no such picture or folder (none)"),
    (["empty"], 4, "no pictures in this folder (empty)"),
    (["anna/notes.txt"], 3, "anna/notes.txt"),
    (["anna", "--batch-file", "people.csv"], 2, "--batch-file already lists all pictures"),
    (["--batch-file", "people.csv", "--name", "x"], 2, "--name is for one person"),
    (["anna", "--shard", "1/2"], 2, "--shard needs --batch-file"),
    (["--batch-file", "people.csv", "--shard", "3/2"], 2, "--shard expects"),
    (["--batch-file", "people.csv", "--shard", "2"], 2, "--shard expects I/N, such as 2/8, found '2'"),
    (["anna", "--lr", "0"], 2, "learning rate must be above 0"),
    (["anna", "--targets", "to_q,to_vv"], 2, "no linear layers named 'to_vv'"),
    (["anna", "-W", "60"], 2, "must be divisible by 8, found 60"),
    (["anna", "--name", "../b"], 2, "--name expects a valid file name, found '../b'"),
    (["anna", "--lr-schedule", "cosin"], 2, "did you mean 'cosine'"),
    (["anna", "--targets", "to_q,,to_v"], 2, "--targets expects layers separated by commas, found 'to_q,,to_v'"),
    (["anna", "--rank", "0"], 2, "--rank"),
    (["anna", "-o", "anna/0.png/x"], 1, "anna/0.png/x"),
    (["--batch-file", "empty"], 4, "no folders of people in --batch-file (empty)")])
def test_refusals(train, anna, people, tmp_path, arguments, code, says):
    (tmp_path / "empty").mkdir()
    done = train(*arguments, code=code)
    assert says in done.stderr
    assert not list(tmp_path.glob("*.safetensors"))


def test_existing_results_are_kept(train, anna):
    train(anna)
    assert "the output exists already" in train(anna, code=1).stderr
    assert "the output exists already" in train(anna, "--resume", code=1).stderr
    train(anna, "--force")


def test_settings_of_pictures_do_not_change_the_training(w2w, world, anna, tmp_path):
    (tmp_path / "c.toml").write_text('steps = 3\nprompt = "a cat"\nseed = 9\n[train]\nsteps = 2\nprior-weight = 0\n')
    w2w("train", anna, "-m", world.model, "--config", "c.toml", W2W_STEPS="7")
    (entry,) = json.loads(metadata(tmp_path / "anna.safetensors")["w2w.history"])
    assert entry["steps"] == 2 and entry["seed"] == 0
