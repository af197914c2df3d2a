"""The embedded model, the cache, and the hub: what is downloaded, and what is said when it cannot be."""

from fnmatch import fnmatch
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
from doubles.tiny_models import generated, tiny_sd
from huggingface_hub.errors import CacheNotFound, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from safetensors.torch import save_file

from inkstream.lora import hub, registry
from inkstream.lora.describe import unet_family
from inkstream.lora.load import load_pipeline
from inkstream.models import embedded
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ModelError, UnsafeWeightsError

PLAIN = StreamConfig(device="cpu", dtype="float32", use_tiny_vae=False)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    """An empty cache, and a hub that cannot be reached."""
    http = next(kind for kind in HfHubHTTPError.__mro__ if kind.__name__ in ("HTTPError", "RequestException"))

    def unreachable(*args, **kwargs):
        raise http("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args, **kwargs: None)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


def same(a, b):
    return np.allclose(a, b, atol=1e-5)  # convolutions differ in the last digit with where memory lies


# --- the embedded model, the cache and the hub


def test_the_embedded_model_is_found_and_loads():
    assert embedded()["ink-tiny"].joinpath("model_index.json").is_file()
    pipe = load_pipeline("ink-tiny", StreamConfig(device="cpu", dtype="float32"))
    assert (unet_family(pipe.unet.config), pipe.scheduler.config.prediction_type) == ("sd1", "v_prediction")
    assert (type(pipe.controlnet).__name__, type(pipe.vae).__name__) == ("ControlNetModel", "AutoencoderTiny")
    assert registry.fetch("ink-tiny") == embedded()["ink-tiny"]


def test_embedded_and_cached_models_are_listed(folders, monkeypatch):
    revision = SimpleNamespace(refs=frozenset({"main"}), last_modified=1.0, snapshot_path=folders / "sdxl")
    old = SimpleNamespace(refs=frozenset(), last_modified=9.0, snapshot_path=folders / "sd")
    repos = [
        SimpleNamespace(repo_id="b/xl", repo_type="model", revisions=[old, revision], size_on_disk=5),
        SimpleNamespace(repo_id="a/pictures", repo_type="dataset", revisions=[revision], size_on_disk=5),
    ]
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: SimpleNamespace(repos=repos))
    ink, other = registry.list_models()
    assert (ink.name, ink.family, ink.origin, ink.size > 2**20) == ("ink-tiny", "sd1", "embedded", True)
    assert other == registry.ModelInfo("b/xl", folders / "sdxl", 5, "sdxl", "cache")


def test_no_cache_at_all_is_no_fault(monkeypatch, tmp_path):
    def none():
        raise CacheNotFound("none", tmp_path)

    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", none)
    assert [model.name for model in registry.list_models()] == ["ink-tiny"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("owner/name", r"cannot be reached.*inkstream models fetch owner/name"),
        ("sd-turbo", r"inkstream models fetch stabilityai/sd-turbo"),
        ("owner/name:model.safetensors", r"cannot be reached"),
        ("nowhere", r"one of: ink-tiny, sd-turbo"),
        ("/no/such/folder", "no such folder"),
        ("missing.safetensors", "no such folder or file"),
        ("models/missing.safetensors", "no such folder or file"),
        ("../owner/name", "no such folder"),
        ("owner/..name", "no such folder"),
        ("owner/name:../../x.safetensors", "expected"),
    ],
)
def test_models_that_are_not_there_say_what_to_do(model, said):
    with pytest.raises(ModelError, match=said):
        load_pipeline(model, PLAIN)


def a_hub(monkeypatch, tmp_path, files):
    """Put a fake hub in place of the real one: it holds the files of a folder, and downloads what patterns ask for."""
    calls = []

    def info(self, repo_id, **kwargs):
        names = [path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=n, size=(files / n).stat().st_size) for n in names])

    def download(repo_id, allow_patterns, tqdm_class):
        got = [
            path
            for path in files.rglob("*")
            if any(fnmatch(path.relative_to(files).as_posix(), p) for p in allow_patterns)
        ]
        calls.append((repo_id, sorted(path.relative_to(files).as_posix() for path in got)))
        counter = tqdm_class(total=0, unit="B", desc="bytes", name="a.name")
        for path in got:
            copy = tmp_path / "snapshot" / path.relative_to(files)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            counter.update(path.stat().st_size)
            counter.refresh()
        counter.close()
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


def test_a_hub_model_is_downloaded_without_pickles_or_code_and_runs(folders, sd, tmp_path, monkeypatch, capfd):
    for name in ("pipeline.py", "unet/diffusion_pytorch_model.bin", "sd.ckpt", "README.md", "unet/x.safetensors"):
        (sd / name).write_text("not wanted")
    calls = a_hub(monkeypatch, tmp_path, sd)
    told = []
    pipe = load_pipeline("owner/sd", PLAIN, lambda text, part: told.append((text, part)))
    assert same(generated(pipe), generated(tiny_sd(vae="kl")))
    expected = sorted(
        path.relative_to(folders / "sd").as_posix() for path in (folders / "sd").rglob("*") if path.is_file()
    )
    assert calls == [("owner/sd", expected)]
    assert ("fetching owner/sd", 1.0) in told
    assert capfd.readouterr() == ("", "")


