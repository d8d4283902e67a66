"""`import`: LoRA files back into coefficients, whatever scale and sign their factors have.

Errors are relative to the largest coefficient. Run with -s to see the measured figures.
"""
import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from conftest import ROOT
from parity.tiny_spaces import make_space

DEMO = ROOT / "share/w2w/demo"
# f16 and bf16: what rounding both factors leaves; it lies mostly outside the space
BOUNDS = {"f32": 1e-6, "f16": 3e-4, "bf16": 3e-3}


class Space:
    """A space on disk, one person of it, and the way to run the commands with it."""

    def __init__(self, w2w, folder, modules, coefficients, path):
        self.w2w, self.folder, self.modules, self.coefficients, self.path = w2w, folder, modules, coefficients, path
        save_file({"coefficients": coefficients}, path / "person.safetensors")

    def export(self, form, dtype):
        done = self.w2w("export", "person.safetensors", "--space", self.folder, "--format", form, "--dtype", dtype, "--force")
        return self.path / done.stdout.strip()

    def imported(self, lora, *options):
        """(coefficients, facts)"""
        done = self.w2w("import", lora, "--space", self.folder, "-o", "back.safetensors", "--force", "--json", *options)
        return load_file(self.path / "back.safetensors")["coefficients"], json.loads(done.stdout)["outputs"][0]

    def error(self, found):
        return ((found - self.coefficients).abs().max() / self.coefficients.abs().max()).item()


@pytest.fixture(params=["demo", "tiny"])
def space(request, w2w, models, tmp_path):
    """The demo world's space, whose components are stored in f16, and one whose components are not orthogonal at all."""
    if request.param == "demo":
        modules = [(m["name"], m["in"], m["out"]) for m in json.loads((DEMO / "space/space.json").read_text())["modules"]]
        return Space(w2w, DEMO / "space", modules, load_file(DEMO / "space/projections.safetensors")["projections"][17], tmp_path)
    tiny = make_space(models("demo").pipeline.unet)
    return Space(w2w, tiny.save_compact(tmp_path / "space"), tiny.modules, tiny.projections[3].clone(), tmp_path)


@pytest.mark.parametrize("form", ["kohya", "peft", "diffusers"])
@pytest.mark.parametrize("dtype", BOUNDS)
def test_export_then_import(space, form, dtype):
    found, facts = space.imported(space.export(form, dtype))
    print(f"\n{form} {dtype}: coefficients {space.error(found):.1e}, outside {facts['outside']:.1e}, "
          f"change {facts['outside_change']:.1e}")
    assert space.error(found) <= BOUNDS[dtype]
    assert facts["rank"] == 1 and facts["outside_rank_one"] == 0
    assert facts["outside_change"] <= {"f32": 1e-6, "f16": 1e-3, "bf16": 1e-2}[dtype]


def regauged(lora, seed):
    """The same changes with each A times t and B divided by it, t random in size and sign."""
    generator, changed = torch.Generator().manual_seed(seed), {}
    for key, down in lora.items():
        if ".lora_down." in key:
            t = torch.randn((), generator=generator).mul(2).exp() * torch.randn((), generator=generator).sign()
            up = key.replace(".lora_down.", ".lora_up.")
            changed[key], changed[up] = down * t, lora[up] / t
    return changed


@pytest.mark.parametrize("seed", range(5))
def test_scale_and_sign_of_the_factors_do_not_matter(space, seed):
    save_file(regauged(load_file(space.export("kohya", "f32")), seed), space.path / "other.safetensors")
    found, facts = space.imported("other.safetensors")
    print(f"\nregauged: coefficients {space.error(found):.1e}, outside {facts['outside']:.1e}")
    assert space.error(found) <= 2e-6


def test_a_lora_from_an_svd(space):
    """Both factors of one length and of arbitrary sign, in a higher rank than needed: what converters write."""
    lora, changed = load_file(space.export("kohya", "f32")), {}
    for key, down in lora.items():
        if ".lora_down." in key:
            up = key.replace(".lora_down.", ".lora_up.")
            u, s, v = torch.linalg.svd(lora[up].double() @ down.double(), full_matrices=False)
            changed[key] = (s[:3].sqrt()[:, None] * v[:3]).float().contiguous()
            changed[up] = (u[:, :3] * s[:3].sqrt()).float().contiguous()
    save_file(changed, space.path / "svd.safetensors")
    found, facts = space.imported("svd.safetensors")
    print(f"\nsvd: {space.error(found):.1e}")
    assert facts["rank"] == 3 and facts["outside_rank_one"] < 1e-5
    assert space.error(found) <= 1e-5


def theta_parts(space, lora):
    """[(A, 27 B / 27)] of each module in order, from a kohya file."""
    for name, *_ in space.modules:
        stem = "lora_unet_" + name.replace(".", "_")
        yield lora[stem + ".lora_down.weight"].flatten().double(), lora[stem + ".lora_up.weight"].flatten().double() / 27


def noisy(space, share):
    generator = torch.Generator().manual_seed(3)
    return {key: value + share * value.std() * torch.randn(value.shape, generator=generator)
            for key, value in load_file(space.export("kohya", "f32")).items()}


