"""How far a command has come, as a log sees it."""

from inkstream.stream.base import progress as base


def test_a_log_gets_a_line_after_a_minute_of_silence(monkeypatch, capsys):
    now = [500.0]
    monkeypatch.setattr(base.time, "monotonic", lambda: now[0])
    base.note("begun")
    with base.shown() as progress:
        for seconds, part in ((0, 0.0), (59, 0.2), (60, 0.25), (61, 0.3), (119, 0.5), (121, None)):
            now[0] = 500.0 + seconds
            progress("rendering scenes", part)
        now[0] += 50
        base.note("00:00:00 something else")
        now[0] += 50
        progress("rendering scenes", 0.9)
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()[1:]]
    assert lines == ["rendering scenes, 25%", "rendering scenes", "something else"]
