"""Whole walks of every sampler against live diffusers, with a fixed smooth function in place of the model.

W2W_PROBE names the probe program (default: build/w2w_probe). Run with -s to see the largest deviation of each sampler.
"""

import importlib
import json
import os
import subprocess
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

PROBE = Path(os.environ.get("W2W_PROBE", Path(__file__).parents[2] / "build" / "w2w_probe"))
BOUND = 1e-5  # of the largest value of the sample, or of 1 where that is smaller
STEPS = (5, 20, 30, 50)
AROUND_FEW_STEPS = (14, 15)  # DPM-Solver's lower_order_final counts below 15 steps

CLASSES = {
    "pndm": "PNDMScheduler",
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lms": "LMSDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}
KARRAS = ("euler", "heun", "lms", "dpmpp_2m", "unipc")

SD15 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
CONFIGS = {
    "sd15": SD15,
    "sd21_v": {**SD15, "prediction_type": "v_prediction"},
    "pndm_defaults": {"_class_name": "PNDMScheduler"},
    "trailing": {**SD15, "timestep_spacing": "trailing"},
    "leading": {**SD15, "timestep_spacing": "leading"},  # PNDM's default, but given: other samplers inherit it
    "linspace": {**SD15, "timestep_spacing": "linspace"},
    "linear_offset": {**SD15, "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    "cosine": {**SD15, "beta_schedule": "squaredcos_cap_v2"},
    "zero_snr": {
        **SD15,
        "_class_name": "DDIMScheduler",
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "sigma_min": {**SD15, "_class_name": "DPMSolverMultistepScheduler", "final_sigmas_type": "sigma_min"},
    "not_lower": {
        **SD15,
        "_class_name": "DPMSolverMultistepScheduler",
        "final_sigmas_type": "sigma_min",
        "lower_order_final": False,
    },
    "euler_at_final": {
        **SD15,
        "_class_name": "DPMSolverMultistepScheduler",
        "final_sigmas_type": "sigma_min",
        "euler_at_final": True,
    },
    "x0": {**SD15, "_class_name": "DDIMScheduler", "prediction_type": "sample", "clip_sample": True},
    "few_training_steps": {**SD15, "num_train_timesteps": 100},
    "trained_betas": {**SD15, "num_train_timesteps": 200, "trained_betas": [0.001 + 0.0001 * i for i in range(200)]},
}
NEEDS_SCIPY = "diffusers integrates the LMS coefficients with scipy"
NO_SAMPLE_PREDICTION = ("pndm", "euler_ancestral")


def fake_model(x, t):
    return x * (0.2 + 0.0008 * t) + 0.1 * torch.sin(2.0 * x + 0.001 * t)


def reference(job, inputs):
    """Timesteps (f64), first noise level and all samples of diffusers."""
    name = CLASSES.get(job["sampler"], job["config"]["_class_name"])
    overrides = {"use_karras_sigmas": True} if job["schedule"] else {}
    scheduler = getattr(diffusers, name).from_config(job["config"], **overrides)
    scheduler.set_timesteps(job["steps"])
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # else a first timestep that occurs twice (Karras, rounded) makes it start at the second
    x = inputs["x"] * scheduler.init_noise_sigma
    samples = []
    with pytest.MonkeyPatch.context() as patch:
        if name == CLASSES["euler_ancestral"]:
            module = importlib.import_module(type(scheduler).__module__)
            patch.setattr(module, "randn_tensor", lambda *_, **__: inputs["noise"][len(samples)])
        for t in scheduler.timesteps:
            output = fake_model(scheduler.scale_model_input(x, t), float(t))
            x = scheduler.step(output, t, x).prev_sample
            samples.append(x)
    return {
        "timesteps": scheduler.timesteps.double(),
        "init_noise_sigma": torch.tensor([float(scheduler.init_noise_sigma)], dtype=torch.float64),
        "alphas_cumprod": scheduler.alphas_cumprod,
        "samples": torch.stack(samples),
    }


def run_probe(jobs, inputs, folder):
    (folder / "jobs.json").write_text(json.dumps(jobs))
    save_file(inputs, folder / "in.safetensors")
    done = subprocess.run(
        [PROBE, "scheduler", folder / "jobs.json", folder / "in.safetensors", folder / "out.safetensors"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return load_file(folder / "out.safetensors"), dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(11)
    return {
        "x": torch.randn(2, 4, 8, 8, generator=generator),
        "noise": torch.randn(100, 2, 4, 8, 8, generator=generator),
    }


VARIANTS = [("", "")] + [(name, "") for name in CLASSES] + [(name, "karras") for name in KARRAS]


@pytest.mark.parametrize("sampler, schedule", VARIANTS, ids=lambda value: value or "-")
def test_walks(sampler, schedule, inputs, tmp_path):
    if sampler == "lms":
        pytest.importorskip("scipy", reason=NEEDS_SCIPY)
    jobs = [
        {"config": config, "sampler": sampler, "schedule": schedule, "steps": steps}
        for name, config in CONFIGS.items()
        for steps in STEPS + (AROUND_FEW_STEPS if name == "sigma_min" else ())
        if not (name == "x0" and sampler in NO_SAMPLE_PREDICTION)
    ]
    found, errors = run_probe(jobs, inputs, tmp_path)
    assert not errors
    worst = 0.0
    for k, job in enumerate(jobs):
        expected = reference(job, inputs)
        got = {key: found[f"{k}.{key}"] for key in expected}
        where = f"{job}"
        if schedule and sampler in ("euler", "heun", "lms"):
            # Fractional timesteps from log(sigma) in f32, of which numpy's and libm's last bits differ.
            assert torch.allclose(got["timesteps"], expected["timesteps"], rtol=0, atol=1e-3), where
        else:
            assert torch.equal(got["timesteps"], expected["timesteps"]), where
        assert torch.equal(got["init_noise_sigma"], expected["init_noise_sigma"]), where
        assert torch.equal(got["alphas_cumprod"], expected["alphas_cumprod"]), where
        for i, (ours, theirs) in enumerate(zip(got["samples"], expected["samples"], strict=True)):
            assert torch.isfinite(theirs).all(), f"{where}: reference, call {i}"
            deviation = ((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1)).item()
            assert deviation <= BOUND, f"{where}, call {i}: {deviation}"
            worst = max(worst, deviation)
    print(f"\n{sampler or 'own class':16} {schedule:6} {len(jobs)} walks, largest deviation {worst:.1e}")


@pytest.mark.parametrize("sampler", CLASSES)
def test_own_class_defaults(sampler, inputs, tmp_path):
    """A config that says nothing but its class."""
    if sampler == "lms":
        pytest.importorskip("scipy", reason=NEEDS_SCIPY)
    job = {"config": {"_class_name": CLASSES[sampler]}, "sampler": "", "schedule": "", "steps": 20}
    found, errors = run_probe([job], inputs, tmp_path)
    assert not errors
    expected = reference(job, inputs)
    assert torch.equal(found["0.timesteps"], expected["timesteps"])
    scale = expected["samples"].abs().amax().clamp(min=1)
    assert (found["0.samples"] - expected["samples"]).abs().max() / scale <= BOUND


UNSUPPORTED = [
    ("dpmpp_2m", {"solver_order": 3}, "solver_order"),
    ("dpmpp_2m", {"algorithm_type": "sde-dpmsolver++"}, "sde-dpmsolver++"),
    ("dpmpp_2m", {"use_lu_lambdas": True}, "use_lu_lambdas"),
    ("dpmpp_2m", {"lambda_min_clipped": -5.1}, "lambda_min_clipped"),
    ("unipc", {"predict_x0": False}, "predict_x0"),
    ("unipc", {"disable_corrector": [0]}, "disable_corrector"),
    ("ddim", {"thresholding": True}, "thresholding"),
    ("euler", {"use_exponential_sigmas": True}, "use_exponential_sigmas"),
    ("euler", {"timestep_spacing": "sideways"}, "sideways"),
    ("ddim", {"beta_schedule": "cubic"}, "cubic"),
    ("pndm", {"prediction_type": "sample"}, "sample"),
    ("ddim", {"beta_start": "a lot"}, "beta_start"),
]


def test_unsupported_values_are_named(inputs, tmp_path):
    jobs = [
        {"config": {**SD15, "_class_name": CLASSES[sampler], **extra}, "sampler": sampler, "schedule": "", "steps": 5}
        for sampler, extra, _ in UNSUPPORTED
    ]
    # What another class would refuse does not matter to one that does not read it.
    jobs.append({"config": {**SD15, "use_lu_lambdas": True}, "sampler": "euler", "schedule": "", "steps": 5})
    found, errors = run_probe(jobs, inputs, tmp_path)
    for k, (_, _, text) in enumerate(UNSUPPORTED):
        assert text in errors.get(str(k), "no error"), UNSUPPORTED[k]
    assert str(len(UNSUPPORTED)) not in errors
