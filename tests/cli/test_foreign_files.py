"""Files that are something else than they are taken for: named for what they are, from their headers, with the next step."""
import gzip
import json

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from safetensors.torch import save_file

from parity.tiny_models import SHAPES, make_pipeline

PIXELS = "model.diffusion_model.input_blocks.0.0.weight"
VAE, TEXT = "first_stage_model.decoder.conv_in.weight", "cond_stage_model.transformer.text_model.final_layer_norm.weight"
MODELS = {  # names as published files have them; shapes only where they tell
    "an SDXL model": {PIXELS: (320, 4, 3, 3), "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (2,),
                      "conditioner.embedders.1.model.ln_final.weight": (2,)},
    "an SDXL refiner": {PIXELS: (384, 4, 3, 3), "conditioner.embedders.0.model.ln_final.weight": (2,)},
    "a Stable Diffusion 3 model": {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": (2, 2)},
    "a Flux model": {"model.diffusion_model.double_blocks.0.img_attn.qkv.weight": (2, 2)},
    "an inpainting model (its UNet takes 9 channels, expected 4)": {PIXELS: (320, 9, 3, 3), VAE: (2,), TEXT: (2,)},
    "a model for editing pictures by instruction (its UNet takes 8 channels, expected 4)": {PIXELS: (320, 8, 3, 3), VAE: (2,)},
    "a single file of Stable Diffusion 2.x, which is read as a diffusers folder only": {PIXELS: (320, 4, 3, 3), "cond_stage_model.model.ln_final.weight": (2,)},
    "a ControlNet": {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)},
    "only a VAE": {"decoder.conv_in.weight": (2,), "encoder.conv_in.weight": (2,)},
    "only a UNet": {"input_blocks.0.0.weight": (320, 4, 3, 3)},
    "an embedding of textual inversion": {"emb_params": (4, 768)},
    "a LoRA, a small change of some model": {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (4, 1280)},
    "a LoRA, a small": {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)},  # Flux's
    "a person's coefficients in a space": {"coefficients": (40,)},
    "no VAE (weights named first_stage_model.*)": {PIXELS: (320, 4, 3, 3), TEXT: (2,)},
    "no text encoder (weights named cond_stage_model.transformer.*)": {PIXELS: (320, 4, 3, 3), VAE: (2,)},
}
LORAS = {
    "an SDXL LoRA": ["lora_unet_output_blocks_0_1_transformer_blocks_9_attn1_to_q", "lora_te2_text_model_encoder_layers_0_mlp_fc1"],
    "a Flux LoRA": ["lora_unet_double_blocks_0_img_attn_qkv"],
    "a Stable Diffusion 3 LoRA": ["lora_unet_joint_blocks_0_x_block_attn_qkv"],
}


def save(path, shapes):
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    return path.name


@pytest.mark.parametrize("what", MODELS)
def test_a_file_that_is_no_model_of_ours_is_named(w2w, tmp_path, what):
    save(tmp_path / "x.safetensors", MODELS[what])
    save(tmp_path / "person.safetensors", {"coefficients": (40,)})
    done = w2w("render", "--steps", 1, "-m", "x.safetensors", "-s", 1, "person.safetensors", code=3)
    assert what in done.stderr and "(x.safetensors)" in done.stderr and "hint: " in done.stderr
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("class_name, what", [
    ("StableDiffusionXLPipeline", "an SDXL model"), ("StableDiffusionXLImg2ImgPipeline", "an SDXL refiner"),
    ("StableDiffusion3Pipeline", "a Stable Diffusion 3 model"), ("FluxPipeline", "a Flux model"),
    ("PixArtAlphaPipeline", "a model of the class PixArtAlphaPipeline")])
def test_folders_of_other_pipelines(w2w, tmp_path, class_name, what):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model_index.json").write_text(json.dumps({"_class_name": class_name}))
    done = w2w("sample", "-m", "model", "-s", 1, code=3)
    assert f"it is {what}" in done.stderr and "hint: w2w supports models of Stable Diffusion 1.x and 2.x" in done.stderr


