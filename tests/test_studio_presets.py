"""Presets on the studio's page: what a running stream can take, and what needs another start."""

from doubles.studio import Talk, run_config, studio

from inkstream.stream.app.studio.presets import offered
from inkstream.stream.app.studio.settings import changes_of
from inkstream.stream.base.configfile import load_config, presets


def by_name(run):
    return {each.name: each for each in offered(str(run.model), run.stream)}


def test_a_preset_of_this_model_is_taken_and_leaves_what_is_of_who_draws():
    run = load_config("ink-tiny", {"prompt": "a blue boat", "mode": "txt2img", "seed": 5})
    there = by_name(run)
    assert set(there) == set(presets())
    changes = there["ink-tiny"].changes
    assert not {"prompt", "seed", "lora_dict", "device", "acceleration"} & changes.keys()
    changed = run.stream.changed(**changes_of(run.stream, changes))
    assert (changed.mode, changed.t_index_list, changed.prompt, changed.seed) == ("sketch", (0, 13), "a blue boat", 5)


def test_what_needs_another_start_says_why_and_how():
    there = by_name(load_config("ink-tiny"))
    assert (there["sd-turbo"].changes, there["sd-turbo"].why) == ({}, "another model")
    assert there["sd-turbo"].start == "inkstream studio -c sd-turbo"
    there = by_name(load_config("sd15-lcm"))
    assert there["sd15-lcm"].changes and there["inference_lcm"].why == "other controlnets"
    there = by_name(load_config("sd15-lcm", {"use_lcm_lora": False}))
    assert there["sd15-lcm"].why == "another use_lcm_lora"


def test_a_page_applies_what_it_is_offered(tmp_path):
    with studio(tmp_path, run=run_config(mode="txt2img", width=256, height=256)) as server, Talk(server) as page:
        offers = page.hear("offers")
        while not offers["presets"]:
            offers = page.hear("offers")
        mine = next(each for each in offers["presets"] if each["name"] == "ink-tiny")
        page.say(type="set", request=1, changes=mine["changes"])
        while page.hear("settings")["values"]["mode"] != "sketch":
            pass
        page.hear("done", request=1)
