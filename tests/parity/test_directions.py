"""Directions and edited coefficients by the program against numpy and scipy: all methods, tests on held-out models, debiasing, units.
Strengths and labels are those a user types.

Bounds are relative to the largest change. Run with -s to see the measured figures.
"""
import json

import numpy as np
import pandas
import pytest
import torch
from scipy.optimize import minimize
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.tiny_spaces import make_space

BOUND = 2e-7
ATTRIBUTES = ["Male", "Young", "Eyeglasses", "Bald"]
MODELS = 80


def orthogonal_projections(generator):
    """What PCA of standardised models gives: centred, orthogonal columns of falling size."""
    draw = torch.randn(MODELS, 20, generator=generator, dtype=torch.float64)
    q, _ = torch.linalg.qr(draw - draw.mean(0))
    return (q * torch.logspace(1.5, -0.5, 20, dtype=torch.float64)).float().contiguous()


def correlated_projections(generator):
    """Off-centre columns, all correlated: only true least squares is right."""
    mixing = torch.randn(20, 20, generator=generator)
    return torch.randn(MODELS, 20, generator=generator) @ mixing + 0.5


@pytest.fixture(params=["orthogonal", "correlated", "few models"])
def space(request, models):
    generator = torch.Generator().manual_seed(1)
    made = make_space(models("sd1").pipeline.unet)
    made.projections = {"orthogonal": orthogonal_projections, "correlated": correlated_projections,
                        "few models": lambda g: torch.randn(12, 20, generator=g)}[request.param](generator)
    return made


@pytest.fixture
def labels(space):
    """+1/-1 that follow the projections, so that attributes are correlated with each other."""
    generator = np.random.default_rng(3)
    p = space.projections.double().numpy()
    common = (p @ generator.normal(size=20)) / p.std()
    return np.where(common[:, None] + generator.normal(size=(len(p), 4)) * common.std() > 0, 1, -1)


def write_labels(path, labels, names, columns=ATTRIBUTES):
    rows = [f"{name}," + ",".join(str(v) for v in row) for name, row in zip(names, labels)]
    path.write_text("\n".join(["name," + ",".join(columns), *rows]) + "\n")
    return path


def names_of(space):
    return [f"person_{i}" for i in range(len(space.projections))]


@pytest.fixture
def folder(space, labels, tmp_path):
    """The space on disk, with labels in another order."""
    folder = space.save_compact(tmp_path / "space")
    shuffled = np.random.default_rng(0).permutation(len(labels))
    write_labels(folder / "labels.csv", labels[shuffled], np.array(names_of(space))[shuffled])
    return folder


@pytest.fixture
def edit(w2w, folder, tmp_path):
    """edit(OPTIONS..., k, folder): the change of the coefficients, f64 [k]."""
    def run(*options, k=20, where=folder):
        start = torch.randn(k, generator=torch.Generator().manual_seed(8))
        save_file({"coefficients": start}, tmp_path / "me.safetensors")
        w2w("edit", tmp_path / "me.safetensors", "--space", where, "--no-images", "-o", tmp_path / "out.safetensors", "--force",
            *options)
        after = load_file(tmp_path / "out.safetensors")["coefficients"].double()
        before = torch.zeros(len(after), dtype=torch.float64)
        before[:k] = start.double()
        return (after - before).numpy()
    return run


def lstsq(space, column, k=20):
    return np.linalg.lstsq(space.projections[:, :k].double().numpy(), column.astype(np.float64), rcond=None)[0]


def step(space, direction):
    """One unbiased standard deviation of the projections on the unit direction."""
    unit = direction / np.linalg.norm(direction)
    return unit * (space.projections[:, :len(unit)].double().numpy() @ unit).std(ddof=1)


def without(direction, others):
    others = np.stack(others, 1)
    return direction - others @ np.linalg.lstsq(others, direction, rcond=None)[0]


