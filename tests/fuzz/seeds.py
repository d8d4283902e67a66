"""A valid file of every kind that w2w reads, and the commands that read it."""
import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pillow_heif import register_heif_opener
from safetensors.torch import load_file, save_file

register_heif_opener()
ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "share/w2w/demo"


@dataclass
class Kind:
    """`file` is mutated where it lies; `commands` are run in its folder, FILE standing for its path."""
    file: Path
    commands: list
    text: bool = False


def _modules():
    return [(m["name"], m["in"], m["out"]) for m in json.loads((DEMO / "space/space.json").read_text())["modules"]]


def _lora(path):
    tensors = {}
    for name, columns, rows in _modules():
        key = "lora_unet_" + name.replace(".", "_")
        tensors[key + ".lora_down.weight"] = torch.full((1, columns), 0.01)
        tensors[key + ".lora_up.weight"] = torch.full((rows, 1), 0.01)
    save_file(tensors, path)


def _folder_of_links(original, folder, own):
    """A copy of a folder in which only `own` is a file of its own: the rest are links."""
    for source in original.rglob("*"):
        if source.is_dir():
            continue
        target = folder / source.relative_to(original)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.relative_to(original) == Path(own):
            shutil.copy(source, target)
        else:
            os.symlink(source, target)
    return folder / own


def _picture(path, form, **options):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 17, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "sks person".encode("utf-16-be")
    Image.fromarray(pixels).save(path, form, exif=exif, **options)


def _coefficients(path, coefficients):
    save_file({"coefficients": coefficients}, path, {
        "w2w.format": "1", "w2w.trigger": "sks person", "w2w.history": '[{"command": "sample", "seed": 7}]',
        "w2w.space": json.loads((DEMO / "space/space.json").read_text())["hash"]})


