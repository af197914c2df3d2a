"""IP-Adapters from files, in the layout of h94/IP-Adapter: the plain ones, plus, and full face; for SD 1.x and SDXL.

Two parts lie in a file: ``image_proj.*`` makes tokens of what an image encoder sees, and ``ip_adapter.*`` are keys and
values for each cross attention of the UNet. The image encoder, a CLIP, has a folder of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..stream.base.conditioning import IPAdapterConfig
from ..stream.base.errors import ModelError, UnsafeWeightsError
from ..stream.base.progress import Progress, silent
from . import hub
from .declared import vision_settings
from .describe import FAMILY_NAMES, unet_family
from .load import named_faults, settle_network
from .parts import load_part
from .safety import check_folder, check_safetensors, read_config, read_tensors, refuse_pickle, refuse_quantised

USUAL = {"sd1": ("models", "ip-adapter_sd15.safetensors"), "sdxl": ("sdxl_models", "ip-adapter_sdxl.safetensors")}
ENCODERS = ("models/image_encoder", "sdxl_models/image_encoder")
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP's training pictures, red, green, blue
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
HEAD = 64  # channels of a head of the resampler of "plus"
# What a file's image_proj holds where it is of a kind that reads faces, not pictures.
_FACES = ({"perceiver_resampler.proj_in.weight"}, {"proj.0.weight", "norm.weight"})
# Names within a block of the resampler, in the files and in diffusers.
_BLOCK = {
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_out": "attn.to_out.0",
    "1.0": "ff.0",
    "1.1": "ff.1.net.0.proj",
    "1.3": "ff.1.net.2",
}


@dataclass(frozen=True, eq=False)
class IPAdapter:
    """One that was read and fits its model."""

    source: str
    """Its file, for people."""
    projection: nn.Module
    """What the encoder sees -> tokens (1, T, D)."""
    count: int
    """T."""
    weights: tuple[tuple[Tensor, Tensor], ...]
    """Of keys and of values, (C, D) each, for each cross attention of the UNet in its order."""
    encoder: Any
    """A CLIPVisionModelWithProjection."""
    patches: bool
    """Whether it looks at every patch of the picture, or at the whole."""

    @torch.inference_mode()
    def tokens(self, picture: np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (1, T, D) of a picture (any H, any W, 3) uint8 RGB, and those of no picture, for the negative prompt;
        float32, as diffusers makes them."""
        encoder = self.encoder
        seen = clip_pixels(picture, encoder.config.image_size).to(encoder.device, encoder.dtype)
        if self.patches:
            views = [encoder(each, output_hidden_states=True).hidden_states[-2] for each in (seen, seen * 0)]
        else:
            whole = encoder(seen).image_embeds
            views = [whole, torch.zeros_like(whole)]
        some, none = (self.projection(each).float() for each in views)
        return some, none


def clip_pixels(picture: np.ndarray, side: int) -> Tensor:
    """A picture (H, W, 3) uint8 RGB as CLIP wants it: its middle square, bicubically resized, (1, 3, side, side)."""
    from PIL import Image

    height, width = picture.shape[:2]
    short = min(height, width)
    size = int(side * width / short), int(side * height / short)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    levels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32) / 255  # (side, side, 3)
    normal = (levels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))[None]


def load_ip_adapter(
    entry: IPAdapterConfig,
    pipe: Any,
    shapes: Sequence[int],
    encoders: dict[Path, Any],
    progress: Progress = silent,
) -> IPAdapter:
    """Load an IP-Adapter for a pipeline, on its device and in its precision; ``pipe`` is only looked at.

    ``shapes`` are the channels C of each cross attention of its UNet, in the order of ``unet.attn_processors``.
    ``encoders`` are the image encoders that were loaded before, by folder; one that is new is put there. Raises
    ModelError where something is missing, damaged, of another kind, or made for another base model, and
    UnsafeWeightsError for a format that can carry code.
    """
    unet = pipe.unet
    family = unet_family(unet.config)
    if family not in USUAL and entry.weight_name is None:
        raise ModelError(f"{entry.model_id}: there is no usual IP-Adapter for {FAMILY_NAMES[family]}; set weight_name")
    folder, name = USUAL.get(family, ("", ""))
    subfolder = folder if entry.subfolder is None else entry.subfolder
    with named_faults(entry.model_id):
        path = find_file(entry.model_id, _joined(subfolder, entry.weight_name or name), progress)
        progress(f"loading {path.name}", None)
        projection, weights, patches = _read(path, unet, shapes)
        places = _encoder_places(entry.image_encoder_folder, subfolder)
        place = _encoder_folder(entry.model_id, places, _width(projection), patches, path, progress)
        if place not in encoders:
            progress("loading the image encoder", None)
            encoders[place] = _load_encoder(place, unet)
        like = {"device": unet.device, "dtype": unet.dtype}
        settle_network(projection.to(**like), str(path), unet.device)
        count = _count(projection, encoders[place].config)
        pairs = tuple((key.to(**like), value.to(**like)) for key, value in weights)
    return IPAdapter(str(path), projection, count, pairs, encoders[place], patches)