def debias(direction, other):
    """As the notebooks do it."""
    return direction - (direction @ other) / (other @ other) * other


def check(found, expected, bound=BOUND):
    error = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"\ncoefficients: {error:.1e}")
    assert error <= bound


def test_one_attribute(edit, space, labels):
    check(edit("--add", "Young=1000"), 1000 * step(space, lstsq(space, labels[:, 1])))
    check(edit("--add", "Young=-2000"), -2000 * step(space, lstsq(space, labels[:, 1])))


def test_raw(edit, space, labels):
    check(edit("--add", "Bald=1e6", "--raw"), 1e6 * lstsq(space, labels[:, 3]))


def test_fewer_components(edit, space, labels):
    change = edit("--add", "Bald=1000", "--components", 7)
    check(change[:7], 1000 * step(space, lstsq(space, labels[:, 3], 7)))
    assert not change[7:].any(), "coefficients beyond the direction's stay"


def test_identity_with_fewer_coefficients(edit, space, labels):
    check(edit("--add", "Bald=1000", k=5), 1000 * step(space, lstsq(space, labels[:, 3])))


def test_several_at_once_without_others(edit, space, labels):
    d = [lstsq(space, labels[:, i]) for i in range(4)]
    joint = [step(space, without(d[i], [d[0], d[1]])) for i in (2, 3)]
    check(edit("--add", "Eyeglasses=1500", "--add", "Bald=-500", "--without", "Male,Young"), 1500 * joint[0] - 500 * joint[1])
    check(edit("--add", "Eyeglasses=1e6", "--without", "Male", "--without", "Young", "--raw"),
          1e6 * without(d[2], [d[0], d[1]]))


def test_sequential_debiasing_as_in_the_notebooks(edit, space, labels):
    d = [lstsq(space, labels[:, i]) for i in range(4)]
    expected = debias(debias(d[2], d[0]), d[1])
    check(edit("--add", "Eyeglasses=1e6", "--without", "Male,Young", "--sequential", "--raw"), 1e6 * expected)
    check(edit("--add", "Eyeglasses=1000", "--without", "Male,Young", "--sequential"), 1000 * step(space, expected))


def test_labels_of_zeros_and_ones_and_empty_cells(edit, space, labels, tmp_path):
    values = (labels + 1) // 2
    cells = [[str(v) for v in row] for row in values]
    for row in cells[::7]:
        row[1] = ""
    write_labels(tmp_path / "mine.csv", cells, names_of(space))
    known = [i for i in range(len(labels)) if i % 7]
    p = space.projections.double().numpy()
    direction = np.linalg.lstsq(p[known], labels[known, 1].astype(float), rcond=None)[0]
    check(edit("--add", "Young=1000", "--labels", tmp_path / "mine.csv"), 1000 * step(space, direction))


def test_a_released_folder(edit, space, labels, tmp_path):
    """The release's own table is in order and names its rows; another one is in order if it counts its rows, or goes by these names."""
    released = space.save_released(tmp_path / "files")
    names = [str(7 * i) for i in range(len(labels))]
    torch.save(pandas.DataFrame(labels, index=names, columns=ATTRIBUTES), released / "identity_df.pt")
    expected = 1000 * step(space, lstsq(space, labels[:, 1]))
    check(edit("--add", "Young=1000", where=released), expected)
    for rows, order in ((range(len(labels)), 1), (names[::-1], -1)):
        write_labels(tmp_path / "mine.csv", labels[::order], rows)
        check(edit("--add", "Young=1000", "--labels", tmp_path / "mine.csv", where=released), expected)


def test_labels_of_other_people_than_the_release_has(w2w, space, labels, tmp_path):
    released = space.save_released(tmp_path / "files")
    torch.save(pandas.DataFrame(labels, index=[str(7 * i) for i in range(len(labels))], columns=ATTRIBUTES), released / "identity_df.pt")
    write_labels(tmp_path / "mine.csv", labels, [f"x{i}" for i in range(len(labels))])
    done = w2w("direction", "fit", "mine.csv", "--space", released, "-o", "d.safetensors", code=1)
    assert "no labels for '0', '7', '14', ... " in done.stderr and "unknown to the space: 'x0', 'x1', 'x2', ... " in done.stderr


