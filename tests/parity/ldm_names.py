"""Single-file checkpoints: the names that Stable Diffusion's first code base gave its weights, which such files keep."""
import re

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
          "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
UNET_HEADS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
              "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
              "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
              "mid_block.resnets.1": "middle_block.2"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_name(name, layers=2):
    """Blocks are numbered through all levels there: down, `layers` resnets and a resampler a level; up, one resnet more."""
    for ours, old in UNET_HEADS.items():
        if name.startswith(ours + "."):
            name = old + name[len(ours):]
    if match := re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", name):
        way, level, kind, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        number = level * (layers + 1) + {"down": 1, "up": 0}[way]
        if kind == "downsamplers":
            slot, number, rest = 0, number + layers, rest.replace("conv", "op")
        elif kind == "upsamplers":
            slot, number = (1 if level == 0 else 2), number + layers  # the lowest level has no attention before it
        else:
            slot, number = ("resnets", "attentions").index(kind), number + index
        name = f"{'input' if way == 'down' else 'output'}_blocks.{number}.{slot}.{rest}"
    for ours, old in RESNET.items():
        name = re.sub(rf"^((?:in|out)put_blocks\.\d+\.0|middle_block\.[02])\.{ours}\.", rf"\1.{old}.", name)
    return name


def vae_name(name, levels=4):
    """The decoder's levels are numbered from the picture there."""
    name = re.sub(r"encoder\.down_blocks\.(\d)", r"encoder.down.\1", name)
    name = re.sub(r"decoder\.up_blocks\.(\d)", lambda match: f"decoder.up.{levels - 1 - int(match[1])}", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", name)
    for ours, old in VAE_ATTENTION.items():
        name = name.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{old}.")
    name = re.sub(r"\.resnets\.(\d)", r".block.\1", name)
    name = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def checkpoint(unet, vae, text_encoder):
    """The weights of a single file: tensors by their old names."""
    tensors = {f"model.diffusion_model.{unet_name(name)}": tensor for name, tensor in unet.items()}
    for name, tensor in vae.items():
        kernel = "attentions" in name and tensor.dim() == 2 and "group_norm" not in name
        tensors[f"first_stage_model.{vae_name(name)}"] = tensor[:, :, None, None] if kernel else tensor
    prefix = "cond_stage_model.transformer.text_model."
    return tensors | {prefix + name.removeprefix("text_model."): tensor for name, tensor in text_encoder.items()}
