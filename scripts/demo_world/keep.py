"""Writes base.safetensors: the base model as far as its training has come, in f16, for git. restore.py goes on from it elsewhere."""
from pathlib import Path

from safetensors.torch import save_file

from world import WORK, load

KEPT = Path(__file__).with_name("base.safetensors")

if __name__ == "__main__":
    state = load(WORK / "base.pt")
    tensors = {f"{part}:{name}": (value.half() if value.dim() > 1 else value).contiguous()
               for part in ("unet", "text", "people") for name, value in state[part].items()}
    save_file(tensors, KEPT, dict(steps=str(state["step"])))
    print(f"{KEPT.name}: step {state['step']}, {KEPT.stat().st_size / 1e6:.1f} MB")
