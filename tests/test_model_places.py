"""Where a model lies that somebody names, and what is said when nothing does."""

import pytest
from doubles.fuzz import fuzz_examples
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.lora import hub
from inkstream.lora.parts import read_index
from inkstream.lora.places import locate
from inkstream.stream.base.errors import InkstreamError, ModelError


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    def unreachable(repo_id):
        raise ModelError(f"{repo_id}: not on this computer, and the hub cannot be reached")

    monkeypatch.setattr(hub, "cached", lambda repo_id, file=None: None)
    monkeypatch.setattr(hub, "_list", unreachable)


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "models" / "sd15-lcm-mine").mkdir(parents=True)
    (tmp_path / "models" / "dreamshaper.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("./models/sd15-lcm-mien", "./models/sd15-lcm-mine"),
        ("models/dreamshapr.safetensors", "models/dreamshaper.safetensors"),
        ("{here}/models/sd15-lcm_mine", "{here}/models/sd15-lcm-mine"),
        ("modles", "models"),
        ("ink-tny", "ink-tiny"),
        ("sd_turbo", "sd-turbo"),
    ],
)
def test_f12_a_mistyped_folder_or_name_is_named_with_the_nearest(here, name, meant):
    with pytest.raises(ModelError) as refused:
        locate(name.format(here=here))
    assert str(refused.value) == f"{name}: no such folder or file; did you mean '{meant}'?".format(here=here)


def test_f12_a_folder_that_reads_like_a_hub_id_is_looked_for_in_both_places(here):
    with pytest.raises(ModelError) as refused:
        locate("models/sd15-lcm-mien")
    assert str(refused.value) == (
        "models/sd15-lcm-mien: not on this computer, and the hub cannot be reached. "
        "There is no folder models/sd15-lcm-mien either; did you mean 'models/sd15-lcm-mine'?"
    )
    with pytest.raises(ModelError, match=r"cannot be reached$"):
        locate("someone/quite-another")


def test_f12_a_folder_around_or_inside_a_model_says_which_is_meant(folders, tmp_path):
    with pytest.raises(ModelError, match="name one of those in it: control, sd, sd21, sdxl"):
        read_index(folders)
    with pytest.raises(ModelError, match=r"it is a part of .*sd: name that"):
        read_index(folders / "sd" / "unet")
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"name one of the files in it: x\.safetensors"):
        read_index(tmp_path)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300, "x/" * 3000, "~nobody-of-that-name/x", "\ud800"])
def test_names_that_no_file_can_have_are_refused(name):
    with pytest.raises(ModelError):
        locate(name)


@settings(max_examples=fuzz_examples(40))
@given(name=st.text(max_size=40) | st.from_regex(r"[./~\w:-]{1,20}", fullmatch=True))
def test_any_name_is_a_place_or_a_named_error(name):
    try:
        assert locate(name).exists()
    except InkstreamError as error:
        assert len(str(error)) < 1000
