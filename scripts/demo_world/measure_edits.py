"""Measures `w2w edit` on people of the space: how far an attribute moves, and what moves with it.

Every person is edited away from what they are: towards the attribute where the regressor does not see it, away from it
where it does. Changes are those of the regressed factors, in standard deviations of the drawn people, averaged over people
(signed along the edit), per unit of strength. The side effect is the factor that moves most on average besides the target's own. With
--without the directions of all attributes about other factors are taken out jointly. Writes edits_T800.json beside the checkpoints.
"""
import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from factors import FACTORS, INDEX
from labels import LABELS
from regressor import load_regressor
from world import ROOT, WORK, write_json

GATE = 3.  # scripts/demo_world/README.md: target change over the largest side effect


class Editor:
    """Runs the program and looks at its pictures."""

    def __init__(self, program, options, seed):
        self.program, self.options, self.seed = program, options, seed
        self.model, _ = load_regressor()
        self.folder = TemporaryDirectory()
        self.here = Path(self.folder.name)

    def run(self, *arguments):
        subprocess.run([self.program, *map(str, arguments), "-t", "1", "-q"], check=True, stdout=subprocess.DEVNULL)

    @torch.no_grad()
    def factors(self, paths):
        """[pictures, F] in standard deviations of the drawn people."""
        pictures = torch.stack([torch.from_numpy(np.array(Image.open(p))).permute(2, 0, 1) / 255 for p in paths])
        return (self.model(pictures)[0] - self.model.mean) / self.model.std

    def people(self, count):
        """Identities drawn from the space and the factors [count, F] seen in their pictures."""
        self.run("sample", "--count", count, "--identity-seed", 1, "-s", self.seed, *self.options, "-o", self.here / "people")
        paths = [self.here / "people" / f"person-{i}.safetensors" for i in range(1, count + 1)]
        return paths, self.factors([p.with_name(f"{p.stem}_p1_s{self.seed}.png") for p in paths])

    def change(self, person, attribute, strength, others):
        """Of the factors, [F], with a strength."""
        without = ["--without", ",".join(others)] if others else []
        self.run("edit", person, "--add", f"{attribute}={strength}", *without, "-s", self.seed, *self.options, "-o", self.here / "edit",
                 "--force")
        before, after = self.factors([self.here / "edit" / f"{person.stem}_{kind}_p1_s{self.seed}.png" for kind in ("before", "edit")])
        return after - before


def measure(editor, people, seen, attribute, strength, debiased):
    """(change of the target, its standard error, largest side effect, its factor), per unit of strength."""
    factor, threshold, above = LABELS[attribute]
    own, sense = INDEX[factor], 1 if above else -1
    others = [name for name, (other, *_) in LABELS.items() if other != factor] if debiased else []
    at = (threshold - editor.model.mean[own]) / editor.model.std[own]
    changes = []
    for person, factors in zip(people, seen):
        sign = -1 if (factors[own] > at) == above else 1
        changes.append(sign / strength * editor.change(person, attribute, sign * strength, others))
    changes = torch.stack(changes)
    mean, target = changes.mean(0), sense * changes[:, own]
    mean[own] = 0
    side = mean.abs().argmax().item()
    return target.mean().item(), target.std().item() / len(people) ** .5, sense * mean[side].item(), FACTORS[side]


def ratio(target, side):
    return target / max(abs(side), 1e-6)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build" / "w2w"))
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--strength", type=float, default=2.)
    parser.add_argument("--inject-at", type=float, default=800)
    parser.add_argument("--attributes", default=",".join(LABELS))
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--options", default="--steps 12", help="further options of sample and edit")
    parser.add_argument("--plain", action="store_true", help="leave out --without")
    args = parser.parse_args()
    editor = Editor(args.program, args.options.split(), args.seed)
    people, seen = editor.people(args.people)
    editor.options += ["--inject-at", str(args.inject_at)]
    print(f"{args.people} sampled people, noise {args.seed}, strength {args.strength:g}, T {args.inject_at:g}; changes in standard "
          "deviations of people, per unit of strength")
    print(f"{'attribute':15} {'target':>6} {'+-':>5} {'side':>6} {'':12} {'ratio':>5} | {'target':>6} {'+-':>5} {'side':>6} {'--without':12} {'ratio':>5}")
    rows = {}
    for attribute in args.attributes.split(","):
        row = rows[attribute] = [measure(editor, people, seen, attribute, args.strength, debiased) for debiased in ([False] if args.plain else [False, True])]
        text = " | ".join(f"{t:6.2f} {e:5.2f} {s:6.2f} {name:12} {ratio(t, s):5.1f}" for t, e, s, name in row)
        print(f"{attribute:15} {text}", flush=True)
        write_json(WORK / f"edits_T{args.inject_at:g}.json", dict(vars(args), rows=rows))
    for k, label in enumerate(["plain"] if args.plain else ["plain", "--without all others"]):
        values = [row[k] for row in rows.values()]
        ratios = sorted(ratio(t, s) for t, _, s, _ in values)
        print(f"{label}: median ratio {ratios[len(ratios) // 2]:.1f}, {sum(r >= GATE for r in ratios)} of {len(ratios)} attributes reach "
              f"{GATE:g}; mean target change {np.mean([t for t, *_ in values]):.2f}")


if __name__ == "__main__":
    main()