def make_kinds(root: Path):
    """{name: Kind}, each in a folder of its own below `root`."""
    kinds = {}

    def place(kind, file):
        folder = root / kind
        folder.mkdir(parents=True)
        return folder / file

    coefficients = load_file(DEMO / "space/projections.safetensors")["projections"][0].clone()

    path = place("coefficients", "anna.safetensors")
    _coefficients(path, coefficients)
    kinds["coefficients"] = Kind(path, [["inspect", "FILE"], ["export", "FILE", "-o", "out.safetensors", "--force"],
                                        ["interpolate", "FILE", "FILE", "--no-images", "-o", "between", "--force"]])
    path = place("people", "people.safetensors")
    save_file({"coefficients": coefficients.repeat(3, 1)}, path, {"names": '["anna", "bob", "carl"]', "w2w.format": "1"})
    kinds["people"] = Kind(path, [["inspect", "FILE"], ["export", "FILE", "-o", "out", "--force"], ["compare", "FILE"]])
    path = place("lora", "lora.safetensors")
    _lora(path)
    kinds["lora"] = Kind(path, [["inspect", "FILE"], ["import", "FILE", "-o", "out.safetensors", "--force"]])

    path = place("peft", "adapter_config.json")
    path.write_text(json.dumps({"peft_type": "LORA", "r": 1, "lora_alpha": 27, "target_modules": ["to_q", "to_v"]}))
    save_file({f"base_model.model.{name}.lora_{part}.weight": torch.full((1, columns) if part == "A" else (rows, 1), 0.01)
               for name, columns, rows in _modules() for part in "AB"}, path.parent / "adapter_model.safetensors")
    kinds["peft"] = Kind(path, [["inspect", "."], ["import", ".", "-o", "out.safetensors", "--force"]], text=True)

    path = place("torch_zip", "w2wmodel.pt")
    torch.save(coefficients[None], path)
    kinds["torch_zip"] = Kind(path, [["inspect", "FILE"], ["export", "FILE", "-o", "out.safetensors", "--force"]])
    path = place("torch_legacy", "w2wmodel.pt")
    torch.save(coefficients[None], path, _use_new_zipfile_serialization=False)
    kinds["torch_legacy"] = Kind(path, kinds["torch_zip"].commands)
    path = place("checkpoint_ckpt", "model.ckpt")
    torch.save({"state_dict": {"model.diffusion_model.out.2.weight": torch.zeros(4, 8)}, "epoch": 3}, path)
    kinds["checkpoint_ckpt"] = Kind(path, [["inspect", "FILE"], ["tokens", "-m", "FILE", "x"]])
    path = place("data_frame", "identity_df.pt")
    frame = pandas.DataFrame({"Male": [1.0, -1.0] * 8, "Young": [1.0, 1.0, -1.0, -1.0] * 4}, index=[f"p{i}" for i in range(16)])
    torch.save(frame, path)
    kinds["data_frame"] = Kind(path, [["inspect", "FILE"], ["direction", "fit", "--labels", "FILE", "-o", "d.safetensors", "--force"]])

    info = PngInfo()
    info.add_text("parameters", "sks person\nSteps: 20, Seed: 5")
    info.add_itxt("w2w", "{}", zip=True)
    for form, options in (("PNG", {"pnginfo": info}), ("JPEG", {}), ("WEBP", {})):
        path = place(form.lower(), "a." + form.lower())
        _picture(path, form, **options)
        kinds[form.lower()] = Kind(path, [["inspect", "FILE"]])
    for form, options in (("GIF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("HEIF", {}), ("AVIF", {})):
        path = place(form.lower(), "a." + form.lower())
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)).save(path, form, **options)
        kinds[form.lower()] = Kind(path, [["inspect", "FILE"]])
    path = place("bmp", "a.bmp")
    Image.new("RGB", (9, 7)).save(path)
    kinds["bmp"] = Kind(path, [["inspect", "FILE"]])

    path = place("csv", "labels.csv")
    shutil.copy(DEMO / "space/labels.csv", path)
    kinds["csv"] = Kind(path, [["inspect", "FILE"], ["direction", "fit", "--labels", "FILE", "-o", "d.safetensors", "--force"]], text=True)
    path = place("directions", "d.safetensors")
    shutil.copy(DEMO / "space/directions.safetensors", path)
    _coefficients(path.parent / "anna.safetensors", coefficients)
    kinds["directions"] = Kind(path, [["inspect", "FILE"], ["direction", "list", "--directions", "FILE"]])
    path = place("toml", "config.toml")
    path.write_text('quiet = true\nmodel = "%s"\n[tokens]\npieces = false # no\nthreads = 1\n[sample]\nprompt = ["a", "b"]\nsteps = 3\n' % (DEMO / "model"))
    kinds["toml"] = Kind(path, [["tokens", "x", "--config", "FILE"]], text=True)

    for name, own in (("space_json", "space.json"), ("space_basis", "basis.safetensors"), ("space_people", "projections.safetensors")):
        path = _folder_of_links(DEMO / "space", root / name, own)
        _coefficients(root / name / "anna.safetensors", coefficients)
        commands = [["inspect", "."], ["export", "anna.safetensors", "--space", ".", "-o", "out.safetensors", "--force"]]
        kinds[name] = Kind(path, commands, text=own.endswith("json"))
    kinds["space_people"].commands[1] = ["nearest", "anna.safetensors", "--space", "."]

    draw = ["sample", "--identity-seed", "1", "-s", "1", "--steps", "1", "-m", ".", "-o", "out", "--force"]
    for name, own in (("model_index", "model_index.json"), ("unet_config", "unet/config.json"), ("vae_config", "vae/config.json"),
                      ("text_config", "text_encoder/config.json"), ("scheduler_config", "scheduler/scheduler_config.json")):
        kinds[name] = Kind(_folder_of_links(DEMO / "model", root / name, own), [["inspect", "."], draw], text=True)
    kinds["unet_config"].commands[1] = ["export", str(root / "coefficients/anna.safetensors"), "-m", ".", "-o", "out.safetensors", "--force"]
    for name, own in (("vocabulary", "vocab.json"), ("merges", "merges.txt"), ("tokenizer_config", "tokenizer_config.json")):
        kinds[name] = Kind(_folder_of_links(DEMO / "model/tokenizer", root / name, own), [["tokens", "--tokenizer", ".", "a person with glasses"]], text=True)
    path = place("tokenizer_json", "tokenizer.json")
    vocabulary = json.loads((DEMO / "model/tokenizer/vocab.json").read_text())
    merges = (DEMO / "model/tokenizer/merges.txt").read_text().splitlines()[1:]
    path.write_text(json.dumps({"added_tokens": [{"content": "<|startoftext|>", "normalized": True}],
                                "model": {"vocab": vocabulary, "merges": merges}}))
    kinds["tokenizer_json"] = Kind(path, [["tokens", "--tokenizer", ".", "a person"]], text=True)
    path = place("prompts", "prompts.txt")
    path.write_text("a person\nsmiling (a lot:1.3)\n")
    kinds["prompts"] = Kind(path, [["tokens", "--file", "FILE"]], text=True)
    return kinds
