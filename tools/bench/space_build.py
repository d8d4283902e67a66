"""`w2w space build` against numpy (and scikit-learn, where it is installed) on a random low-rank + noise matrix, in one run.

    .deps/venv/bin/python tools/bench/space_build.py [--models 2000] [--components 1000] [--only NAME ...] [--folder FOLDER]
        [--device cuda]

Matrix [n, 99648] f32, made once, of Stable Diffusion 1.5's geometry. Each way runs in a process of its own, on the same threads, and
writes its components; nothing else should be running. Agreement is of components (to sign) and of explained variance, with numpy's
Gram matrix in f64. Fails when w2w's are further off than 1e-4 (where the gap to the neighbours is at least 1 %) and 1e-6.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = 99_648  # of rank-1 factors on to_q and to_v of all 64 attentions


def make_shapes(folder):
    """A model with the names and shapes of Stable Diffusion 1.5's UNet and no numbers: a file of holes."""
    import math
    import shutil
    import torch
    from diffusers import UNet2DConditionModel
    shutil.copytree(ROOT / "share" / "w2w" / "demo" / "model", folder)
    shutil.rmtree(folder / "unet")
    text = json.loads((folder / "text_encoder" / "config.json").read_text())
    (folder / "text_encoder" / "config.json").write_text(json.dumps(text | {"hidden_size": 768}))
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
    unet.save_config(folder / "unet")
    header, offset = {}, 0
    for name, tensor in unet.state_dict().items():
        size = 4 * math.prod(tensor.shape)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # as safetensors does: tensors that are not aligned would be copied
    with open(folder / "unet" / "diffusion_pytorch_model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)


def make_matrix(path, models):
    import numpy as np
    from safetensors.numpy import save_file
    rng = np.random.default_rng(0)
    directions, block = 1500, 8192
    scores = (rng.standard_normal((models, directions)) * np.arange(1, directions + 1) ** -0.5).astype(np.float32)
    x = np.empty((models, PARAMETERS), np.float32)
    for first in range(0, PARAMETERS, block):
        columns = slice(first, min(first + block, PARAMETERS))
        width = columns.stop - first
        x[:, columns] = scores @ rng.standard_normal((directions, width), np.float32)
        x[:, columns] += 0.7 * rng.standard_normal((models, width), np.float32)
        x[:, columns] = 0.01 * x[:, columns] + 0.05 * rng.standard_normal(width, np.float32)
    save_file({"theta": x}, path)


def standardised(path, dtype):
    import numpy as np
    from safetensors.numpy import load_file
    x = load_file(path)["theta"].astype(dtype)
    x -= x.mean(0, dtype=np.float64).astype(dtype)
    x /= np.sqrt((x.astype(dtype) ** 2).sum(0, dtype=np.float64) / (len(x) - 1)).astype(dtype)
    return x


def numpy_gram(matrix, components, out):
    import numpy as np
    x = standardised(matrix, np.float64)
    squares, u = np.linalg.eigh(x @ x.T)
    squares, u = squares[::-1][:components], u[:, ::-1][:, :components]
    save(out, (u / np.sqrt(squares)).T @ x, squares / (len(x) - 1))


def numpy_svd(matrix, components, out):
    import numpy as np
    x = standardised(matrix, np.float32)
    _, s, v = np.linalg.svd(x, full_matrices=False)
    save(out, v[:components], s[:components].astype(np.float64) ** 2 / (len(x) - 1))


def torch_gram(matrix, components, out, device):
    import torch
    from safetensors.torch import load_file
    x = load_file(matrix)["theta"].to(device, torch.float64)
    x -= x.mean(0)
    x /= x.std(0)
    squares, u = torch.linalg.eigh(x @ x.T)
    squares, u = squares.flip(0)[:components], u.flip(1)[:, :components]
    save(out, ((u / squares.sqrt()).T @ x).cpu().numpy(), (squares / (len(x) - 1)).cpu().numpy())


def torch_gram_on(device):
    """In a program of its own: CUDA does not survive a fork."""
    def run(matrix, components, out):
        call = (f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pathlib, space_build; "
                f"space_build.torch_gram({str(matrix)!r}, {components}, pathlib.Path({str(out)!r}), {device!r})")
        os.execv(sys.executable, [sys.executable, "-c", call])
    return run


def sklearn_pca(solver):
    def run(matrix, components, out):
        import numpy as np
        from sklearn.decomposition import PCA
        pca = PCA(components, svd_solver=solver, random_state=0).fit(standardised(matrix, np.float32))
        save(out, pca.components_, pca.explained_variance_.astype(np.float64))
    return run


def save(out, components, variance):
    import numpy as np
    from safetensors.numpy import save_file
    out.mkdir()
    save_file({"components": np.ascontiguousarray(components, np.float32), "explained_variance": variance},
              out / "basis.safetensors")


def w2w(binary, model, *options):
    def run(matrix, components, out):
        command = [binary, "space", "build", matrix, "-m", model, "--components", components, "-o", out, "-q", *options]
        os.execv(binary, [str(word) for word in command])
    return run


def agreement(found, reference, clear):
    """(components, explained variance, orthonormality): the largest deviations."""
    import numpy as np
    a, b = found["components"].astype(np.float64), reference["components"].astype(np.float64)
    sign = np.sign((a * b).sum(1))[:, None]
    apart = np.linalg.norm(a * sign - b, axis=1)
    variance = np.abs(found["explained_variance"] / reference["explained_variance"] - 1).max()
    return apart[clear].max(), variance, np.abs(a @ a.T - np.eye(len(a))).max()


def extrapolate(models, seconds, components, target=65_000, oversample=4):
    """Arithmetic alone: multiplications and additions, at the rate measured here."""
    exact = models**2 * PARAMETERS * 1.06 + 2 * models * components * PARAMETERS  # strips of the Gram matrix, components
    rate = exact / seconds
    basis = oversample * components
    krylov = 4 * target * PARAMETERS * basis + 2 * target * components * PARAMETERS
    gram = target**2 * PARAMETERS * 1.06 + 2 * target * components * PARAMETERS + 9 * target**3
    print(f"at {rate / 1e9:.0f} Gflop/s, {target} models and {components} components: randomized {krylov / rate / 3600:.1f} h "
          f"(memory {2 * target * basis * 8 / 2**30:.1f} GiB), the whole Gram matrix {gram / rate / 3600:.1f} h "
          f"({4 * target**2 * 8 / 2**30:.0f} GiB, and more models than LAPACK's 32-bit integers hold)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--components", type=int, default=1000)
    parser.add_argument("--only", nargs="+", help="these ways, and numpy's Gram matrix")
    parser.add_argument("--device", default="cpu", help="of w2w, beside PyTorch's Gram matrix on it; default: cpu")
    parser.add_argument("--folder", type=Path, default=ROOT / ".deps" / "space_bench")
    parser.add_argument("--w2w", type=Path, default=ROOT / "build" / "w2w")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    model = args.folder / "shapes"
    if not model.exists():
        make_shapes(model)
    matrix = args.folder / f"models_{args.models}.safetensors"
    if not matrix.exists():
        make_matrix(matrix, args.models)
    device = "--device", args.device
    ways = {"numpy Gram f64": numpy_gram, "w2w exact": w2w(args.w2w, model, *device),
            "w2w randomized": w2w(args.w2w, model, "--method", "randomized", *device)}
    if args.device != "cpu":
        ways |= {"torch Gram f64": torch_gram_on(args.device)}
    else:
        ways |= {"numpy SVD f32": numpy_svd}
        try:
            import sklearn  # noqa: F401
            ways |= {"scikit-learn full": sklearn_pca("full"), "scikit-learn randomized": sklearn_pca("randomized")}
        except ImportError:
            print("scikit-learn is not installed: left out")
    if args.only:
        ways = {name: way for name, way in ways.items() if name in args.only or name == "numpy Gram f64"}
    import shutil
    figures = {}
    for name, way in ways.items():
        out = args.folder / name.replace(" ", "_")
        shutil.rmtree(out, ignore_errors=True)
        start, child = time.time(), os.fork()
        if child == 0:
            way(matrix, args.components, out)
            os._exit(0)
        _, status, usage = os.wait4(child, 0)
        if status:
            sys.exit(f"{name} failed")
        figures[name] = [time.time() - start, usage.ru_maxrss / 2**20, usage.ru_utime + usage.ru_stime]
        print(f"{name}: {figures[name][0]:.0f} s", file=sys.stderr)
    from safetensors.numpy import load_file
    load = lambda name: load_file(args.folder / name.replace(" ", "_") / "basis.safetensors")
    reference = load("numpy Gram f64")
    variance = reference["explained_variance"]
    gap = abs(variance[:-1] / variance[1:] - 1)
    clear = [i for i in range(len(variance) - 1) if gap[i] > 0.01 and (i == 0 or gap[i - 1] > 0.01)]
    print(f"{args.models} models x {PARAMETERS} parameters, {args.components} components; load {os.getloadavg()[0]:.1f}")
    print(f"{'':26}{'seconds':>9}{'CPU s':>8}{'GiB':>7}{'components':>12}{'variance':>10}{'V V^T - I':>11}")
    far = False
    for name, (seconds, memory, cpu) in figures.items():
        apart, off, orthonormal = agreement(load(name), reference, clear)
        print(f"{name:26}{seconds:9.1f}{cpu:8.1f}{memory:7.2f}{apart:12.1e}{off:10.1e}{orthonormal:11.1e}")
        far |= name == "w2w exact" and (apart > 1e-4 or off > 1e-6)
    if "w2w exact" in figures:
        extrapolate(args.models, figures["w2w exact"][0], args.components)
    made = json.loads((args.folder / "w2w_randomized" / "space.json").read_text()) if "w2w randomized" in figures else {}
    if made:
        print(f"w2w randomized says of itself: {made['build']}")
    sys.exit(bool(far))


if __name__ == "__main__":
    main()