@pytest.mark.parametrize("what", LORAS)
def test_loras_of_other_models(w2w, tmp_path, what):
    names = {f"{module}.{part}.weight": (4, 4) for module in LORAS[what] for part in ("lora_down", "lora_up")}
    done = w2w("import", save(tmp_path / "x.safetensors", names), "-o", "people", code=3)
    assert f"it is {what}" in done.stderr and "hint: w2w supports models of Stable Diffusion 1.x and 2.x" in done.stderr


@pytest.mark.parametrize("config, what", [(LoHaConfig, "a LoHa"), (LoKrConfig, "a LoKr"), (LoraConfig, "a DoRA")])
def test_other_algebras_as_peft_saves_them(w2w, tmp_path, config, what):
    more = {"use_dora": True} if what == "a DoRA" else {}
    unet = get_peft_model(make_pipeline(SHAPES["demo"]).unet, config(r=2, target_modules=["to_q"], **more))
    unet.save_pretrained(tmp_path / "theirs")
    done = w2w("import", "theirs", code=3)
    assert f"it is {what}" in done.stderr and "w2w reads plain LoRA only" in done.stderr


WRONG = {  # what comes in place of a file: its content, what is said
    "web page": (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Log in</body></html>", "it is a web page"),
    "bare page": (b"<html><head><title>404</title></head></html>" * 100, "it is a web page"),
    "answer": (b'{"error": {"message": "Invalid username or password."}}', 'it is JSON text, which begins with {"error"'),
    "short key": (b'{"abcd":{"e": "no such file here"}}', "it is JSON text"),
    "list": (b"[1, 2, 3, 4, 5, 6, 7, 8, 9]", "it is JSON text"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4265146304\n", "it is a Git LFS pointer"),
    "empty": (b"", "it is empty"),
    "GGUF": (b"GGUF\3\0\0\0" + b"\0" * 100, "it is a GGUF file"),
    "archive": (gzip.compress(b"weights"), "it is a gzip archive"),
    "reserved": (b"\0" * 4096, "it is a file that begins with zeros only"),
}


@pytest.mark.parametrize("extension", ["safetensors", "ckpt", "pt", "bin"])
@pytest.mark.parametrize("what", WRONG)
def test_what_came_instead_of_a_file(w2w, tmp_path, what, extension):
    content, said = WRONG[what]
    (tmp_path / f"x.{extension}").write_bytes(content)
    save(tmp_path / "person.safetensors", {"coefficients": (40,)})
    for arguments in (("render", "-m", f"x.{extension}", "-s", 1, "person.safetensors"), ("import", f"x.{extension}", "-o", "out"), ("inspect", f"x.{extension}")):
        if what == "list" and arguments[0] == "inspect":
            continue  # reads it as a table
        done = w2w(*arguments, code=3)
        assert said in done.stderr and f"(x.{extension})" in done.stderr and "hint: " in done.stderr, arguments


@pytest.mark.parametrize("kind", ["A1111", "diffusers", "kohya"])
def test_embeddings_as_they_are_saved(w2w, tmp_path, kind):
    """A1111's own pickle, and the files of diffusers' and kohya's trainings."""
    vectors = torch.randn(2, 768)
    if kind == "A1111":
        torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors)}),
                    "name": "x", "step": 10}, tmp_path / "x.pt")
    elif kind == "diffusers":
        torch.save({"<cat>": vectors[0]}, tmp_path / "x.pt")
    else:
        save_file({"emb_params": vectors}, tmp_path / "x.pt")
    for arguments in (("render", "-m", "x.pt", "-s", 1, "nobody.safetensors"), ("import", "x.pt")):
        if arguments[0] == "render":
            save(tmp_path / "nobody.safetensors", {"coefficients": (40,)})
        done = w2w(*arguments, code=3)
        assert "it is an embedding of textual inversion" in done.stderr and "(x.pt)" in done.stderr and "hint: " in done.stderr
