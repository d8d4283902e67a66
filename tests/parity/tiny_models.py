"""Tiny random Stable Diffusion models of the shapes that exist in the wild, saved as diffusers folders.

Every weight is random and of a size that keeps activations near 1: initial values as the libraries choose them (zero
biases, norms of one, small outputs) would hide errors.
"""
import json
from dataclasses import dataclass, field

import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"


@dataclass
class Shape:
    """What makes one model differ from another; see SHAPES."""
    unet: dict
    vae: dict
    text: dict
    scheduler: dict = field(default_factory=dict)
    scheduler_class: type = PNDMScheduler
    pad: str = EOS


def unet_shape(channels, down, **others):
    up = {CROSS: "CrossAttnUpBlock2D", PLAIN: "UpBlock2D"}
    return dict(block_out_channels=channels, down_block_types=down, up_block_types=[up[d] for d in reversed(down)],
                **others)


def vae_shape(channels, **others):
    return dict(block_out_channels=channels, down_block_types=["DownEncoderBlock2D"] * len(channels),
                up_block_types=["UpDecoderBlock2D"] * len(channels), latent_channels=4, **others)


SD1_SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
SHAPES = {
    # Stable Diffusion 1.x: 1x1 convolutions around the attention, attention_head_dim means the number of heads.
    "sd1": Shape(
        unet=unet_shape((32, 64, 96, 96), [CROSS, CROSS, CROSS, PLAIN], attention_head_dim=8, cross_attention_dim=48,
                        sample_size=8),
        vae=vae_shape((32, 32, 64, 64), layers_per_block=2),
        text=dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=4, hidden_act="quick_gelu"),
        scheduler=SD1_SCHEDULE | dict(skip_prk_steps=True, set_alpha_to_one=False)),
    # Stable Diffusion 2.x: linear layers around the attention, heads per level, gelu, velocity, padding with "!".
    "sd2": Shape(
        unet=unet_shape((32, 64, 96, 96), [CROSS, CROSS, CROSS, PLAIN], attention_head_dim=[2, 4, 6, 6],
                        cross_attention_dim=64, use_linear_projection=True, sample_size=12),
        vae=vae_shape((32, 32, 64, 64), layers_per_block=2, scaling_factor=0.18215),
        text=dict(hidden_size=64, num_hidden_layers=4, num_attention_heads=4, hidden_act="gelu"),
        scheduler=SD1_SCHEDULE | dict(prediction_type="v_prediction", set_alpha_to_one=False, clip_sample=False),
        scheduler_class=DDIMScheduler, pad="!"),
    # The demo world: three levels, one layer each, down-factor 4.
    "demo": Shape(
        unet=unet_shape((32, 48, 64), [CROSS, CROSS, PLAIN], attention_head_dim=4, cross_attention_dim=32,
                        layers_per_block=1, norm_num_groups=16, sample_size=16),
        vae=vae_shape((16, 32, 48), layers_per_block=1, norm_num_groups=16, scaling_factor=0.7),
        text=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, hidden_act="quick_gelu"),
        scheduler=SD1_SCHEDULE | dict(skip_prk_steps=True, set_alpha_to_one=False)),
    # What config.json allows and few models use.
    "odd": Shape(
        unet=unet_shape((24, 48, 48), [PLAIN, CROSS, CROSS], attention_head_dim=[2, 3, 6], cross_attention_dim=40,
                        layers_per_block=[1, 2, 1], transformer_layers_per_block=2, norm_num_groups=12, norm_eps=1e-6,
                        flip_sin_to_cos=False, freq_shift=1, sample_size=8),
        vae=vae_shape((24, 48), layers_per_block=1, norm_num_groups=12, use_quant_conv=False, use_post_quant_conv=False),
        text=dict(hidden_size=40, num_hidden_layers=1, num_attention_heads=5, hidden_act="gelu", layer_norm_eps=1e-6),
        scheduler=SD1_SCHEDULE | dict(set_alpha_to_one=False, clip_sample=False), scheduler_class=DDIMScheduler),
}


def randomise(module, seed):
    """Matrices and kernels keep a signal's size, norms scale by about 1, biases and embeddings are of that order."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        draw = torch.randn(parameter.shape, generator=generator)
        if "embedding" in name and "time_embedding" not in name:
            parameter.data = draw
        elif parameter.dim() >= 2:
            parameter.data = draw / parameter[0].numel() ** 0.5
        else:
            parameter.data = 0.2 * draw + (1 if name.endswith("weight") else 0)
    return module.eval().requires_grad_(False)


def small_vocabulary():
    """CLIP's byte alphabet and the merges of a few words: 512 + merges + 2 entries."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters = [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    merges = []
    for word in "a person photo of sks man woman with glasses on the beach".split():
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            if (pieces[0], pieces[1]) not in merges:
                merges.append((pieces[0], pieces[1]))
            pieces[:2] = ["".join(pieces[:2])]
    entries = characters + [c + "</w>" for c in characters] + ["".join(m) for m in merges] + [BOS, EOS]
    return list(dict.fromkeys(entries)), merges


def write_tokenizer(folder, pad):
    entries, merges = small_vocabulary()
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({entry: i for i, entry in enumerate(entries)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": BOS, "eos_token": EOS, "pad_token": pad, "unk_token": EOS, "model_max_length": 77,
        "tokenizer_class": "CLIPTokenizer", "add_prefix_space": False, "do_lower_case": True}))
    (folder / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": BOS, "eos_token": EOS, "pad_token": pad, "unk_token": EOS}))
    return CLIPTokenizer.from_pretrained(folder)


def make_pipeline(shape, seed=0, tokenizer=None):
    """A StableDiffusionPipeline of that shape with random weights."""
    vocabulary = len(small_vocabulary()[0])
    text = CLIPTextModel(CLIPTextConfig(**dict(
        vocab_size=vocabulary, max_position_embeddings=77, intermediate_size=shape.text["hidden_size"] * 3,
        projection_dim=32, bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1) | shape.text))
    return StableDiffusionPipeline(
        vae=randomise(AutoencoderKL(**shape.vae), seed + 1), text_encoder=randomise(text, seed + 2), tokenizer=tokenizer,
        unet=randomise(UNet2DConditionModel(**shape.unet), seed + 3), scheduler=shape.scheduler_class(**shape.scheduler),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def save(pipeline, shape, folder, **how):
    """The folder as the hub publishes it: tokenizer as vocab.json and merges.txt. `how` goes to save_pretrained."""
    folder.mkdir()
    pipeline.tokenizer = write_tokenizer(folder / "tokenizer", shape.pad)
    for part in ("unet", "vae", "text_encoder"):
        getattr(pipeline, part).save_pretrained(folder / part, **how)
    pipeline.scheduler.save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", type(pipeline.scheduler).__name__], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None], "feature_extractor": [None, None],
        "requires_safety_checker": False}))
    return folder


OLD_VAE_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def with_old_vae_names(folder):
    """The VAE's attention under the names that diffusers wrote before 0.13, which most published models still carry."""
    from safetensors.torch import load_file
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = {}
    for name, tensor in load_file(file).items():
        for new, old in OLD_VAE_NAMES.items():
            name = name.replace(f"mid_block.attentions.0.{new}.", f"mid_block.attentions.0.{old}.")
        tensors[name] = tensor
    save_file(tensors, file)


def with_old_text_names(folder):
    """The text encoder as transformers wrote it before version 5: a prefix, and position_ids among the weights."""
    from safetensors.torch import load_file
    file = folder / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in load_file(file).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    save_file(tensors, file)
