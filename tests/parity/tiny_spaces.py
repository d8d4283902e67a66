"""Random weights2weights spaces of tiny models, in both forms on disk, and the algebra to compare with."""
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

ALPHA = 27


def modules_of(unet):
    """[(name, in, out)] of the adapted matrices, in flatten order."""
    return sorted((name, layer.in_features, layer.out_features) for name, layer in unet.named_modules()
                  if name.split(".")[-1] in ("to_q", "to_v"))


@dataclass
class TinySpace:
    modules: list
    mean: torch.Tensor
    std: torch.Tensor
    components: torch.Tensor   # [k, P]
    projections: torch.Tensor  # [n, k]

    @property
    def hash(self):
        return hashlib.sha256(self.mean.numpy().tobytes() + self.std.numpy().tobytes()).hexdigest()

    def theta(self, coefficients):
        """In f64."""
        used = self.components[:coefficients.numel()].double()
        return (coefficients.double() @ used) * self.std.double() + self.mean.double()

    def deltas(self, theta):
        """{module: 27 B A} in f64."""
        result, at = {}, 0
        for name, columns, rows in self.modules:
            a, b = theta[at:at + columns], theta[at + columns:at + columns + rows]
            result[name] = ALPHA * torch.outer(b.double(), a.double())
            at += columns + rows
        return result

    def save_compact(self, folder: Path):
        folder.mkdir()
        save_file({"mean": self.mean, "std": self.std, "components": self.components.contiguous(),
                   "projection_mean": self.projections.mean(0), "projection_std": self.projections.std(0)},
                  folder / "basis.safetensors")
        save_file({"projections": self.projections}, folder / "projections.safetensors",
                  {"names": json.dumps([f"person_{i}" for i in range(len(self.projections))])})
        (folder / "space.json").write_text(json.dumps({
            "format": 1, "base_model": "tiny", "hash": self.hash, "rank": 1, "alpha": ALPHA,
            "parameters": self.mean.numel(), "components": len(self.components), "models": len(self.projections),
            "modules": [{"name": n, "in": i, "out": o} for n, i, o in self.modules], "defaults": {"steps": 20}}))
        return folder

    def save_released(self, folder: Path):
        """The files of the release, named, shaped and spelled as its code reads them; V a slice of something larger, as a truncated
        basis is."""
        folder.mkdir(parents=True)
        columns = len(self.components)
        wide = torch.zeros(self.mean.numel(), columns + 3)
        wide[:, :columns] = self.components.T
        torch.save(wide[:, :columns], folder / "V.pt")
        torch.save(self.mean, folder / "mean.pt")
        torch.save(self.std, folder / "std.pt")
        torch.save(self.projections, folder / f"proj_{columns}pc.pt")
        torch.save(self.projections[:, :2].clone(), folder / "proj_2pc.pt")
        torch.save(self.dimensions(), folder / "weight_dimensions.pt")
        return folder

    def dimensions(self, name="lora_unet_{}_lora_{}.weight", parts="AB", underscores=False, entry=lambda n, shape: (torch.Size([n]), shape)):
        """weight_dimensions.pt as the reference reads it: d[key][0][0] is the count, d[key][1] the shape."""
        result = {}
        for module, columns, rows in self.modules:
            path = module.replace(".", "_") if underscores else module
            result[name.format(path, parts[0])] = entry(columns, torch.Size([1, columns]))
            result[name.format(path, parts[1])] = entry(rows, torch.Size([rows, 1]))
        return result


def make_space(unet, components=20, models=30, seed=0):
    """Its models change the UNet's output plainly: 27 B A is of the weights' size."""
    return make_space_of(modules_of(unet), components, models, seed)


def make_space_of(modules, components=20, models=30, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parameters = sum(columns + rows for _, columns, rows in modules)
    randn = lambda *shape: torch.randn(shape, generator=generator)
    return TinySpace(modules, 0.05 * randn(parameters), 0.02 * torch.rand(parameters, generator=generator) + 0.01,
                     randn(components, parameters), 0.3 * randn(models, components))
