"""Configuration files of livepeer's StreamDiffusion become ours, and every key of theirs is accounted for.

Read after ``config.py`` and ``configs/`` there. A key is taken as it is, taken differently, or not taken, with the
reason; an unknown one is refused. What their file leaves out has their default, where ours is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..base import safeyaml
from ..base.configfile import MOST_FAULTS, RunConfig, build
from ..base.errors import ConfigError
from ..base.names import did_you_mean, quoted, short
from ..base.safeyaml import Document, Place

How = Literal["same", "differently", "not"]

SAME = (
    "t_index_list",
    "num_inference_steps",
    "guidance_scale",
    "delta",
    "cfg_type",
    "mode",
    "do_add_noise",
    "use_denoising_batch",
    "frame_buffer_size",
    "width",
    "height",
    "seed",
    "normalize_prompt_weights",
    "normalize_seed_weights",
    "lcm_lora_id",
    "vae_id",
    "use_tiny_vae",
    "device",
)
NOT = {
    "output_type": "pictures go to sinks; in Python it is Stream(output_type=...)",
    "warmup": "nothing reads it there; here it is how many steps run before the first picture",
    "engine_dir": "engines of theirs are not read, and ours are kept in the user's cache",
    "build_engines_if_missing": "engines are built when they are missing",
    "use_controlnet": "ControlNets that are listed are used, there too",
    "use_ipadapter": "image prompts are ip_adapters here: name the folder, the file and the picture there",
    "ipadapters": "image prompts are ip_adapters here: name the folder, the file and the picture there",
    "ipadapter_config": "image prompts are ip_adapters here: name the folder, the file and the picture there",
    "pipeline_type": "the model's files say what it is",
    "use_taesd": "nothing reads it there; use_tiny_vae decides",
    "use_safety_checker": "pictures are NOT checked; in Python it is Stream(safety_checker=...)",
    "safety_checker": "nothing reads it there; in Python it is Stream(safety_checker=...)",
}
# name there -> ours, and what is different
PREPROCESSORS = {
    "canny": ("canny", "over the strongest colour, not over gray"),
    "passthrough": ("none", ""),
    "external": ("none", "the frame is the condition"),
    "lineart": ("lineart", "without their network"),
    "standard_lineart": ("lineart", "another way to find the lines"),
    "soft_edge": ("softedge", "another way to find the edges"),
    "hed": ("softedge", "without their network"),
}
MISSING = (
    "depth",
    "depth_tensorrt",
    "openpose",
    "pose_tensorrt",
    "mediapipe_pose",
    "mediapipe_segmentation",
    "feedback",
)
DTYPES = {"float16": "float16", "half": "float16", "float32": "float32", "float": "float32"}
INSTEAD = {"prompt": "prompt_blending", "seed": "seed_blending", "device": "device_ids"}  # the second one counts
CONTROLNET_SAME = ("model_id", "conditioning_scale", "enabled", "control_guidance_start", "control_guidance_end")


class Note(NamedTuple):
    """What became of one key of theirs."""

    place: Place
    key: str
    how: How
    text: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {_plain(self.key)}: {self.how}" + (f": {self.text}" if self.text else "")


def _plain(key: str) -> str:
    """A key as it is written in their file; one that would do something to a terminal, or fill it, in quotes."""
    return key if key.isprintable() and len(key) <= 120 else quoted(key, 120)


@dataclass
class Converted:
    """Our configuration, as the values that a file holds, and a note for each key of theirs."""

    model: str
    stream: dict[str, Any]
    notes: list[Note]

    def yaml(self) -> str:
        """A file that ``load_config`` reads."""
        lines = [*safeyaml.write({"model": self.model}).splitlines(), "stream:"]
        for name, value in self.stream.items():
            lines += ["  " + line for line in safeyaml.write({name: value}).splitlines()]
        return "\n".join(lines) + "\n"


def convert(document: Document) -> Converted:
    """Their configuration, as ``safeyaml.read`` reads it, as ours.

    Raises ConfigError, with the place in their file, for unknown keys and for values that ours refuses.
    """
    work = _Conversion(document)
    work.run()
    return Converted(work.model, work.stream, work.notes)


class _Conversion:
    def __init__(self, document: Document) -> None:
        """Raises ConfigError where there is no model in it, or a key that is none of theirs."""
        self._document = document
        if not isinstance(document.value, dict):
            raise ConfigError(f"{document.place('')}: got no settings, expected a file of livepeer's StreamDiffusion")
        self._theirs: dict[str, Any] = document.value
        self._refuse_unknown(self._theirs, {*SAME, *NOT, *RULES}, "")
        model = self._theirs.get("model_id")
        if not isinstance(model, str) or not model:
            raise self._refused("model_id", model, "the name of a model")
        self.model = model
        self._turbo = "turbo" in model  # then they load no LoRA, whatever the file says
        self._filtering = self._theirs.get("enable_similar_image_filter")
        # What their file need not say.
        self.stream: dict[str, Any] = {
            "fit": "stretch",
            "t_index_list": [0, 16, 32, 45],
            "use_lcm_lora": not self._turbo,
            "similar_image_filter_threshold": None,
        }
        self.notes: list[Note] = []
        self._places: dict[str, Place] = {"": document.place("")}  # of our settings, in their file

    def run(self) -> None:
        """Every key of theirs; then ours is built, so that what it refuses is refused with the place in their file."""
        for key, value in self._theirs.items():
            if INSTEAD.get(key) in self._theirs:
                self._note(key, "not", f"{INSTEAD[key]} takes its place, there too")
            elif key in NOT:
                self._note(key, "not", NOT[key])
            elif value is None:
                self._note(key, "not", "it is empty")
            elif key in SAME:
                self._set(key, value, key)
                self._note(key, "same")
            else:
                RULES[key](self, value)
        build(Document({"model": self.model, "stream": self.stream}, self._places), RunConfig)

    # --- one key each

    def _model(self, value: str) -> None:
        self._places["model"] = self._document.place("model_id")
        self._note("model_id", "differently", "its name here is model")

    def _prompt(self, value: Any) -> None:
        self._set("prompt", value, "prompt")
        self._note("prompt", "differently", "(words:1.3), word++ and <lora:name:0.8> are read")

    def _negative(self, value: Any) -> None:
        self._set("negative_prompt", value, "negative_prompt")
        self._note("negative_prompt", "differently", "(words:1.3) and word++ are read")

    def _prompts(self, value: Any) -> None:
        self._blend("prompt_blending", value, "prompt", "prompt_list", "slerp")

    def _seeds(self, value: Any) -> None:
        self._blend("seed_blending", value, "seed", "seed_list", "linear")

    def _blend(self, key: str, value: Any, ours: str, items: str, usual: str) -> None:
        known = (items, "interpolation_method", "enable_caching")
        if not isinstance(value, dict):
            raise self._refused(key, value, f"a mapping with {', '.join(known)}")
        self._refuse_unknown(value, set(known), key)
        self._set(ours, value.get(items), f"{key}.{items}")
        method = f"{ours}_interpolation_method"
        self._set(method, value.get("interpolation_method", usual), f"{key}.interpolation_method")
        self._note(key, "differently", f"it becomes {ours} and {method}; slerp also takes more than two")
        if "enable_caching" in value:
            self._note(f"{key}.enable_caching", "not", "what was encoded is always kept")

    def _dtype(self, value: Any) -> None:
        if not isinstance(value, str) or value not in DTYPES:
            raise self._refused("dtype", value, f"one of: {', '.join(DTYPES)}")
        self._set("dtype", DTYPES[value], "dtype")
        self._as("dtype", value, DTYPES[value])

    def _acceleration(self, value: Any) -> None:
        falls_back = value == "tensorrt" and self._theirs.get("enable_pytorch_fallback") is True
        ours = "auto" if falls_back else "compile" if value == "sfast" else value
        self._set("acceleration", ours, "acceleration")
        self._as("acceleration", value, ours)

    def _fallback(self, value: Any) -> None:
        said = "with true tensorrt becomes auto, the fastest there is; an engine that is named never falls back"
        self._note("enable_pytorch_fallback", "differently", said)

    def _devices(self, value: Any) -> None:
        if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], int):
            raise self._refused("device_ids", value, "one number: a stream runs on one device")
        self._set("device", f"cuda:{value[0]}", "device_ids")
        self._note("device_ids", "differently", "it becomes device")

    def _loras(self, value: Any) -> None:
        if self._turbo:
            self._note("lora_dict", "not", 'no LoRA is loaded for a model with "turbo" in its name, there too')
            return
        self._set("lora_dict", value, "lora_dict")
        self._note("lora_dict", "differently", "they are not fused, so that their scales can change live")

    def _lcm(self, value: Any) -> None:
        if self._turbo:
            self._note("use_lcm_lora", "not", 'no LoRA is loaded for a model with "turbo" in its name, there too')
            return
        self._set("use_lcm_lora", value, "use_lcm_lora")
        self._note("use_lcm_lora", "same")

    def _filter(self, value: Any) -> None:
        if not isinstance(value, bool):
            raise self._refused("enable_similar_image_filter", value, "true or false")
        if value and self._theirs.get("similar_image_filter_threshold") is None:
            self._set("similar_image_filter_threshold", 0.98)
        if value and self._theirs.get("similar_image_filter_max_skip_frame") is None:
            self._set("similar_image_filter_max_skip_frame", 11)
        self._note("enable_similar_image_filter", "differently", "off is similar_image_filter_threshold: null")

    def _threshold(self, value: Any) -> None:
        key = "similar_image_filter_threshold"
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise self._refused(key, value, "a number above 0")
        if self._filtering is True:
            self._set(key, value if value < 1 else None, key)
        self._note(key, "differently", "the most changed spot is compared, not the whole picture")

    def _skips(self, value: Any) -> None:
        key = "similar_image_filter_max_skip_frame"
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
            raise self._refused(key, value, "a number from 0")
        if self._filtering is True:
            self._set(key, int(value) + 1, key)
        self._note(key, "differently", "one more here: theirs counts from 0")

    # --- ControlNets

    def _controlnets(self, value: Any) -> None:
        self._nets("controlnets", value)

    def _controlnet_config(self, value: Any) -> None:
        self._nets("controlnet_config", value)

    def _nets(self, key: str, value: Any) -> None:
        entries = [value] if isinstance(value, dict) else value
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._refused(key, value, "a list of ControlNets")
        self._note(key, "differently", "as their entries say")
        made: list[dict[str, Any]] = self.stream.setdefault("controlnets", [])
        self._places["stream.controlnets"] = self._document.place(key)
        for index, entry in enumerate(entries):
            path = f"{key}.{index}" if isinstance(value, list) else key
            net = self._controlnet(path, entry, f"stream.controlnets.{len(made)}")
            made += [] if net is None else [net]

    def _controlnet(self, path: str, entry: dict[str, Any], ours: str) -> dict[str, Any] | None:
        """One of ours, or None where it is left out; ``path`` and ``ours`` are where it stands there and here."""
        self._refuse_unknown(entry, {*CONTROLNET_SAME, "preprocessor", "preprocessor_params", "pipeline_type"}, path)
        if not isinstance(entry.get("model_id"), str):
            raise self._refused(f"{path}.model_id", entry.get("model_id"), "the name of a ControlNet")
        name = entry.get("preprocessor") or "passthrough"
        if name in MISSING:
            self._note(path, "not", f"its preprocessor, {name}, is not here: the ControlNet is left out")
            return None
        if not isinstance(name, str) or name not in PREPROCESSORS:
            raise self._refused(f"{path}.preprocessor", name, f"one of: {', '.join([*PREPROCESSORS, *MISSING])}")
        net = {key: entry[key] for key in CONTROLNET_SAME if entry.get(key) is not None}
        for key in net:
            self._places[f"{ours}.{key}"] = self._document.place(f"{path}.{key}")
            self._note(f"{path}.{key}", "same")
        net["preprocessor"], why = PREPROCESSORS[name]
        if "preprocessor" in entry:
            self._as(f"{path}.preprocessor", name, net["preprocessor"], why)
        if "pipeline_type" in entry:
            self._note(f"{path}.pipeline_type", "not", NOT["pipeline_type"])
        params = self._parameters(path, name, entry.get("preprocessor_params"))
        return {**net, "preprocessor_params": params} if params else net

    def _parameters(self, path: str, name: str, value: Any) -> dict[str, Any]:
        """Those of Canny are the same, with their defaults; the others belong to preprocessors that are not here."""
        params = {} if value is None else value
        if not isinstance(params, dict):
            raise self._refused(f"{path}.preprocessor_params", value, "a mapping")
        ours: dict[str, float] = {"low_threshold": 100, "high_threshold": 200} if name == "canny" else {}
        for key, setting in params.items():
            place = f"{path}.preprocessor_params.{key}"
            if key not in ours:
                self._note(place, "not", f"{PREPROCESSORS[name][0]} has no such parameter here")
                continue
            if isinstance(setting, bool) or not isinstance(setting, int | float) or not 0 <= setting <= 2000:
                raise self._refused(place, setting, "a number from 0 to 2000")
            ours[key] = setting
            self._note(place, "same")
        return ours

    # --- what all of them need

    def _refuse_unknown(self, values: Mapping[str, Any], known: set[str], path: str) -> None:
        unknown = [key for key in values if key not in known]
        lines = []
        for key in unknown[:MOST_FAULTS]:
            whole = f"{path}.{key}" if path else key
            hint = did_you_mean(key, sorted(known)) or "; it is none of livepeer's"
            lines.append(f"{self._document.place(whole, key=True)}: {_plain(whole)}: unknown key{hint}")
        if len(unknown) > MOST_FAULTS:
            lines.append(f"and {len(unknown) - MOST_FAULTS} more")
        if lines:
            raise ConfigError(*lines)

    def _refused(self, path: str, value: Any, expected: str) -> ConfigError:
        return ConfigError(f"{self._document.place(path)}: {_plain(path)}: got {short(value)}, expected {expected}")

    def _set(self, name: str, value: Any, path: str = "") -> None:
        """One of our settings; ``path`` is where it stands in their file."""
        self.stream[name] = value
        places = self._document.places.items() if path else ()
        inside = {f"stream.{name}{at[len(path) :]}": place for at, place in places if f"{at}.".startswith(f"{path}.")}
        self._places |= inside

    def _as(self, key: str, theirs: Any, ours: Any, why: str = "") -> None:
        """The note of a key whose value is a name."""
        if theirs == ours and not why:
            self._note(key, "same")
        else:
            self._note(key, "differently", f"{ours} here" + (f", {why}" if why else ""))

    def _note(self, key: str, how: How, text: str = "") -> None:
        self.notes.append(Note(self._document.place(key, key=True), key, how, text))


RULES: dict[str, Callable[[_Conversion, Any], None]] = {
    "model_id": _Conversion._model,
    "prompt": _Conversion._prompt,
    "negative_prompt": _Conversion._negative,
    "prompt_blending": _Conversion._prompts,
    "seed_blending": _Conversion._seeds,
    "dtype": _Conversion._dtype,
    "acceleration": _Conversion._acceleration,
    "enable_pytorch_fallback": _Conversion._fallback,
    "device_ids": _Conversion._devices,
    "lora_dict": _Conversion._loras,
    "use_lcm_lora": _Conversion._lcm,
    "enable_similar_image_filter": _Conversion._filter,
    "similar_image_filter_threshold": _Conversion._threshold,
    "similar_image_filter_max_skip_frame": _Conversion._skips,
    "controlnets": _Conversion._controlnets,
    "controlnet_config": _Conversion._controlnet_config,
}
