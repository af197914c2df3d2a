"""The render as WebRTC: what a WHEP client and a browser see, who is let in, and what is refused."""

import asyncio
import sys

import httpx2
import numpy as np
import pytest
from doubles.browser import chromium

from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.base.places import Place
from inkstream.stream.sinks import Status, open_sink, webrtc

LIVE = Status(state="live")
SDP = {"Content-Type": "application/sdp"}


def test_without_its_library_and_without_a_port_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiortc", None)
    with pytest.raises(SinkUnavailable, match=r'aiortc cannot be imported .*pip install "inkstream\[webrtc\]"'):
        open_sink("webrtc:0")
    with pytest.raises(ConfigError, match="got no port, expected for example webrtc:8091"):
        open_sink("webrtc:")
    with pytest.raises(ConfigError, match="fps: got 0, expected 1 to 120"):
        open_sink("webrtc:0,fps=0")


@pytest.fixture
def sink():
    pytest.importorskip("aiortc", reason='needs aiortc: pip install "inkstream[webrtc]"')
    made = open_sink("webrtc:0")
    halves = np.full((65, 96, 3), (200, 30, 30), np.uint8)  # an odd side, which codecs do not take
    halves[:, 48:] = (20, 40, 220)
    made.write(Output(halves, 1, 0.0, 1), LIVE)
    with httpx2.Client(base_url=f"http://127.0.0.1:{made.port}", timeout=webrtc.WITHIN) as made.ask:
        yield made
    made.close()
    made.close()


async def look(sink, pictures=5):
    """A WHEP client's last picture, after so many; the link is ended."""
    from aiortc import RTCPeerConnection, RTCSessionDescription

    link, came = RTCPeerConnection(), asyncio.get_running_loop().create_future()
    link.addTransceiver("video", direction="recvonly")
    link.on("track", lambda track: came.done() or came.set_result(track))
    try:
        await link.setLocalDescription(await link.createOffer())
        answer = await asyncio.to_thread(sink.ask.post, "/whep", content=link.localDescription.sdp, headers=SDP)
        assert answer.status_code == 201 and answer.headers["content-type"] == "application/sdp"
        await link.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        track = await came
        for _ in range(pictures):
            frame = await track.recv()
            sink.write(Output(sink.newest[1], 1, 0.0, 1), LIVE)
        assert (await asyncio.to_thread(sink.ask.delete, answer.headers["location"])).status_code == 200
        return frame.to_ndarray(format="rgb24")
    finally:
        await link.close()


def test_a_client_sees_the_newest_picture_and_goes(sink):
    seen = asyncio.run(look(sink))
    assert seen.shape == (64, 96, 3)
    assert abs(seen[32, 20].astype(int) - (200, 30, 30)).max() < 24
    assert abs(seen[32, 80].astype(int) - (20, 40, 220)).max() < 24
    assert not sink._links


@pytest.mark.slow  # a browser of its own; a client is tried above
def test_a_browser_shows_it(sink):
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{sink.port}/")
        page.wait_for_function("document.querySelector('video').videoWidth === 96")


def test_who_is_let_in_and_what_is_refused(sink, monkeypatch):
    assert sink.ask.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert sink.ask.post("/whep", headers={**SDP, "Origin": "http://evil.example"}, content="v=0").status_code == 403
    assert sink.ask.post("/whep", content="v=0", headers={"Content-Type": "text/plain"}).status_code == 415
    assert sink.ask.post("/whep", content="x" * (webrtc.LONGEST + 1), headers=SDP).status_code == 413
    said = sink.ask.post("/whep", content="no SDP at all", headers=SDP)
    assert said.status_code == 422 and "expected SDP" in said.text
    assert sink.ask.get("/no").status_code == sink.ask.post("/no", content="v=0").status_code == 404
    monkeypatch.setattr(webrtc, "MOST", 0)
    said = sink.ask.post("/whep", content="v=0", headers=SDP)
    assert said.status_code == 503 and "--sink mjpeg: takes more" in said.text
    assert not sink._links
    with pytest.raises(ConfigError, match="name another port"):
        webrtc.WebRtcSink(Place("127.0.0.1", sink.port))
