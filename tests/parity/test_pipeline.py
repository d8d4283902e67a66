"""Whole pictures by the program against diffusers' StableDiffusionPipeline: same model, same person, same CPU generator.

A person is a rank-1 LoRA of scale 27; for diffusers it is added to the weights in float64.
"""
import copy
import json

import numpy as np
import pytest
import torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       HeunDiscreteScheduler, LMSDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline,
                       UniPCMultistepScheduler)
from PIL import Image
from safetensors.torch import load_file, save_file

from conftest import ROOT
from parity.test_models import tiled_by_hand
from parity.tiny_spaces import ALPHA, TinySpace, make_space

PROMPT, NEGATIVE, STEPS, SEED = "a photo of sks person with glasses", "man on the beach", 30, 5


def with_person(pipeline, deltas):
    """A pipeline whose UNet has `deltas` (module -> matrix in f64) added."""
    unet = copy.deepcopy(pipeline.unet)
    for name, delta in deltas.items():
        weight = unet.get_submodule(name).weight
        weight.data = (weight.double() + delta).float()
    merged = copy.copy(pipeline)
    merged.register_modules(unet=unet)
    return merged


class Person:
    """A random point of a random space, as a LoRA file for the program and as matrices for diffusers."""

    def __init__(self, unet, seed=0):
        self.space = make_space(unet)
        self.theta = self.space.theta(torch.randn(20, generator=torch.Generator().manual_seed(seed))).float()
        self.deltas = self.space.deltas(self.theta)

    def write(self, path):
        tensors, rest = {}, self.theta
        for name, columns, rows in self.space.modules:
            down, up, rest = rest.split([columns, rows, len(rest) - columns - rows])
            key = "lora_unet_" + name.replace(".", "_")
            tensors |= {f"{key}.lora_down.weight": down[None].clone(), f"{key}.lora_up.weight": ALPHA * up[:, None]}
        save_file(tensors, path)
        return path


def theirs(pipeline, seed=SEED, **options):
    options = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "guidance_scale": 3.0} | options
    return np.asarray(pipeline(generator=torch.Generator("cpu").manual_seed(seed), **options).images[0])


def assert_same_picture(path, expected):
    """docs/method.md, "Agreement with other libraries": at most 1/255 at 99.9 % of the values and 2/255 anywhere."""
    found = np.asarray(Image.open(path))
    assert found.shape == expected.shape
    assert expected.std() > 20, "a flat picture proves nothing"
    difference = np.abs(found.astype(int) - expected.astype(int))
    print(f"\nlargest difference {difference.max()}, above 0 at {(difference > 0).mean():.1e} of the values")
    assert difference.max() <= 2 and (difference > 1).mean() <= 1e-3


@pytest.fixture
def render(w2w, tmp_path):
    """render(MODEL, PERSON, OPTIONS...): the picture's path."""
    def run(model, person, *options):
        w2w("render", person.write(tmp_path / "person.safetensors"), "-m", model.folder, "-p", PROMPT, "-n", NEGATIVE, "--steps", STEPS, "--cfg-scale", 3, "-s", SEED,
            "-o", tmp_path / "picture.png", *options)
        return tmp_path / "picture.png"
    return run


@pytest.mark.parametrize("name", ["sd1", "sd2", "demo", "odd"])
def test_picture_with_the_models_own_scheduler(models, render, name):
    model = models(name)
    person = Person(model.pipeline.unet)
    expected = theirs(with_person(model.pipeline, person.deltas))
    assert np.abs(expected.astype(int) - theirs(model.pipeline)).mean() > 5, "the person must change the picture"
    assert_same_picture(render(model, person), expected)


@pytest.mark.parametrize("sampler, scheduler, config", [
    ("pndm", PNDMScheduler, {}),
    ("plms", PNDMScheduler, dict(skip_prk_steps=True)),
    ("ddim", DDIMScheduler, {}),  # clips where the model's file does not say clip_sample false, as the class does
    ("euler", EulerDiscreteScheduler, {}),
    ("Euler a", EulerAncestralDiscreteScheduler, {}),
    ("heun", HeunDiscreteScheduler, {}),
    ("lms", LMSDiscreteScheduler, {}),
    ("dpmpp_2m", DPMSolverMultistepScheduler, {}),
    ("DPM++ 2M Karras", DPMSolverMultistepScheduler, dict(use_karras_sigmas=True)),
    ("unipc", UniPCMultistepScheduler, {}),
])
@pytest.mark.parametrize("name", ["demo", "sd2"])  # one that predicts noise, one that predicts velocity
def test_picture_with_every_sampler(models, render, name, sampler, scheduler, config):
    model = models(name)
    person = Person(model.pipeline.unet)
    pipeline = with_person(model.pipeline, person.deltas)
    pipeline.scheduler = scheduler.from_pretrained(model.folder / "scheduler", **config)
    assert_same_picture(render(model, person, "--sampler", sampler), theirs(pipeline))


@pytest.mark.parametrize("options, settings", [
    (["--cfg-scale", 1], {"guidance_scale": 1.0}),
    (["-t", 2], {}),
    (["-W", 72, "-H", 40], {"width": 72, "height": 40}),  # latents of 9x5
], ids=["no guidance", "two threads", "odd size"])
def test_picture_with_option(models, render, options, settings):
    model = models("sd1")
    person = Person(model.pipeline.unet)
    assert_same_picture(render(model, person, *options), theirs(with_person(model.pipeline, person.deltas), **settings))