def test_of_the_space_s_own_scales_is_the_plain_projection(space):
    """V^T ((theta - mean) / std), by least squares, for a LoRA of which some is outside: its scales are not bent to fit that."""
    basis = load_file(Path(space.folder) / "basis.safetensors")
    mean, std, v = (basis[key].double() for key in ("mean", "std", "components"))
    noise = torch.randn(len(mean), generator=torch.Generator().manual_seed(4)).double()
    for share in (0.05, 0.3, 1):
        theta = mean + std * (space.coefficients.double() @ v[:len(space.coefficients)] + share * noise)
        lora, at = {}, 0
        for name, inputs, outputs in space.modules:
            stem = "lora_unet_" + name.replace(".", "_")
            lora[stem + ".lora_down.weight"] = theta[at:at + inputs].view(1, -1).float().contiguous()
            lora[stem + ".lora_up.weight"] = 27 * theta[at + inputs:at + inputs + outputs].view(-1, 1).float().contiguous()
            at += inputs + outputs
        save_file(lora, space.path / "off.safetensors")
        found, facts = space.imported("off.safetensors")
        x = (theta - mean) / std
        expected = torch.linalg.lstsq(v.T, x[:, None]).solution[:, 0]
        print(f"\nshare {share}: outside {facts['outside']:.3f}, coefficients {(found - expected).abs().max() / expected.abs().max():.1e}")
        assert (found - expected).abs().max() <= 2e-6 * expected.abs().max()
        assert abs(facts["outside"] - ((x - v.T @ expected).norm() / x.norm()).item()) <= 1e-6


def test_nobody_finds_less_outside(space):
    """A LoRA off the space, of other scales: PyTorch's optimiser over scales and coefficients does not end below our remainder."""
    lora = regauged(noisy(space, 0.3), 1)
    save_file(lora, space.path / "off.safetensors")
    found, facts = space.imported("off.safetensors")
    basis = load_file(Path(space.folder) / "basis.safetensors")
    mean, std, v = (basis[key].double() for key in ("mean", "std", "components"))
    q = torch.linalg.qr(v.T).Q
    parts = list(theta_parts(space, lora))
    starts, at = [], 0
    for a, b in parts:  # the scale that brings A nearest to the mean's
        starts.append((a @ mean[at:at + len(a)]) / (a @ a))
        at += len(a) + len(b)
    with torch.enable_grad():
        logs = torch.stack(starts).abs().log().requires_grad_()
        signs = torch.stack(starts).sign()

        def outside():
            t = signs * logs.exp()
            theta = torch.cat([part for i, (a, b) in enumerate(parts) for part in (a * t[i], b / t[i])])
            x = (theta - mean) / std
            return (x - q @ (q.T @ x)).norm() / x.norm(), (x - q @ (q.T @ x)).square().sum()

        optimiser = torch.optim.LBFGS([logs], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15,
                                      line_search_fn="strong_wolfe")

        def closure():
            optimiser.zero_grad()
            loss = outside()[1]
            loss.backward()
            return loss

        optimiser.step(closure)
        theirs = outside()[0].item()
    print(f"\noutside: ours {facts['outside']:.6f}, optimised {theirs:.6f}")
    assert facts["outside"] <= theirs * (1 + 1e-4)
    assert facts["outside"] > 0.02


def test_higher_ranks_enter_by_their_best_rank_one(models, w2w, tmp_path):
    """PEFT's rank 4: coefficients equal those of the best rank-1 change, made here."""
    unet = models("demo").pipeline.unet
    tiny = make_space(unet)
    folder = tiny.save_compact(tmp_path / "space")
    import copy
    model = get_peft_model(copy.deepcopy(unet), LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_v"],
                                                           init_lora_weights=False))
    model.save_pretrained(tmp_path / "peft")
    one, dropped, whole = {}, 0, 0
    for name, *_ in tiny.modules:
        delta = model.base_model.model.get_submodule(name).get_delta_weight("default").double()
        u, s, v = torch.linalg.svd(delta)
        one[f"unet.{name}.lora_A.weight"] = v[:1].float().contiguous()
        one[f"unet.{name}.lora_B.weight"] = (u[:, :1] * s[0]).float().contiguous()
        dropped, whole = dropped + s[1:].square().sum(), whole + s.square().sum()
    save_file(one, tmp_path / "one.safetensors")
    results = {}
    for lora in ("peft", "one.safetensors"):
        done = w2w("import", lora, "--space", folder, "-o", "c.safetensors", "--force", "--json")
        results[lora] = load_file(tmp_path / "c.safetensors")["coefficients"], json.loads(done.stdout)["outputs"][0]
    torch.testing.assert_close(results["peft"][0], results["one.safetensors"][0], rtol=1e-4, atol=1e-4)
    assert results["peft"][1]["rank"] == 4
    assert abs(results["peft"][1]["outside_rank_one"] - (dropped / whole).sqrt().item()) < 1e-5
    assert "reduced from rank 4 to 1" in w2w("import", "peft", "--space", folder, "-o", "d.safetensors").stderr


def test_fewer_components(space):
    """With orthonormal components, the first coefficients do not depend on how many are asked for, but for the scales."""
    found, facts = space.imported(space.export("kohya", "f32"), "--components", 5)
    assert found.shape == (5,) and facts["components"] == 5
    assert facts["outside"] > 0.01
