"""`space build` against numpy's SVD of the standardised matrix, and its ways to the same space.

Bounds are relative to the largest value compared. Run with -s to see the measured figures.
"""
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.loras import draw_models, factors, save_diffusers, save_kohya, save_matrix, save_peft
from parity.tiny_spaces import modules_of

MODELS = 24


class Built:
    """A space on disk, as f64."""

    def __init__(self, folder):
        self.folder = folder
        self.basis = {name: value.double().numpy() for name, value in load_file(folder / "basis.safetensors").items()}
        with safe_open(folder / "projections.safetensors", "np") as file:
            self.names = json.loads(file.metadata()["names"])
            self.projections = file.get_tensor("projections").astype(np.float64)
        self.description = json.loads((folder / "space.json").read_text())

    def __getattr__(self, name):
        return self.basis[name]

    def models(self):
        return self.projections @ self.components[:self.projections.shape[1]] * self.std + self.mean

    def bytes(self):
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}


class Svd:
    def __init__(self, models):
        models = np.asarray(models, np.float64)
        self.mean, self.std = models.mean(0), models.std(0, ddof=1)
        moves = self.std > 1e-6 * self.std.mean()
        x = np.where(moves, (models - self.mean) / np.where(moves, self.std, 1), 0)
        u, self.s, self.v = np.linalg.svd(x, full_matrices=False)
        self.scores = u * self.s
        self.variance = self.s**2 / (len(models) - 1)
        self.moving = moves.sum()


