"""What people get wrong on a command line: words for ``inkstream``, in a folder with certain files."""

import json

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202efdp.png"
LONG = "x" * 300
RUN = ("run", "-s", "fake:frames=2,live=0,size=64", "-t", "null")


def runs():
    """Bad inputs by what they are."""
    for value in (
        "",
        " ",
        "nope",
        "scren",
        ":",
        "fake:size=0x0",
        "fake:size=",
        HOSTILE,
        LONG,
        "fake:fsp=3",
        "fake:fps=x",
    ):
        yield ("run", "-s", value, "-t", "null")
    for options in (
        *("fps=0", "fps=-1", "fps=nan", "fps=inf", "size=1x1", "size=-3x4", "size=9e9x1", "size=99999x99999"),
        *("pattern=x", "frames=-1", "frames=x", "live=maybe", "stall=x", "seed=x", f"{HOSTILE}=1", f"{LONG}=1"),
    ):
        yield ("run", "-s", f"fake:{options}", "-t", "null")
    for value in (
        *("video:", "video:nothing.mp4", "video:text.txt", "video:page.mp4", "video:empty.mp4", "video:nothing"),
        *("video:fifo", "video:link", "video:good.png,start=nan", "video:page.mp4,start=-1", "video:page.mp4,speed=x"),
        *(f"video:{LONG}.mp4", f"video:{HOSTILE}", "video:http://localhost:1/x.mp4", "video:/dev/zero"),
        *("images:", "images:nothing", "images:no/such", "images:page.png", "images:cut.png", "images:empty.png"),
        *("images:fifo", "images:link", "images:hostile", f"images:{LONG}.png", f"images:{HOSTILE}"),
        *("images:good.png,fps=x", "images:good.png,fps=nan", "images:good.png,nope=1", "images:/dev/zero"),
        *("camera:", "camera:x", "camera:-1", "camera:97", "camera:0,fps=x", "camera:0,size=x"),
        *("screen:region=1,2", "screen:region=a,b,c,d", "screen:region=0,0,0,0", "screen:monitor=99"),
        *("screen:window=", "screen:window=no such window", "screen:nope=1", "demo:subject=nope", "demo:speed=x"),
        *("demo:speed=-1", "demo:speed=nan"),
    ):
        yield ("run", "-s", value, "-t", "null")
    for value in (
        *("", "nope", "windw", ":", HOSTILE, LONG, "window:scale=x", "window:size=0x0", "window:nope=1", "null:x=1"),
        *("video:", "video:out.txt", "video:out.mp4,fps=x", "video:out.mp4,fps=0"),
        *("video:out.mp4,nope=1", f"video:{LONG}.mp4", "images:text.txt/x", "images:", f"images:{LONG}"),
        *("animation:out.txt", "animation:out.gif,fps=x", "virtualcam:size=x"),
        *("fake:fail_at=x", "fake:keep=0", "fake:delay=-1", "fake:interval=0"),
    ):
        yield ("run", "-s", "fake:frames=2,live=0,size=64", "-t", value)


def settings():
    for value in (
        *(
            "",
            "seed",
            "=",
            "=1",
            "seed=",
            "seed=x",
            "seed=-5",
            "seed=1e99",
            "widht=1",
            "width=0",
            "width=63",
            "width=-8",
        ),
        *("width=99999999", "width=64.5", "width=[1]", "height=null", "t_index_list=[99]"),
        *("t_index_list=[3,1]", "t_index_list=x", "guidance_scale=nan", "guidance_scale=x", "cfg_type=none2"),
        *("delta=inf", "acceleration=warp", "dtype=int3", "device=tpu", "frame_buffer_size=0", "mode=x"),
        *("controlnets.9.model=x", "controlnets.0.conditioning_scale=x", "controlnets=5", "lora_dict=3"),
        *("lora_dict={x: y}", "a.b.c=1", f"{HOSTILE}=1", "prompt={a: 1}", "prompt=[", f"{LONG}=1"),
        *("width=!!python/object:os.system {}", "width=&a [*a]", "similar_image_filter_threshold=2"),
        *("scheduler=x", "engine_dir=5", "prompt_transition_frames=-1"),
    ):
        yield (*RUN, "--set", value)
    for value in (
        *("", "nope", "sd15-lmc", "empty.yaml", "list.yaml", "broken.yaml", "bomb.yaml", "tag.yaml", "binary.yaml"),
        *("unknown.yaml", "type.yaml", "nomodel.yaml", "model.yaml", "nothing", "fifo", "link", LONG, f"{LONG}.yaml"),
        *(HOSTILE, f"{HOSTILE}.yaml", "text.txt", "good.png", "/dev/zero", "no/such.yaml"),
    ):
        yield (*RUN, "--config", value)
    for value in (
        *("", "nope", "no/such", "a/b/c", "text.txt", "good.png", "nothing", "weights", "fifo", HOSTILE, LONG),
        *("code.ckpt", "short.safetensors", "huge.safetensors", "nojson.safetensors", "notensors.safetensors"),
        *("other.safetensors", "lfs.safetensors", "no.safetensors", "/dev/null", "../..", "~nobody/x"),
    ):
        yield (*RUN, "--model", value)
    for value in ("no.safetensors", "lfs.safetensors", "other.safetensors", "short.safetensors", "text.txt", HOSTILE):
        yield (*RUN, "--set", f"lora_dict={{{json.dumps(value)}: 1}}")