def test_picture_in_tiles(models, render):
    """Latents of 72 x 16 are wider than a tile, which has 64."""
    model = models("demo")
    pipeline = with_person(model.pipeline, Person(model.pipeline.unet).deltas)
    latents = pipeline(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=3.0, width=288, height=64, output_type="latent",
                       generator=torch.Generator("cpu").manual_seed(SEED)).images
    with torch.no_grad():
        image = tiled_by_hand(pipeline.vae, latents / pipeline.vae.config.scaling_factor, 64, 4)
        whole = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    assert (image - whole).abs().max() > 0.02, "tiles must be seen"
    path = render(model, Person(model.pipeline.unet), "-W", 288, "-H", 64, "--vae-tiling")
    assert_same_picture(path, np.asarray(pipeline.image_processor.postprocess(image)[0]))
    assert "--vae-tiling" in json.loads(Image.open(path).text["w2w"])["arguments"]


def test_picture_with_clip_skip(models, render):
    """Both prompts skip the last layer, as in A1111, ComfyUI and sd.cpp. (diffusers' own clip_skip leaves the negative prompt
    alone, and fails with transformers 5; so the embeddings are computed here.)"""
    model = models("sd1")
    person = Person(model.pipeline.unet)

    def embedding(prompt):
        encoder = model.pipeline.text_encoder
        ids = model.pipeline.tokenizer(prompt, padding="max_length", max_length=77, return_tensors="pt").input_ids
        return encoder.final_layer_norm(encoder(ids, output_hidden_states=True).hidden_states[-2])

    expected = theirs(with_person(model.pipeline, person.deltas), prompt=None, negative_prompt=None,
                      prompt_embeds=embedding(PROMPT), negative_prompt_embeds=embedding(NEGATIVE))
    assert_same_picture(render(model, person, "--clip-skip", 2), expected)


def test_sample_from_a_released_space(models, w2w, tmp_path):
    """The random-number contract of identities, theta = V c * std + mean, and the picture that follows from it."""
    model = models("sd1")
    space = make_space(model.pipeline.unet)
    w2w("sample", "-m", model.folder, "--space", space.save_released(tmp_path / "files"), "--count", 2, "--identity-seed", 7,
        "--spread", 0.5, "-p", PROMPT, "-n", NEGATIVE, "--steps", STEPS, "--cfg-scale", 3, "-s", SEED, "-o", tmp_path / "out")
    std, mean = torch.std_mean(space.projections, dim=0, correction=1)
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert len(pictures) == 2
    for seed, picture in zip((7, 8), pictures):
        coefficients = mean + 0.5 * std * torch.randn(len(mean), generator=torch.Generator("cpu").manual_seed(seed))
        found = load_file(tmp_path / "out" / f"person-{seed}.safetensors")["coefficients"]
        assert (found - coefficients).abs().max() <= 1e-6 * coefficients.abs().max()
        deltas = space.deltas(space.theta(coefficients))
        assert_same_picture(picture, theirs(with_person(model.pipeline, deltas)))


def test_a_picture_does_not_depend_on_its_company(models, w2w, tmp_path):
    """People, prompts and seeds rendered in one run are the very bytes that each of them gives alone."""
    model = models("demo")
    people = [Person(model.pipeline.unet, seed).write(tmp_path / f"{name}.safetensors")
              for name, seed in (("ann", 1), ("bob", 2))]
    common = ("-m", model.folder, "--steps", 4, "--no-metadata")
    w2w("render", *people, "-p", PROMPT, "-p", "a man", "-s", "3,4", "-o", tmp_path / "all", *common)
    together = sorted((tmp_path / "all").iterdir())
    assert len(together) == len({path.read_bytes() for path in together}) == 8
    w2w("render", people[1], "-p", "a man", "-s", 4, "-o", tmp_path / "alone.png", *common)
    assert (tmp_path / "alone.png").read_bytes() == together[-1].read_bytes()


DEMO = ROOT / "share" / "w2w" / "demo"


def test_sample_from_the_demo_world(w2w, tmp_path):
    """A person of the demo world, which is what a newcomer sees, with nothing but defaults."""
    w2w("sample", "--identity-seed", 3, "-s", SEED, "-o", tmp_path / "out")
    pipeline = StableDiffusionPipeline.from_pretrained(DEMO / "model", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    basis, description = load_file(DEMO / "space" / "basis.safetensors"), json.loads((DEMO / "space" / "space.json").read_text())
    coefficients = load_file(tmp_path / "out" / "person-3.safetensors")["coefficients"]
    space = TinySpace([(m["name"], m["in"], m["out"]) for m in description["modules"]], basis["mean"], basis["std"],
                      basis["components"], None)
    defaults = description["defaults"]
    expected = theirs(with_person(pipeline, space.deltas(space.theta(coefficients))), prompt=defaults["prompt"],
                      negative_prompt=defaults["negative_prompt"], num_inference_steps=defaults["steps"],
                      guidance_scale=defaults["cfg_scale"])
    assert_same_picture(tmp_path / "out" / f"person-3_p1_s{SEED}.png", expected)
