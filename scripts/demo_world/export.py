"""Writes the base model as a diffusers folder in f16. Without checkpoints it writes an untrained one."""
import shutil

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from tokenizer import FOLDER, vocabulary
from world import SHARE, WORK, load, make_scheduler, make_text_encoder, make_unet, make_vae


def models():
    """The trained models, or as far as training has come: (vae, unet, text encoder)."""
    torch.manual_seed(0)
    vae, unet, text = make_vae(), make_unet(), make_text_encoder(len(vocabulary()))
    for name in ("vae.pt", "vae_checkpoint.pt"):
        if (WORK / name).exists():
            state = load(WORK / name)
            vae.load_state_dict(state["vae"])
            vae.register_to_config(scaling_factor=state.get("scaling_factor", 1.))
            break
    if (WORK / "base.pt").exists():
        state = load(WORK / "base.pt")
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
    return vae.eval(), unet.eval(), text.eval()


def export():
    vae, unet, text = models()
    pipeline = StableDiffusionPipeline(
        vae=vae.half(), unet=unet.half(), text_encoder=text.half(), scheduler=make_scheduler(),
        tokenizer=CLIPTokenizer.from_pretrained(FOLDER), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)
    pipeline.save_pretrained(SHARE / "model")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(FOLDER / name, SHARE / "model" / "tokenizer" / name)
    (SHARE / "model" / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)


def export_people_map():
    """For restore.py, with the count of steps; w2w itself does not read it."""
    if (WORK / "base.pt").exists():
        state = load(WORK / "base.pt")
        tensors = {k: v.half() if k == "people_map" else v for k, v in state["people"].items()}
        save_file(tensors, SHARE / "people_map.safetensors", dict(steps=str(state["step"])))


if __name__ == "__main__":
    export()
    export_people_map()
    size = sum(f.stat().st_size for f in SHARE.rglob("*") if f.is_file())
    print(f"{SHARE.relative_to(SHARE.parents[2])}: {size / 1e6:.1f} MB")