def commands():
    yield from (("nope",), ("--nope",), (HOSTILE,), (LONG,), ("rnu",), ("run", "extra"), ("run", "--nope"))
    yield from ((*RUN, "--frames", value) for value in ("x", "0", "-1", "1.5", "", LONG))
    yield from ((*RUN, "--seconds", value) for value in ("x", "-1", "nan"))
    yield from ((*RUN, "--seed", value) for value in ("x", "-7", "99999999999999999999999999"))
    for value in ("no/such.json", "nothing", "fifo", "/dev/full", f"{LONG}.json", "/proc/x.json"):
        yield (*RUN, "--json", value)
        if "proc" not in value:  # which is found out in the end
            yield ("bench", "loop", "--frames", "20", "--json", value)
    yield from (
        ("demo", *rest)
        for rest in (
            ("--subject", "nope"),
            ("--frames", "0"),
            ("--output", "x.txt"),
            ("--seed", "x"),
            ("--headless", "--subject", HOSTILE),
            ("--headless", "--output", f"{LONG}.mp4"),
            ("--config", "nope"),
        )
    )
    yield from (
        ("models", *rest)
        for rest in (
            ("nope",),
            ("path",),
            ("path", "nope"),
            ("path", HOSTILE),
            ("show", "nope"),
            ("show", LONG),
            ("path", ""),
            ("fetch",),
            ("fetch", "a/b/c"),
            ("fetch", "../x"),
            ("fetch", HOSTILE),
            ("list", "extra"),
        )
    )
    yield from (
        ("config", *rest)
        for rest in (
            ("nope",),
            ("show", "nope"),
            ("show", HOSTILE),
            ("show", "broken.yaml"),
            ("show", "ink-tiny", "--set", "x"),
        )
    )
    yield from (("engines", *rest) for rest in (("nope",), ("prune", "--older-than", "x"), ("prune", "--keep", "-1")))
    yield from (
        ("prepare", *rest)
        for rest in (
            (),
            ("nothing",),
            ("nothing", "-o", "out"),
            ("no/such", "-o", "out"),
            ("text.txt", "-o", "out"),
            ("hostile", "-o", "text.txt"),
            ("hostile", "-o", "out", "--size", "x"),
            ("hostile", "-o", "out", "--size", "3"),
            ("hostile", "-o", "out", "--lines", "nope"),
            ("hostile", "-o", "out", "--hand", "x"),
            ("hostile", "-o", "out", "--keep", "7"),
            ("hostile", "-o", "out", "--caption", "{nope}"),
            ("hostile", "-o", "out", "--grammar", "broken.yaml"),
            ("hostile", "-o", "out", "--device", "tpu"),
            ("hostile", "-o", "out", "--early", "2", "nope"),
        )
    )
    yield from (
        ("train", *rest)
        for rest in (
            (),
            ("nope",),
            ("lora", "--config", "nope"),
            ("lora", "--config", "broken.yaml"),
            ("lora", "--set", "x"),
            ("lora", "--set", "nope=1"),
            ("lora", "--minutes", "3"),
            ("ink-tiny", "--budget", "tpu"),
            ("lora", "--set", "data.path=nothing", "--set", "output_dir=text.txt"),
            ("base", "--resume", "x", "--nope"),
        )
    )
    yield from (
        ("finish", *rest)
        for rest in (
            (),
            ("nothing.png",),
            ("good.png",),
            ("text.txt",),
            ("fifo",),
            (HOSTILE,),
            (f"{LONG}.png",),
            ("/dev/zero",),
            ("good.png", "--scale", "x"),
            ("good.png", "--scale", "3"),
            ("good.png", "--steps", "0"),
            ("good.png", "-o", "no/x.png"),
            ("good.png", "--history", "1"),
            ("--history", "0"),
            ("--history", "99999"),
            ("--history", "1", "--back", "-1"),
        )
    )
    yield from (
        ("evaluate", *rest)
        for rest in (
            (),
            ("nope",),
            (HOSTILE,),
            ("ink-tiny", "--data", "nope"),
            ("ink-tiny", "--data", "scenes:x"),
            ("ink-tiny", "--steps", "x"),
            ("ink-tiny", "--count", "1"),
            ("ink-tiny", "--size", "1"),
            ("ink-tiny", "--sheet", "x.txt"),
            ("ink-tiny", "--sheet", "no/x.png"),
            ("ink-tiny", "--lora", "x"),
        )
    )
    yield from (
        ("build", *rest) for rest in (("--size", "x"), ("--size", "0x0"), ("--engine", "warp"), ("--model", "nope"))
    )
    yield from (
        ("quantize", *rest)
        for rest in (("--samples", "0"), ("--source", "nope"), ("--json", "no/x.json"), ("--config", "nope"))
    )
    yield from (
        ("bench", *rest)
        for rest in (
            ("nope",),
            ("loop", "--frames", "1"),
            ("loop", "--size", "x"),
            ("loop", "--size", "0x0"),
            ("fps", "--engine", "warp"),
            ("fps", "--steps", "x"),
            ("fps", "--size", "x"),
            ("fps", "--cfg-type", "x"),
            ("fps", "--controlnets", "x"),
            ("fps", "--compare", "text.txt"),
            ("fps", "--compare", "no.json"),
            ("fps", "--plot", "no/x.png"),
            ("fps", "--frames", "0"),
            ("fps", "--shape", "nope"),
            ("soak", "--seconds", "1"),
            ("latency", "--strokes", "x"),
            ("scale", "--nope"),
            ("goals", "extra"),
            ("fps", "--set", "x"),
        )
    )


CASES = [*runs(), *settings(), *commands()]
