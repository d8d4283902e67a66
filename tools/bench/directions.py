"""`w2w direction fit` on a table of the release's size against numpy, scipy and, where it is there, scikit-learn, in one run.

    .deps/venv/bin/python tools/bench/directions.py [--models 65000] [--components 1000] [--attributes 40] [--threads 2] [--work FOLDER]

Random orthogonal projections of falling size and labels that follow them, made once. Every method is timed as a user meets it, from
the command to the saved file: reading labels, fitting without a fifth of the models, testing with those, fitting with all. The peers get the
arrays in memory and do the two fits; they compute in f64 as w2w does. Fails unless the saved directions agree.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def make_space(folder, models, components, attributes):
    import numpy as np
    import torch
    from safetensors.torch import save_file
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(0)
    draw = torch.randn(models, components, generator=random)
    q, _ = torch.linalg.qr(draw - draw.mean(0))
    scores = (q * models ** .5 * torch.logspace(1.5, 0, components)).contiguous()
    parameters = components + 8
    torch.save(torch.zeros(parameters), folder / "mean.pt")
    torch.save(torch.ones(parameters), folder / "std.pt")
    torch.save(torch.eye(parameters)[:, :components].clone(), folder / "V.pt")
    torch.save(scores, folder / f"proj_{components}pc.pt")
    truth = torch.randn(components, attributes, generator=random) * (torch.rand(components, 1, generator=random) < .1)
    answers = scores / scores.std(0) @ truth
    answers += answers.std(0) * torch.randn(models, attributes, generator=random)
    labels = (answers > answers.std(0) * torch.linspace(0, 2, attributes)).numpy() * 2 - 1
    names = [f"A{i}" for i in range(attributes)]
    np.savetxt(folder / "labels.csv", np.c_[np.arange(models), labels], fmt="%d", delimiter=",", header=",".join(["name", *names]), comments="")


def peers(p, y, learn):
    """{method: {peer: function of (rows)}} giving normals [k, m]."""
    import numpy as np
    import scipy.linalg
    from scipy.optimize import minimize
    k, m = p.shape[1], y.shape[1]
    mean, deviation = p.mean(0), p.std(0, ddof=1)

    def lstsq(rows):
        return np.linalg.lstsq(p[rows], y[rows], rcond=None)[0]

    def means(rows):
        a, b = p[rows], y[rows]
        return np.stack([a[b[:, i] > 0].mean(0) - a[b[:, i] < 0].mean(0) for i in range(m)], 1)

    def ridge(rows):
        a, b = p[rows], y[rows]
        gram = a.T @ a
        gram[np.diag_indices(k)] += .1 * np.trace(gram) / k
        return scipy.linalg.solve(gram, a.T @ b, assume_a="pos")

    def logistic(rows):
        z, b = (p[rows] - mean) / deviation, y[rows]

        def one(labels):
            def loss(w):
                margins = labels * (z @ w[:k] + w[k])
                slope = -labels / (1 + np.exp(margins)) / len(z)
                return np.logaddexp(0, -margins).mean() + .005 * w[:k] @ w[:k], np.r_[z.T @ slope + .01 * w[:k], slope.sum()]
            return minimize(loss, np.zeros(k + 1), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-15, "maxiter": 1000}).x[:k]
        return np.stack([one(b[:, i]) for i in range(m)], 1) / deviation[:, None]

    found = {"lstsq": {"numpy lstsq": lstsq}, "mean-difference": {"numpy": means}, "ridge": {"scipy solve": ridge},
             "logistic": {"scipy L-BFGS": logistic}}
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
    except ImportError:
        print("scikit-learn is not installed: without it")
        return found

    def sklearn_ridge(rows):
        return Ridge(.1 * (p[rows] ** 2).sum() / k, fit_intercept=False).fit(p[rows], y[rows]).coef_.T

    def sklearn_logistic(rows):
        z = (p[rows] - mean) / deviation
        fits = [LogisticRegression(C=1 / (.01 * len(z)), tol=1e-6, max_iter=1000).fit(z, y[rows, i]) for i in range(m)]
        return np.stack([fit.coef_[0] for fit in fits], 1) / deviation[:, None]

    found["ridge"]["scikit-learn Ridge"] = sklearn_ridge
    found["logistic"]["scikit-learn LogisticRegression (lbfgs)"] = sklearn_logistic
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=65_000)
    parser.add_argument("--components", type=int, default=1000)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "w2w-bench-directions")
    parser.add_argument("--method", action="append")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    import numpy as np
    import torch
    from safetensors.torch import load_file
    space = options.work / f"space-{options.models}-{options.components}-{options.attributes}"
    if not space.exists():
        make_space(space, options.models, options.components, options.attributes)
    p = torch.load(space / f"proj_{options.components}pc.pt").double().numpy()
    y = np.loadtxt(space / "labels.csv", delimiter=",", skiprows=1)[:, 1:]
    order = torch.randperm(len(p), generator=torch.Generator().manual_seed(0)).numpy()
    learn, everyone = np.sort(order[int(.2 * len(p) + .5):]), np.arange(len(p))
    print(f"{len(p)} models, {p.shape[1]} components, {y.shape[1]} attributes, {options.threads} threads; seconds")
    for method, others in peers(p, y, learn).items():
        if options.method and method not in options.method:
            continue
        out = options.work / "directions.safetensors"
        command = [ROOT / "build" / "w2w", "direction", "fit", "--space", space, "--method", method, "-o", out, "--force", "--json", "-t", options.threads]
        start = time.perf_counter()
        done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        print(f"{method:16} {time.perf_counter() - start:7.1f}  w2w", flush=True)
        accuracy = np.mean([entry["held_out"]["balanced_accuracy"] for entry in json.loads(done.stdout)["attributes"]])
        print(f"{'':16} {accuracy:7.3f}  mean balanced accuracy")
        ours = load_file(out)["directions"].double().numpy().T
        for name, solve in {} if options.no_peers else others.items():
            start = time.perf_counter()
            solve(learn)
            theirs = solve(everyone)
            seconds = time.perf_counter() - start
            error = np.abs(ours - theirs).max() / np.abs(theirs).max()
            print(f"{'':16} {seconds:7.1f}  {name}; differs by {error:.1e}", flush=True)
            if error > 1e-3:
                sys.exit(f"{method}: w2w and {name} differ by {error:.1e}")


if __name__ == "__main__":
    main()