def test_a_directions_file(edit, space, labels, tmp_path):
    """Made by hand, as the format's description says."""
    p = space.projections.double().numpy()
    d = np.stack([lstsq(space, labels[:, i]) for i in range(4)])
    answers = p @ d.T
    norms = np.linalg.norm(d, axis=1)
    save_file({"directions": torch.tensor(d).float(), "covariance": torch.tensor(np.cov(answers.T)),
               "largest": torch.tensor(answers.max(0) / norms),
               "counts": torch.tensor(np.stack([(labels > 0).sum(0), (labels < 0).sum(0)], 1))},
              tmp_path / "d.safetensors",
              {"w2w.format": "1", "w2w.space": space.hash, "w2w.attributes": json.dumps(ATTRIBUTES)})
    options = ("--add", "Eyeglasses=1000", "--without", "Male,Young")
    check(edit(*options, "--directions", tmp_path / "d.safetensors"), 1000 * step(space, without(d[2], [d[0], d[1]])))
    (tmp_path / "d.safetensors").rename(tmp_path / "space" / "directions.safetensors")
    (tmp_path / "space" / "labels.csv").unlink()
    check(edit(*options), 1000 * step(space, without(d[2], [d[0], d[1]])))


def test_direction_list(w2w, edit, space, labels, tmp_path):
    listed = json.loads(w2w("direction", "list", "--space", tmp_path / "space", "--json").stdout)["attributes"]
    assert [entry["attribute"] for entry in listed] == ATTRIBUTES
    p, d = space.projections.double().numpy(), [lstsq(space, labels[:, i]) for i in range(4)]
    for i, entry in enumerate(listed):
        on_unit = p @ d[i] / np.linalg.norm(d[i])
        assert (entry["with"], entry["without"]) == ((labels[:, i] > 0).sum(), (labels[:, i] < 0).sum())
        np.testing.assert_allclose([entry["std"], entry["largest"], entry["smallest"]],
                                   [on_unit.std(ddof=1), on_unit.max(), on_unit.min()], rtol=1e-6)
        for name, cosine in entry["related"].items():
            other = d[ATTRIBUTES.index(name)]
            np.testing.assert_allclose(cosine, d[i] @ other / np.linalg.norm(d[i]) / np.linalg.norm(other), rtol=1e-5)


def test_history_tells_the_edit(edit, tmp_path):
    edit("--add", "Bald=2", "--without", "Male")
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        (entry,) = json.loads(file.metadata()["w2w.history"])
    assert entry == {"command": "edit", "add": {"Bald": 2.0}, "unit": "std", "without": ["Male"], "debias": "joint",
                     "components": 20, "attributes": "labels.csv"}


# `direction fit`: the saved file.

def mean_difference(p, y):
    return p[y > 0].mean(0) - p[y < 0].mean(0)


def ridge(p, y, penalty=0.1):
    return np.linalg.solve(p.T @ p + penalty * (p ** 2).sum(0).mean() * np.eye(p.shape[1]), p.T @ y)