def test_a_broken_off_download_is_taken_up_again(folders, sd, tmp_path, monkeypatch):
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / "model_index.json").write_bytes((sd / "model_index.json").read_bytes())
    monkeypatch.setattr(hub, "cached", lambda repo_id, file=None: None if file else partial)
    calls = a_hub(monkeypatch, tmp_path, sd)
    load_pipeline("owner/sd", PLAIN)
    assert len(calls) == 1
    monkeypatch.setattr(hub, "cached", lambda repo_id, file=None: sd)
    load_pipeline("owner/sd", PLAIN)
    assert len(calls) == 1


def test_what_is_downloaded_is_chosen_by_name():
    files = [
        "model_index.json", "README.md", "pipeline.py", "sd.safetensors", "model.ckpt",
        "unet/config.json", "unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "vae_decoder/model.onnx",
        "text_encoder/model-00001-of-00002.safetensors", "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json", "text_encoder/config.json",
        "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer/evil.py",
        "safety_checker/model.safetensors", "../escape.json",
    ]  # fmt: skip
    left = {"README.md", "pipeline.py", "sd.safetensors", "model.ckpt", "unet/diffusion_pytorch_model.bin"}
    left |= {"unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors"}
    left |= {"vae_decoder/model.onnx", "tokenizer/evil.py", "safety_checker/model.safetensors", "../escape.json"}
    assert set(hub.select_files("a/b", files)) == set(files) - left
    with pytest.raises(UnsafeWeightsError, match="convert"):
        hub.select_files("a/b", ["config.json", "diffusion_pytorch_model.bin"])
    with pytest.raises(ModelError, match="no weights"):
        hub.select_files("a/b", ["README.md"])
    assert hub.select_files("a/b", ["README.md", hub.LORA_FILE]) == [hub.LORA_FILE]


def test_a_preset_is_fetched_with_all_its_parts(folders, tmp_path, monkeypatch):
    calls = a_hub(monkeypatch, tmp_path, folders / "sd")
    registry.fetch("sd15-lcm")
    fetched = [repo_id for repo_id, _ in calls]
    assert fetched[-1] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert {"latent-consistency/lcm-lora-sdv1-5", "madebyollin/taesd", "lllyasviel/control_v11p_sd15_scribble"} <= set(
        fetched
    )


def test_one_file_of_a_repository(folders, tmp_path, monkeypatch):
    place = tmp_path / "repo"
    place.mkdir()
    for name in ("a.safetensors", "b.safetensors"):
        save_file({"x": torch.zeros(1)}, place / name)
    a_hub(monkeypatch, tmp_path, place)
    assert hub.fetch_file("owner/loras", "b.safetensors").name == "b.safetensors"
    with pytest.raises(ModelError, match=r"several.*name one: owner/loras:FILE"):
        hub.fetch_file("owner/loras")
    with pytest.raises(ModelError, match=r"no file 'c\.safetensors'"):
        hub.fetch_file("owner/loras", "c.safetensors")


def test_the_settings_of_peft_come_along_with_its_weights(tmp_path, monkeypatch):
    place = tmp_path / "repo" / "style"
    place.mkdir(parents=True)
    save_file({"x": torch.zeros(1)}, place / hub.PEFT_FILE)
    (place / hub.PEFT_CONFIG).write_text('{"lora_alpha": 4}')
    calls = a_hub(monkeypatch, tmp_path, place.parent)
    hub.fetch_file("owner/loras", f"style/{hub.PEFT_FILE}")
    assert set(calls[-1][1]) == {f"style/{hub.PEFT_FILE}", f"style/{hub.PEFT_CONFIG}"}


def test_a_full_disk_is_said_before_the_download(folders, tmp_path, monkeypatch):
    calls = a_hub(monkeypatch, tmp_path, folders / "sd")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ModelError, match="make room"):
        registry.fetch("owner/sd")
    assert not calls


def test_hub_refusals_are_named(monkeypatch):
    for kind, status, said in (
        (GatedRepoError, 403, "asks for consent.*hf auth login"),
        (RepositoryNotFoundError, 404, "check the spelling.*hf auth login"),
        (HfHubHTTPError, 503, "answered 503"),
    ):

        def refuse(self, repo_id, kind=kind, status=status, **kwargs):
            error = kind.__new__(kind)
            error.response = SimpleNamespace(status_code=status)
            raise error

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
        with pytest.raises(ModelError, match=said):
            registry.fetch("owner/name")
    with pytest.raises(ModelError, match="expected owner/name, or one of: ink-tiny"):
        registry.fetch("what is this")
