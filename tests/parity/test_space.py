"""The weight space: theta, hash and draws against torch, in the compact and the released form.

Bounds are relative to the largest value compared. Run with -s to see the measured figures.
"""
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.tiny_spaces import make_space

BOUND = 1e-6
DEMO = Path(__file__).parent.parent.parent / "share" / "w2w" / "demo" / "space"


def difference(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def randn(count, seed):
    return torch.randn(count, generator=torch.Generator("cpu").manual_seed(seed))


@pytest.fixture
def space(models):
    return make_space(models("sd1").pipeline.unet)


@pytest.fixture(params=["compact", "released"])
def folder(request, space, tmp_path):
    save = space.save_compact if request.param == "compact" else space.save_released
    return save(tmp_path / "space")


def theta(probe, folder, identity, tmp_path, **expected):
    probe("theta", folder, identity, tmp_path / "theta.safetensors", **expected)
    return load_file(tmp_path / "theta.safetensors")["theta"]


def draw(probe, folder, k, spread, seed, tmp_path):
    probe("draw", folder, k, spread, seed, tmp_path / "drawn.safetensors")
    return load_file(tmp_path / "drawn.safetensors")["coefficients"]


@pytest.mark.parametrize("k", [1, 7, 20])
def test_theta(probe, space, folder, tmp_path, k):
    c = randn(k, 1)
    save_file({"coefficients": c}, tmp_path / "c.safetensors", {"w2w.space": space.hash})
    error = difference(theta(probe, folder, tmp_path / "c.safetensors", tmp_path), space.theta(c))
    print(f"theta: {error:.1e}")
    assert error <= BOUND


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_theta_of_narrow_components(probe, space, tmp_path, dtype):
    space.components = space.components.to(dtype)
    save_file({"coefficients": randn(20, 1)}, tmp_path / "c.safetensors")
    folder = space.save_compact(tmp_path / "space")
    assert difference(theta(probe, folder, tmp_path / "c.safetensors", tmp_path), space.theta(randn(20, 1))) <= BOUND


def test_hash_and_sizes(probe, space, folder):
    parameters = space.mean.numel()
    assert probe("space-info", folder).stdout.split() == [space.hash, str(parameters), "20", "30"]


@pytest.mark.parametrize("k, spread, seed", [(20, 1.0, 5), (5, 0.5, 6), (16, 2.0, 2**40 + 1)])
def test_draws(probe, space, folder, tmp_path, k, spread, seed):
    mean, std = space.projections.mean(0)[:k], space.projections.std(0)[:k]
    expected = mean + spread * std * randn(k, seed)
    ours = draw(probe, folder, k, spread, seed, tmp_path)
    assert difference(ours, expected) <= BOUND
    with safe_open(tmp_path / "drawn.safetensors", "pt") as file:
        assert file.metadata()["w2w.space"] == space.hash


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_reference_identity_files(probe, space, folder, tmp_path, dtype):
    c = randn(20, 3).to(dtype)
    (tmp_path / "person").mkdir()
    torch.save(c.unsqueeze(0), tmp_path / "person" / "w2wmodel.pt")
    for path in (tmp_path / "person", tmp_path / "person" / "w2wmodel.pt"):
        assert difference(theta(probe, folder, path, tmp_path), space.theta(c.float())) <= BOUND


def test_identities_are_written_as_the_reference_does(probe, space, folder, tmp_path):
    probe("draw", folder, 20, 1, 9, tmp_path / "w2wmodel.pt")
    written = torch.load(tmp_path / "w2wmodel.pt", weights_only=True)
    assert written.shape == (1, 20) and written.dtype == torch.float32
    assert torch.equal(written[0], draw(probe, folder, 20, 1, 9, tmp_path))


def test_the_released_form_becomes_compact(probe, space, tmp_path):
    released, compact = space.save_released(tmp_path / "files"), space.save_compact(tmp_path / "compact")
    assert probe("space-info", released, compact).returncode == 0
    probe("space-copy", released, compact, "f32", tmp_path / "copy")
    tensors = load_file(tmp_path / "copy" / "basis.safetensors")
    assert torch.equal(tensors["components"], space.components)
    assert torch.equal(tensors["mean"], space.mean) and torch.equal(tensors["std"], space.std)
    assert difference(tensors["projection_std"], space.projections.std(0)) <= BOUND
    description, expected = (json.loads((f / "space.json").read_text()) for f in (tmp_path / "copy", compact))
    for name in ("hash", "rank", "alpha", "parameters", "components", "models", "modules"):
        assert description[name] == expected[name]
    probe("space-copy", released, compact, "bf16", tmp_path / "narrow")
    assert torch.equal(load_file(tmp_path / "narrow" / "basis.safetensors")["components"], space.components.bfloat16())


def space_of(probe, released, compact):
    """Hash, parameters, components and models of a released folder with the layers of a compact one."""
    return probe("space-info", released, compact).stdout.split()


SPELLINGS = {
    "release": {}, "kohya": {"name": "lora_unet_{}.lora_{}.weight", "parts": ("down", "up"), "underscores": True},
    "underscores": {"name": "lora_unet_{}_lora_{}_weight", "underscores": True}, "dots": {"name": "lora_unet.{}.lora_{}.weight"},
    "peft": {"name": "base_model.model.{}.lora_{}.weight"}, "peft adapter": {"name": "base_model.model.{}.lora_{}.identity1.weight"},
    "diffusers": {"name": "unet.{}.lora.{}.weight", "parts": ("down", "up")}, "processor": {"name": "{}_lora.{}.weight", "parts": ("down", "up")},
    "unknown": {"name": "{}/{}", "parts": "xy"}}
ENTRIES = {
    "size": lambda n, shape: (torch.Size([n]), shape), "tuple": lambda n, shape: ((n,), tuple(shape)), "list": lambda n, shape: [[n], list(shape)],
    "number": lambda n, shape: (n, shape), "numpy": lambda n, shape: (np.int64(n), np.array(shape)),
    "numpy sequence": lambda n, shape: ([np.int64(n)], [np.int32(x) for x in shape]), "array": lambda n, shape: (np.array([n]), shape),
    "tensor": lambda n, shape: (torch.tensor(n), torch.tensor(shape)), "shape alone": lambda n, shape: shape, "count alone": lambda n, shape: n}


@pytest.mark.parametrize("spelling, entry", [(name, "size") for name in SPELLINGS] + [("release", name) for name in list(ENTRIES)[1:]])
def test_weight_dimensions_in_every_spelling(probe, space, tmp_path, spelling, entry):
    """The reference takes d[key][0][0] as the count and d[key][1] as the shape; its keys are published nowhere."""
    released, compact = space.save_released(tmp_path / "files"), space.save_compact(tmp_path / "compact")
    torch.save(space.dimensions(**SPELLINGS[spelling], entry=ENTRIES[entry]), released / "weight_dimensions.pt")
    assert space_of(probe, released, compact) == [space.hash, str(space.mean.numel()), "20", "30"]


def moved(dimensions):
    """The first factor last: counts in another order."""
    items = list(dimensions.items())
    return dict(items[1:] + items[:1])


def longer(dimensions, at):
    return {key: (torch.Size([n[0] + (i == at)]), torch.Size([n[0] + (i == at)])) for i, (key, (n, _)) in enumerate(dimensions.items())}


@pytest.mark.parametrize("change, message", [
    (moved, "should be lora_B of down_blocks.0"),
    (lambda d: longer(d, 5), "factor 6 of"),
    (lambda d: dict(list(d.items())[:-1]), "factors, found"),
    (lambda d: d | {"another": (torch.Size([3]), torch.Size([3]))}, "factors, found"),
])
def test_counts_of_another_model_are_refused(probe, space, tmp_path, change, message):
    released, compact = space.save_released(tmp_path / "files"), space.save_compact(tmp_path / "compact")
    torch.save(change(space.dimensions()), released / "weight_dimensions.pt")
    error = probe("space-info", released, compact, code=1).stderr
    assert "was made for another model" in error and message in error and "hint:" in error


@pytest.mark.parametrize("content", [
    torch.zeros(3), {}, {"x": None}, {"x": "text"}, {"x": (torch.Size([3]), torch.Size([4]))}, [1, 2], pandas.DataFrame({"a": [1]})],
    ids=["tensor", "empty", "none", "text", "contradiction", "list", "frame"])
def test_a_table_that_is_not_understood_does_not_stop_the_work(probe, space, tmp_path, content):
    released, compact = space.save_released(tmp_path / "files"), space.save_compact(tmp_path / "compact")
    torch.save(content, released / "weight_dimensions.pt")
    assert space_of(probe, released, compact)[0] == space.hash
    (released / "weight_dimensions.pt").write_bytes(b"PK\3\4 cut short")
    assert space_of(probe, released, compact)[0] == space.hash


def transposed_in_storage(v):
    """As torch.svd leaves V: [P, k], one component after the other."""
    return v.T.contiguous().T


FORMS = {
    "rows and columns": {"mean": lambda t: t[None], "std": lambda t: t[:, None]}, "parameters": {n: torch.nn.Parameter for n in ("V", "mean", "std", "proj")},
    "of autograd": {n: lambda t: t.requires_grad_() for n in ("V", "mean", "std", "proj")}, "f64": {n: lambda t: t.double() for n in ("V", "mean", "std", "proj")},
    "in dicts": {n: lambda t: {"weights": t} for n in ("V", "mean", "std", "proj")}, "in lists": {n: lambda t: [t] for n in ("V", "mean", "std", "proj")},
    "numpy": {n: lambda t: t.numpy() for n in ("V", "mean", "std", "proj")}, "svd": {"V": transposed_in_storage, "proj": transposed_in_storage},
    "transposed": {"V": lambda t: t.T.contiguous(), "proj": lambda t: t.T.contiguous()}, "views": {n: lambda t: t.repeat_interleave(2, -1)[..., ::2] for n in ("V", "mean", "std", "proj")}}


@pytest.mark.parametrize("form", FORMS)
def test_release_in_other_forms(probe, space, tmp_path, form):
    """Whatever holds the same numbers is the same space: theta and draws against torch."""
    released = space.save_released(tmp_path / "files")
    files = {"V": (space.components.T, "V.pt"), "mean": (space.mean, "mean.pt"), "std": (space.std, "std.pt"), "proj": (space.projections, "proj_20pc.pt")}
    for name, change in FORMS[form].items():
        torch.save(change(files[name][0].clone()), released / files[name][1])
    assert space_of(probe, released, space.save_compact(tmp_path / "compact")) == [space.hash, str(space.mean.numel()), "20", "30"]
    for k in (7, 20):
        save_file({"coefficients": randn(k, 1)}, tmp_path / "c.safetensors")
        assert difference(theta(probe, released, tmp_path / "c.safetensors", tmp_path), space.theta(randn(k, 1))) <= BOUND
    assert difference(draw(probe, released, 20, 1, 5, tmp_path), space.projections.mean(0) + space.projections.std(0) * randn(20, 5)) <= BOUND


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_release_in_narrow_numbers(probe, space, tmp_path, dtype):
    space.components, space.mean, space.std, space.projections = (
        t.to(dtype) for t in (space.components, space.mean, space.std, space.projections))
    released = space.save_released(tmp_path / "files")
    space.mean, space.std = space.mean.float(), space.std.float()
    assert space_of(probe, released, space.save_compact(tmp_path / "compact"))[0] == space.hash
    save_file({"coefficients": randn(20, 1)}, tmp_path / "c.safetensors")
    assert difference(theta(probe, released, tmp_path / "c.safetensors", tmp_path), space.theta(randn(20, 1))) <= BOUND


@pytest.mark.parametrize("change, code, message", [
    (lambda s, f: torch.save(torch.zeros(5, 3), f / "V.pt"), 3, "components], as long as mean.pt"),
    (lambda s, f: torch.save({"V": torch.zeros(5, 3), "x": torch.zeros(2)}, f / "V.pt"), 3, "V.pt"),
    (lambda s, f: torch.save(torch.zeros(5, 3, dtype=torch.int32), f / "V.pt"), 3, "V.pt"),
    (lambda s, f: torch.save(torch.zeros(5, 3), f / "mean.pt"), 3, "expected a vector"),
    (lambda s, f: torch.save(s.std[1:].clone(), f / "std.pt"), 3, "expected std ["),
    (lambda s, f: torch.save(torch.zeros(2, 3, 4), f / "proj_20pc.pt"), 3, "expected a matrix"),
    (lambda s, f: (f / "mean.pt").unlink(), 4, "mean.pt"),
    (lambda s, f: (f / "V.pt").write_bytes((f / "V.pt").read_bytes()[:-1000]), 3, "V.pt"),
])
def test_broken_releases(probe, space, tmp_path, change, code, message):
    released = space.save_released(tmp_path / "files")
    change(space, released)
    assert message in probe("space-info", released, code=code).stderr


def test_another_space_is_refused(probe, space, folder, tmp_path):
    save_file({"coefficients": randn(5, 1)}, tmp_path / "c.safetensors", {"w2w.space": "0" * 64})
    error = probe("theta", folder, tmp_path / "c.safetensors", tmp_path / "out", code=1).stderr
    assert "belongs to another space" in error and "0" * 16 in error and space.hash[:16] in error and "hint:" in error
    save_file({"coefficients": randn(21, 1)}, tmp_path / "c.safetensors")
    assert "at most 20 coefficients" in probe("theta", folder, tmp_path / "c.safetensors", tmp_path / "out", code=1).stderr
    assert "found 21" in probe("draw", folder, 21, 1, 1, tmp_path / "out", code=2).stderr
    assert not (tmp_path / "out").exists()


def test_another_model_is_refused(probe, models, space, tmp_path):
    released = space.save_released(tmp_path / "files")
    other = make_space(models("demo").pipeline.unet).save_compact(tmp_path / "other")
    error = probe("space-info", released, other, code=1).stderr
    assert str(space.mean.numel()) in error


def test_demo_space(probe, tmp_path):
    basis = load_file(DEMO / "basis.safetensors")
    expected = hashlib.sha256(basis["mean"].numpy().tobytes() + basis["std"].numpy().tobytes()).hexdigest()
    components, parameters = basis["components"].shape
    assert probe("space-info", DEMO).stdout.split()[:3] == [expected, str(parameters), str(components)]
    drawn = draw(probe, DEMO, components, 1, 5, tmp_path)
    assert torch.equal(drawn, basis["projection_mean"] + 1.0 * basis["projection_std"] * randn(components, 5))
    exact = (drawn.double() @ basis["components"].double()) * basis["std"].double() + basis["mean"].double()
    assert difference(theta(probe, DEMO, tmp_path / "drawn.safetensors", tmp_path), exact) <= BOUND
