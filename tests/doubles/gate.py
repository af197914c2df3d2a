"""A page's server before workers of a pretend model, in a process of its own until it is killed:

``python -m doubles.gate RAY HOST PORT FOLDER WORKERS SECONDS``, where a picture takes so many SECONDS.
"""

import sys
import threading
from pathlib import Path

from doubles.cluster import Pretend
from doubles.studio import run_config
from inkstream.stream.app.cluster.config import ClusterConfig
from inkstream.stream.app.cluster.courier import Courier
from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.cluster.rays import Raised, ray_module
from inkstream.stream.app.studio.serve import Server, bound
from inkstream.stream.base.logs import logged


def main(ray, host, port, folder, workers, seconds):
    """Until it is killed."""
    ray_module()
    about = {"address": ray, "workers": int(workers), "fps": 1, "duty": 0.1}
    config, run, place = ClusterConfig.model_validate(about), run_config(), Path(folder)
    courier = Courier(Raised(run, config, place / "kept", make=Pretend(float(seconds))))
    gateway = Gateway(run, courier.links, spare=config.spare, silence=config.silence, end=courier.close)
    places = {"folder": place / "drawings", "kept": place / "kept"}
    with logged(place / f"{port}.jsonl"):
        server = Server(gateway, bound(host, int(port)), hosts={host}, **places)
        server.start()
        gateway.start()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