def difference(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def signs(ours, theirs):
    return np.sign((ours * theirs).sum(1))[:, None]


@pytest.fixture
def world(models):
    class World:
        pipeline = models("demo").pipeline
        folder = models("demo").folder
        modules = modules_of(pipeline.unet)
    return World


@pytest.fixture
def build(w2w, world, tmp_path):
    def run(*sources, out="space", **expected):
        done = w2w("space", "build", *sources, "-m", world.folder, "-o", tmp_path / out, **expected)
        return Built(tmp_path / out) if not expected.get("code") else done.stderr
    return run


@pytest.fixture
def drawn(world):
    return draw_models(world.modules, MODELS)


def check(built, models, count, gap_bound=1e-4):
    svd = Svd(models)
    sign = signs(built.components, svd.v[:count])
    figures = {
        "mean": difference(built.mean, svd.mean), "std": difference(built.std, svd.std),
        "components": np.abs(built.components * sign - svd.v[:count]).max() / np.abs(svd.v[:count]).max(),
        "projections": difference(built.projections * sign.T, svd.scores[:, :count]),
        "explained variance": np.abs(built.explained_variance / svd.variance[:count] - 1).max(),
        "projection std": np.abs(built.projection_std**2 / svd.variance[:count] - 1).max(),
        "orthonormality": np.abs(built.components @ built.components.T - np.eye(count)).max(),
    }
    print({name: f"{value:.1e}" for name, value in figures.items()})
    assert figures.pop("components") <= gap_bound
    assert all(value <= 1e-6 for value in figures.values()), figures
    assert built.description["total_variance"] == svd.moving
    return svd


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("count", [5, MODELS - 1])
def test_against_numpy(build, drawn, tmp_path, dtype, count):
    models = drawn.astype(dtype)
    built = build(save_matrix(models, tmp_path / "m.safetensors"), "--components", count)
    svd = check(built, models, count)
    if count == MODELS - 1:
        assert difference(built.models(), models.astype(np.float64)) <= 1e-5
    else:
        best = svd.scores[:, :count] @ svd.v[:count] * svd.std + svd.mean
        assert difference(built.models(), best) <= 1e-6
    assert built.names[:2] == ["model_00001", "model_00002"]


def test_many_blocks(build, world, tmp_path):
    """More columns than one block has, rows that are no multiple of a strip."""
    models = draw_models(world.modules, 150)
    built = build(save_matrix(models, tmp_path / "m.safetensors"))
    check(built, models, 149, gap_bound=1e-3)  # the last gaps are a few parts in ten thousand


@pytest.mark.parametrize("dtype, epsilon", [("f16", 2**-11), ("bf16", 2**-8)])
def test_narrow_components(build, drawn, tmp_path, dtype, epsilon):
    matrix = save_matrix(drawn, tmp_path / "m.safetensors")
    wide, narrow = build(matrix, out="wide"), build(matrix, "--dtype", dtype, out="narrow")
    assert np.abs(narrow.components - wide.components).max() <= epsilon * np.abs(wide.components).max()
    assert np.array_equal(narrow.projections, wide.projections) and np.array_equal(narrow.mean, wide.mean)


def test_parameters_that_never_move(build, drawn, tmp_path):
    drawn[:, 10:200] = drawn[0, 10:200]
    drawn[3:, 50] *= 1 + 1e-7  # rounding, not movement
    built = build(save_matrix(drawn, tmp_path / "m.safetensors"))
    assert np.all(built.components[:, 10:200] == 0)
    assert difference(built.std[10:200], np.full(190, 1e-8 * built.std.mean())) <= 0.1
    assert difference(built.models(), drawn.astype(np.float64)) <= 1e-5
    assert built.description["total_variance"] == drawn.shape[1] - 190


def test_every_source_is_the_same_space(build, world, drawn, tmp_path):
    names = [f"person_{i:02}" for i in range(MODELS)]
    expected = build(save_matrix(drawn, tmp_path / "m.safetensors", names), out="matrix")
    torch.save(torch.tensor(drawn), tmp_path / "all_weights.pt")
    (tmp_path / "all_weights.txt").write_text("\n".join(names) + "\n")
    kohya, shards = tmp_path / "kohya", tmp_path / "shards"
    for folder in (kohya, shards / "1", shards / "2", shards / "3"):
        folder.mkdir(parents=True)
    for i, (name, theta) in enumerate(zip(names, drawn)):
        save_kohya(world.modules, theta, kohya / f"{name}_lora.safetensors")
        save = (lambda: save_kohya(world.modules, theta, shards / "1" / f"{name}.safetensors"),
                lambda: save_peft(world.modules, theta, shards / "2" / name),
                lambda: save_diffusers(world.modules, theta, shards / "3" / f"{name}.safetensors"))[i * 3 // MODELS]
        save()
    # What else lies about in such folders.
    (kohya / "person_00.png").write_bytes(b"no LoRA")
    (kohya / "log.csv").write_text("step,loss\n")
    save_kohya(world.modules, drawn[0] * 2, kohya / "person_99_checkpoint.safetensors")
    save_file({"coefficients": torch.zeros(5)}, kohya / "person_00.safetensors")
    sources = {"torch": [tmp_path / "all_weights.pt"], "kohya": [kohya], "shards": [shards],
               "files": [*sorted(kohya.glob("*_lora.safetensors"))]}
    for name, given in sources.items():
        built = build(*given, out=f"of_{name}")
        assert built.names == names, name
        assert difference(built.models(), drawn.astype(np.float64)) <= 1e-5
        error = difference(built.components * signs(built.components, expected.components), expected.components)
        print(f"{name}: {error:.1e}")
        assert error <= 1e-4  # 27 B is rounded to f32 on its way through a file
    first = save_matrix(drawn[:6], tmp_path / "first.safetensors", names[:6])
    rest = [kohya / f"{name}_lora.safetensors" for name in names[6:]]
    assert np.array_equal(build(first, *rest, out="mixture").names, names)


def test_higher_ranks_become_the_best_of_rank_one(build, world, drawn, tmp_path):
    rng = torch.Generator().manual_seed(3)
    folder = tmp_path / "loras"
    folder.mkdir()
    expected = []
    for i, theta in enumerate(drawn[:6]):
        tensors, deltas = {}, {}
        for name, (a, b) in factors(world.modules, theta).items():
            a = torch.cat([a, 0.1 * torch.randn(2, a.shape[1], generator=rng)])
            b = torch.cat([27 * b, 0.1 * torch.randn(b.shape[0], 2, generator=rng)], 1)
            key = "lora_unet_" + name.replace(".", "_")
            tensors |= {f"{key}.lora_down.weight": a, f"{key}.lora_up.weight": b, f"{key}.alpha": torch.tensor(6.0)}
            u, s, v = torch.linalg.svd(2 * (b.double() @ a.double()))
            deltas[name] = s[0] * torch.outer(u[:, 0], v[0])
        expected.append(deltas)
        save_file(tensors, folder / f"p{i}.safetensors")
    built = build(folder)
    for theta, deltas in zip(built.models(), expected):
        for name, (a, b) in factors(world.modules, theta).items():
            assert difference((27 * b @ a).numpy(), deltas[name].numpy()) <= 1e-4
            assert abs(a.norm() / (27 * b.norm()) - 1) <= 1e-4
    assert built.description["build"]["canonical"]


def test_canonical_is_the_same_for_every_scale_and_sign(build, world, drawn, tmp_path):
    rng = np.random.default_rng(5)
    plain, changed = tmp_path / "plain", tmp_path / "changed"
    plain.mkdir(), changed.mkdir()
    for i, theta in enumerate(drawn):
        save_kohya(world.modules, theta, plain / f"p{i:02}.safetensors")
        other, at = theta.copy(), 0
        for _, columns, rows in world.modules:
            t = np.float32(np.exp(rng.standard_normal()) * rng.choice([-1, 1]))
            other[at:at + columns] *= t
            other[at + columns:at + columns + rows] /= t
            at += columns + rows
        save_kohya(world.modules, other, changed / f"p{i:02}.safetensors")
    a, b = build(plain, "--canonical", out="a"), build(changed, "--canonical", out="b")
    matrix = build(save_matrix(drawn, tmp_path / "m.safetensors"), "--canonical", out="m")
    for other in (b, matrix):
        assert difference(other.models(), a.models()) <= 1e-5
        error = difference(other.components * signs(other.components, a.components), a.components)
        print(f"canonical: {error:.1e}")
        assert error <= 1e-3
    without = build(changed, out="without")
    assert difference(without.models(), a.models()) > 0.1


def test_appending(build, world, drawn, tmp_path):
    old = build(save_matrix(drawn[:16], tmp_path / "old.safetensors", [f"old_{i}" for i in range(16)]), "--steps", 7,
                out="old")
    new = save_matrix(drawn[16:], tmp_path / "new.safetensors", [f"new_{i}" for i in range(8)])
    grown = build(old.folder, new, out="grown")
    assert grown.names == [f"old_{i}" for i in range(16)] + [f"new_{i}" for i in range(8)]
    assert grown.description["defaults"]["steps"] == 7
    check_bound = difference(grown.models(), drawn.astype(np.float64))
    print(f"appended: {check_bound:.1e}")
    assert check_bound <= 1e-5


def test_the_kept_matrix_builds_the_same_space(build, world, drawn, tmp_path):
    for i, theta in enumerate(drawn):
        save_kohya(world.modules, theta, tmp_path / f"p{i:02}.safetensors")
    files = sorted(tmp_path.glob("p*.safetensors"))
    first = build(*files, "--weights", tmp_path / "kept.safetensors", out="first")
    second = build(tmp_path / "kept.safetensors", out="second")
    assert first.bytes() == second.bytes()


def test_randomized_against_exact(build, world, tmp_path):
    models = draw_models(world.modules, 300, inner=40, noise=0.3)
    matrix = save_matrix(models, tmp_path / "m.safetensors")
    exact = build(matrix, "--components", 10, out="exact")
    near = build(matrix, "--components", 10, "--method", "randomized", out="near")
    made = near.description["build"]
    assert made["method"] == "randomized" and "residual_worst" not in exact.description["build"]
    angle = np.abs((near.components * exact.components).sum(1) - signs(near.components, exact.components)[:, 0]).max()
    variance = np.abs(near.explained_variance / exact.explained_variance - 1).max()
    print(f"residual {made['residual_median']:.1e} {made['residual_worst']:.1e}, variance {variance:.1e}, angle {angle:.1e}")
    # An eigenvalue is off by the square of the residual over its gap, at most by the residual itself.
    assert variance <= max(made["residual_worst"], 1e-7)
    assert made["residual_median"] <= 1e-3
    assert np.abs(near.components @ near.components.T - np.eye(10)).max() <= 1e-6
    # The measured error, |G u - s^2 u| / s^2 from outside: projections are G u, one product nearer than u itself.
    svd = Svd(models)
    x = (models - svd.mean) / svd.std
    u = near.projections / np.linalg.norm(near.projections, axis=0)
    gu = x @ (x.T @ u)
    true = np.linalg.norm(gu - u * (u * gu).sum(0), axis=0) / (u * gu).sum(0)
    coarse = build(matrix, "--components", 10, "--method", "randomized", "--passes", 2, "--oversample", 1, out="coarse")
    assert coarse.description["build"]["residual_median"] > 100 * made["residual_median"]
    assert true.max() <= made["residual_worst"] <= 10 * true.max()
    whole = build(matrix, "--components", 10, "--method", "randomized", "--oversample", 30, "--passes", 3, out="whole")
    assert np.abs(whole.explained_variance / exact.explained_variance - 1).max() <= 1e-6


def test_numpy_reads_the_normality(w2w, build, drawn, tmp_path):
    from scipy import stats
    built = build(save_matrix(drawn, tmp_path / "m.safetensors"))
    info = json.loads(w2w("space", "info", built.folder, "--components", 23, "--json").stdout)
    for found, values in zip(info["normality"], built.projections.T):
        expected = stats.normaltest(values)
        assert np.allclose([found["skewness"], found["kurtosis"], found["k2"], found["p"], found["std"]],
                           [stats.skew(values), stats.kurtosis(values), expected.statistic, expected.pvalue,
                            values.std(ddof=1)], rtol=1e-6)
    shares = Svd(drawn).variance / drawn.shape[1]
    for entry in info["spectrum"]:
        assert abs(entry["share"] / shares[entry["component"] - 1] - 1) <= 1e-5
        assert abs(entry["cumulated"] - shares[:entry["component"]].sum()) <= 1e-6
    assert abs(info["spectrum"][-1]["cumulated"] - 1) <= 1e-6