def find_file(model_id: str, name: str, progress: Progress = silent) -> Path:
    """A file of a folder or of a hub id, by its name within. Raises ModelError, and UnsafeWeightsError for a
    format that can carry code."""
    folder = Path(model_id).expanduser()
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts:
        raise ModelError(f"{model_id}: got {name!r}, expected the name of a file within it")
    try:
        refuse_pickle(name)
    except UnsafeWeightsError as error:
        other = folder / Path(name).with_suffix(".safetensors")
        there = f"; it lies beside it: weight_name: {other.name}" if other.is_file() else ""
        raise UnsafeWeightsError(f"{error}{there}") from error
    if folder.is_file():
        raise ModelError(
            f"{model_id}: got a file, expected a folder or a hub id; set model_id to {folder.parent}, subfolder to '' "
            f"and weight_name to {folder.name}"
        )
    if folder.is_dir():
        if not (folder / name).is_file():
            near = sorted(str(path.relative_to(folder)) for path in folder.glob("**/*.safetensors"))[:8]
            raise ModelError(
                f"{model_id}: it has no file {name}; it has: {', '.join(near) or 'no .safetensors at all'}; set "
                f"subfolder, weight_name or image_encoder_folder"
            )
        return folder / name
    if not hub.is_repo_id(model_id):
        raise ModelError(f"{model_id}: no such folder, expected one, or a hub id, for example h94/IP-Adapter")
    return hub.fetch_file(model_id, Path(name).as_posix(), progress)


def _read(path: Path, unet: Any, shapes: Sequence[int]) -> tuple[nn.Module, list[tuple[Tensor, Tensor]], bool]:
    """The projection, keys' and values' weights in their order, and whether it looks at patches; on the CPU."""
    header = check_safetensors(path).tensors
    names = {name: shape for name, (_, shape) in header.items()}
    numbers = sorted(
        int(found[1]) for name in names if (found := re.fullmatch(r"ip_adapter\.(\d{1,4})\.to_k_ip\.weight", name))
    )
    inner = {name.removeprefix("image_proj."): shape for name, shape in names.items() if name.startswith("image_proj.")}
    if not numbers or not inner:
        raise ModelError(f"{path}: this is no IP-Adapter: it has no image_proj.* or ip_adapter.*; set weight_name")
    faces = any(all(name in inner for name in kind) for kind in _FACES)
    if faces or any("_lora." in name for name in names):
        raise ModelError(
            f"{path}: got an IP-Adapter of the kind FaceID, which wants the numbers of a face recogniser, expected one "
            f"that is shown pictures, for example ip-adapter-plus-face_sd15.safetensors"
        )
    refuse_quantised(header, path)
    width = unet.config.cross_attention_dim
    got = [[names.get(f"ip_adapter.{number}.to_{part}_ip.weight") for part in "kv"] for number in numbers]
    if got != [[(channels, width)] * 2 for channels in shapes]:
        raise ModelError(
            f"{path}: got an IP-Adapter with {len(numbers)} attentions for prompts {_last(got)} wide, the model has "
            f"{len(shapes)} and {width}; it was made for another base model: choose one for "
            f"{FAMILY_NAMES[unet_family(unet.config)]}"
        )
    tensors = read_tensors(path)
    projection, patches = _projection(path, {name: tensors[f"image_proj.{name}"] for name in inner}, width)
    weights = [tuple(tensors[f"ip_adapter.{number}.to_{part}_ip.weight"] for part in "kv") for number in numbers]
    return projection, [(key, value) for key, value in weights], patches


def _last(shapes: list[list[Any]]) -> Any:
    """The width of what the first keys are made of, as far as it is known."""
    first = shapes[0][0]
    return first[-1] if first else "?"