def logistic(p, y, penalty=0.01, everyone=None):
    """scipy's minimum of the objective as direction_fit.h states it; `everyone`: the projections of all training models."""
    everyone = p if everyone is None else everyone
    deviation = everyone.std(0, ddof=1)
    z = np.c_[(p - everyone.mean(0)) / deviation, np.ones(len(p))]
    weight = penalty * np.r_[np.ones(p.shape[1]), 0]

    def loss(w):
        margins = y * (z @ w)
        doubt = np.exp(-np.logaddexp(0, margins))
        return np.logaddexp(0, -margins).mean() + weight @ w ** 2 / 2, -(z.T @ (y * doubt)) / len(y) + weight * w

    def curvature(w):
        doubt = 1 / (1 + np.exp(y * (z @ w)))
        return (z.T * (doubt * (1 - doubt))) @ z / len(y) + np.diag(weight)

    weights = minimize(loss, np.zeros(z.shape[1]), jac=True, hess=curvature, method="trust-exact").x
    for _ in range(3):  # what scipy's test of the loss's fall cannot see any more
        weights = weights - np.linalg.solve(curvature(weights), loss(weights)[1])
    assert np.abs(loss(weights)[1]).max() < 1e-14
    return weights[:-1] / deviation


METHODS = {
    "lstsq": lambda p, y, everyone: np.linalg.lstsq(p, y, rcond=None)[0],
    "mean-difference": lambda p, y, everyone: mean_difference(p, y),
    "ridge": lambda p, y, everyone: ridge(p, y),
    "logistic": lambda p, y, everyone: logistic(p, y, everyone=everyone),
}


def expected_directions(space, method, labels, k=20):
    """[attributes, k]; NaN is no label."""
    p = space.projections[:, :k].double().numpy()
    known = ~np.isnan(labels)
    return np.stack([METHODS[method](p[known[:, a]], labels[known[:, a], a], p) for a in range(labels.shape[1])])


@pytest.fixture
def fit(w2w, folder, tmp_path):
    """fit(OPTIONS...): (the JSON object, the tensors of the file, its metadata)."""
    def run(*options):
        shown = json.loads(w2w("direction", "fit", "--space", folder, "-o", tmp_path / "d.safetensors", "--force", "--json", *options).stdout)
        with safe_open(tmp_path / "d.safetensors", "pt") as file:
            return shown, {name: file.get_tensor(name).double().numpy() for name in file.keys()}, file.metadata()
    return run


@pytest.mark.parametrize("method", METHODS)
def test_fit_by_every_method(fit, space, labels, method):
    shown, tensors, metadata = fit("--method", method, "--holdout", 0)
    expected = expected_directions(space, method, labels.astype(float))
    for found, wanted in zip(tensors["directions"], expected):
        check(found, wanted)
    answers = space.projections.double().numpy() @ expected.T
    units = answers / np.linalg.norm(expected, axis=1)
    check(tensors["covariance"], np.cov(answers.T), 1e-7)
    check(tensors["largest"], units.max(0), 1e-7)
    check(tensors["smallest"], units.min(0), 1e-7)
    assert (tensors["counts"] == np.stack([(labels > 0).sum(0), (labels < 0).sum(0)], 1)).all()
    assert json.loads(metadata["w2w.attributes"]) == ATTRIBUTES and metadata["w2w.space"] == space.hash
    assert metadata["w2w.method"] == method and metadata.get("w2w.penalty") == {"ridge": "0.1", "logistic": "0.01"}.get(method)
    np.testing.assert_allclose([entry["std"] for entry in shown["attributes"]], units.std(0, ddof=1), rtol=1e-7)
    cosines = expected @ expected.T / np.outer(*[np.linalg.norm(expected, axis=1)] * 2)
    for a, b in ((0, 1), (3, 2)):
        np.testing.assert_allclose(shown["cosines"][ATTRIBUTES[a]][ATTRIBUTES[b]], cosines[a, b], atol=1e-7)


@pytest.mark.parametrize("method, penalty", [("ridge", 3), ("ridge", 1e-4), ("logistic", 0.3)])
def test_fit_with_another_penalty_components_and_empty_cells(fit, space, labels, tmp_path, method, penalty):
    values = labels.astype(float)
    values[::5, 1] = np.nan
    cells = [["" if np.isnan(v) else int(v) for v in row] for row in values]
    write_labels(tmp_path / "mine.csv", cells, names_of(space))
    _, tensors, metadata = fit(tmp_path / "mine.csv", "--method", method, "--ridge", penalty, "--components", 9, "--holdout", 0)
    p, by = space.projections[:, :9].double().numpy(), {"ridge": ridge, "logistic": logistic}[method]
    for a in (0, 1):
        known = ~np.isnan(values[:, a])
        more = {"everyone": p} if method == "logistic" else {}
        check(tensors["directions"][a], by(p[known], values[known, a], penalty, **more))
    assert float(metadata["w2w.penalty"]) == penalty


@pytest.mark.parametrize("method", METHODS)
def test_held_out_scores(fit, space, labels, method):
    share, seed = 0.4, 3
    shown, _, _ = fit("--method", method, "--holdout", share, "--seed", seed)
    n = len(labels)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
    test, learn = np.split(order, [int(np.floor(share * n + 0.5))])
    assert shown["held_out"] == {"share": share, "seed": seed, "models": len(test)}
    p, tested = space.projections.double().numpy(), 0
    for a, entry in enumerate(shown["attributes"]):
        y = labels[:, a]
        if min(len(set(y[learn])), len(set(y[test]))) < 2:
            assert entry["held_out"] is None
            continue
        answers = p @ METHODS[method](p[learn], y[learn].astype(float), p)
        middle = (answers[learn][y[learn] > 0].mean() + answers[learn][y[learn] < 0].mean()) / 2
        right = (answers[test] > middle) == (y[test] > 0)
        with_it, without_it = answers[test][y[test] > 0], answers[test][y[test] < 0]
        np.testing.assert_allclose(
            [entry["held_out"][key] for key in ("models", "accuracy", "balanced_accuracy", "majority", "auc")],
            [len(test), right.mean(), (right[y[test] > 0].mean() + right[y[test] < 0].mean()) / 2,
             max(len(with_it), len(without_it)) / len(test), (with_it[:, None] > without_it).mean()], rtol=1e-12)
        tested += 1
    assert tested >= (1 if n < 20 else 4)


@pytest.mark.parametrize("method", ["lstsq", "ridge", "mean-difference"])
def test_fit_without_others(edit, fit, space, labels, tmp_path, method):
    raw = expected_directions(space, method, labels.astype(float))
    others = lambda a, among: [raw[b] for b in among if b != a]
    _, tensors, metadata = fit("--method", method, "--debias", "--holdout", 0)
    assert json.loads(metadata["w2w.without"]) == ATTRIBUTES
    for a in range(4):
        check(tensors["directions"][a], without(raw[a], others(a, range(4))))
    _, tensors, metadata = fit("--method", method, "--attributes", "Bald,Young", "--without", "Male,Young", "--holdout", 0)
    assert json.loads(metadata["w2w.attributes"]) == ["Bald", "Young"] and json.loads(metadata["w2w.without"]) == ["Male", "Young"]
    bald, young = without(raw[3], others(3, [0, 1])), without(raw[1], others(1, [0, 1]))
    check(tensors["directions"][0], bald)
    check(tensors["directions"][1], young)
    options = ("--directions", tmp_path / "d.safetensors")
    expected = 1000 * step(space, bald) - 500 * step(space, young)
    check(edit("--add", "Bald=1000", "--add", "Young=-500", *options), expected)
    check(edit("--add", "Bald=1000", "--without", "Male,Young", *options), 1000 * step(space, bald))


def test_a_fitted_file_edits_as_its_labels_do(edit, fit, space, labels, tmp_path):
    fit("--holdout", 0)
    options = ("--add", "Eyeglasses=1000", "--without", "Male,Young")
    live = edit(*options)
    check(edit(*options, "--directions", tmp_path / "d.safetensors"), live)
    (tmp_path / "d.safetensors").rename(tmp_path / "space" / "directions.safetensors")
    (tmp_path / "space" / "labels.csv").unlink()
    check(edit(*options), live)