def _projection(path: Path, given: Mapping[str, Tensor], width: int) -> tuple[nn.Module, bool]:
    """What makes tokens (1, T, ``width``), and whether it looks at patches. Raises ModelError."""
    from diffusers.models.embeddings import ImageProjection, IPAdapterFullImageProjection

    try:
        with torch.device("meta"):
            if "proj.weight" in given:
                total, seen = given["proj.weight"].shape
                made: nn.Module = ImageProjection(seen, width, total // width)
                state = {name.replace("proj", "image_embeds"): value for name, value in given.items()}
            elif "proj.3.weight" in given:
                made = IPAdapterFullImageProjection(given["proj.0.weight"].shape[0], width)
                names = {"proj.0": "ff.net.0.proj", "proj.2": "ff.net.2", "proj.3": "norm"}
                state = {f"{names[name[:6]]}{name[6:]}": value for name, value in given.items()}
            else:
                made, state = _resampler(given, width)
        made.load_state_dict(state, strict=True, assign=True)
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ModelError(
            f"{path}: its image_proj is of no kind that is known ({type(error).__name__}), expected that of "
            f"ip-adapter, ip-adapter-plus or ip-adapter-full-face; fetch it again"
        ) from error
    return made, "proj.weight" not in given


def _resampler(given: Mapping[str, Tensor], width: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """The projection of "plus", without weights, and its weights by diffusers' names."""
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    _, count, hidden = given["latents"].shape
    state: dict[str, Tensor] = {}
    for name, value in given.items():
        found = re.fullmatch(r"(layers\.\d+\.)(\d\.\w+)(\..+)?", name)
        if found is None:
            state[name] = value
        elif found[2] == "0.to_kv":
            state[f"{found[1]}attn.to_k{found[3]}"], state[f"{found[1]}attn.to_v{found[3]}"] = value.chunk(2)
        else:
            state[f"{found[1]}{_BLOCK[found[2]]}{found[3]}"] = value
    made = IPAdapterPlusImageProjection(
        embed_dims=given["proj_in.weight"].shape[1],
        output_dims=width,
        hidden_dims=hidden,
        depth=1 + max(int(name.split(".")[1]) for name in given if name.startswith("layers.")),
        dim_head=HEAD,
        heads=given["layers.0.0.to_q.weight"].shape[0] // HEAD,
        num_queries=count,
        ffn_ratio=given["layers.0.1.1.weight"].shape[0] / hidden,
    )
    return made, state


def _width(projection: nn.Module) -> int:
    """How wide what an image encoder gives must be for a projection."""
    return next(layer for layer in projection.modules() if isinstance(layer, nn.Linear)).in_features


def _count(projection: Any, encoder: Any) -> int:
    """How many tokens a projection makes of one picture: its own number, or as many as it is given."""
    if hasattr(projection, "latents"):
        return int(projection.latents.shape[1])
    return int(getattr(projection, "num_image_text_embeds", (encoder.image_size // encoder.patch_size) ** 2 + 1))


def _encoder_places(given: str | None, subfolder: str) -> list[str]:
    """Where an image encoder may lie. One that is named without a folder lies in ``subfolder``, as for diffusers."""
    if given is not None:
        return [given if "/" in given else _joined(subfolder, given)]
    return list(dict.fromkeys((_joined(subfolder, "image_encoder"), *ENCODERS)))


def _encoder_folder(
    model_id: str, places: list[str], width: int, patches: bool, path: Path, progress: Progress
) -> Path:
    """The folder of the first image encoder that fits. Raises ModelError."""
    folder, found = Path(model_id).expanduser(), []
    for place in places:
        try:
            config = vision_settings(read_config(find_file(model_id, _joined(place, "config.json"), progress)))
        except UnsafeWeightsError:
            raise
        except ModelError as error:
            found.append(str(error))
            continue
        gives = config.get("hidden_size" if patches else "projection_dim")
        if gives == width:
            return folder / place if folder.is_dir() else find_file(model_id, _joined(place, hub.ENCODER_FILE)).parent
        found.append(f"{place} gives {gives}")
    raise ModelError(
        f"{path}: wants an image encoder that gives {width} numbers {'a patch' if patches else 'a picture'}, got: "
        f"{'; '.join(found)}; set image_encoder_folder, for example {ENCODERS[0]}"
    )


def _load_encoder(place: Path, unet: Any) -> Any:
    from transformers import CLIPVisionModelWithProjection

    check_folder(place)
    encoder = load_part(CLIPVisionModelWithProjection, place, unet.dtype)
    settle_network(encoder, str(place), unet.device)
    return encoder


def _joined(folder: str, name: str) -> str:
    return f"{folder.strip('/')}/{name}" if folder.strip("/") else name
