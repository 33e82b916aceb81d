"""The client against a server in a thread: what it returns is what a local run returns, bit for bit."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..._util import follow
from ...checkpoints import load_model, save_model
from ...config import PartConfig, SegmentConfig
from ...data import Image
from ...errors import EngineError, InputError
from ...inference import Segmentation, SegmentProgress, segment
from ...plan import plan_image
from ...prompts import box, labels, line, point, polygon
from ...remote import Server
from ..builders import make_ramp, make_tiny_config, make_tiny_model
from ..serving import Served, serving

QUICK = SegmentConfig(samples=3, steps=2, device="cpu")


@pytest.fixture
def served(user_models: Path) -> Iterator[Served]:
    """A server with the tiny models in two and three dimensions."""
    for ndim in (2, 3):
        save_model(make_tiny_model(ndim), user_models / f"tiny{ndim}" / "model.safetensors", f"# Tiny {ndim}\n")
    with serving() as one:
        yield one


@pytest.fixture
def server(served: Served) -> Iterator[Server]:
    with Server(served.address) as one:
        yield one


def ran(server: Server, *arguments: Any, **more: Any) -> tuple[Segmentation, list[SegmentProgress]]:
    seen: list[SegmentProgress] = []
    return follow(server.segment(*arguments, **more), seen.append), seen


def assert_same(remote: Segmentation, local: Segmentation) -> None:
    for name in ("labels", "mean", "sd", "sizes", "probability", "highest"):
        one, other = getattr(remote, name), getattr(local, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    assert (remote.masks is None) == (local.masks is None)
    if remote.masks is not None and local.masks is not None:
        assert np.array_equal(remote.masks.array, local.masks.array)
        assert remote.masks.shape == local.masks.shape
    for name in ("axes", "spacing", "unit", "class_names", "class_colors", "samples", "geometry"):
        assert getattr(remote, name) == getattr(local, name), name
    own = ("seconds", "date", "server")
    assert {k: v for k, v in remote.provenance.items() if k not in own} == {
        k: v for k, v in local.provenance.items() if k not in own
    }


CASES = {
    "rgb": (2, Image(make_ramp((40, 48, 3)), "yxc", (0.5, 0.5), "micrometer", "cell"), PartConfig(), ()),
    "16 bit frames": (2, Image(make_ramp((3, 40, 48), np.uint16) * 7, "tyx"), PartConfig(frames="1:3"), ()),
    "big-endian float": (2, Image(make_ramp((40, 48)).astype(">f4") / 251 - 0.2, "yx"), PartConfig(), ()),
    "volume": (3, Image(make_ramp((3, 16, 20, 18)), "czyx", (2.0, 1.0, 1.0), "millimeter"), PartConfig(), ()),
    "region": (
        2,
        Image(make_ramp((90, 80, 3)), "yxc"),
        PartConfig(region="20:70,10:60"),
        (box((30, 20), (40, 30), 1),),
    ),
    "prompts": (
        2,
        Image(make_ramp((2, 40, 48, 3)), "tyxc"),
        PartConfig(),
        (
            point((0, 10, 12), "foreground"),
            line([(1, 3, 3), (1, 20, 30)], 0, 2.0),
            polygon([[(0, 20, 20), (0, 20, 35), (0, 35, 35)]], 1),
            labels(np.where(make_ramp((2, 40, 48)) > 240, 1, 255)),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_result_is_that_of_a_local_run(server: Server, case: str) -> None:
    ndim, image, part, prompts = CASES[case]
    config = QUICK if case != "region" else QUICK.replace(tiles="always", tile=32, overlap=8)
    given: dict[str, Any] = {"part": part, "prompts": prompts}
    remote, seen = ran(server, f"tiny{ndim}", image, config, **given)
    model = load_model(f"tiny{ndim}", "cpu")
    assert_same(remote, follow(segment(model, image, config, **given)))
    assert remote.provenance["server"] == server.address
    assert seen[-1].preview is not None
    assert np.array_equal(seen[-1].preview.labels, remote.labels)


def test_a_region_of_a_pyramid_is_scaled_by_its_coarsest_level(server: Server) -> None:
    """Of a pyramid only the region of one level crosses; its intensities come from another one, here a brighter one."""
    pixels = make_ramp((160, 160), np.uint16) * 3
    coarse = Image(pixels[::2, ::2] + np.uint16(3000), "yx", (2.0, 2.0), "micrometer")
    image = Image(pixels, "yx", (1.0, 1.0), "micrometer", levels=(coarse,))
    config, part = QUICK.replace(tiles="always", tile=32, overlap=8), PartConfig(region="8:72,16:80")
    remote, _ = ran(server, "tiny2", image, config, part=part)
    assert_same(remote, follow(segment(load_model("tiny2", "cpu"), image, config, part=part)))
    plan = plan_image(image, make_tiny_config(), config, part)
    assert plan.intensities is not None
    assert plan.intensities.high == 4095


def test_a_run_that_ends_between_two_questions_is_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last progress has the result as its preview."""
    monkeypatch.setattr("napari_ldseg.remote._server.HELD", 0)
    ask = server._connection.json

    def late(method: str, path: str, **what: Any) -> Any:
        if method == "GET" and path.startswith("runs/"):
            time.sleep(1.5)
        return ask(method, path, **what)

    ran(server, "tiny2", Image(make_ramp((32, 32, 3)), "yxc"), QUICK)
    monkeypatch.setattr(server._connection, "json", late)
    result, seen = ran(server, "tiny2", Image(make_ramp((32, 32, 3)), "yxc"), QUICK.replace(samples=1, steps=1))
    previews = [one.preview for one in seen if one.preview is not None]
    assert len(previews) == 1
    assert previews[0] is result


def test_models_are_listed_with_cards(server: Server) -> None:
    known = {one.name: one for one in server.models()}
    assert {"tiny2", "tiny3"} <= known.keys()
    assert known["tiny3"].card == "# Tiny 3\n"
    assert known["tiny3"].config == make_tiny_config(3)
    assert known["tiny2"].sha256 == load_model("tiny2", "cpu").sha256
    with pytest.raises(InputError, match=r"no model 'tiny4'; it has .*tiny2, tiny3"):
        server.model("tiny4")


def test_an_image_is_sent_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    ask = server._connection.ask

    def counted(method: str, path: str, **what: Any) -> Any:
        sent.append(method)
        return ask(method, path, **what)

    monkeypatch.setattr(server._connection, "ask", counted)
    image = Image(make_ramp((1500, 1500, 3)), "yxc")
    config = QUICK.replace(samples=1, steps=1)
    ran(server, "tiny2", image, config, part=PartConfig(region="0:1500,0:1500"))
    assert sent.count("PUT") == 2  # 6.75 MB in pieces of 4 MiB
    ran(server, "tiny2", image.replace(name="another name"), config.replace(seed=1))
    assert sent.count("PUT") == 2
    ran(server, "tiny2", image, config, part=PartConfig(region="0:40,0:40"))
    assert sent.count("PUT") == 3


def test_cancel_stops_the_run_and_the_next_one_begins(server: Server) -> None:
    image = Image(make_ramp((64, 64, 3)), "yxc")
    endless = server.segment("tiny2", image, QUICK.replace(samples=10_000, steps=1000, batch=1))
    for progress in endless:
        if progress.preview is not None:
            break
    endless.close()
    result, _ = ran(server, "tiny2", image, QUICK)
    assert result.samples == 3
    assert server.about()["waiting"] == 0


def test_faults_of_an_order_come_in_words(server: Server) -> None:
    flat = Image(make_ramp((40, 40, 3)), "yxc")
    with pytest.raises(InputError, match="choose a 2D model"):
        ran(server, "tiny3", flat, QUICK)
    with pytest.raises(InputError, match="only integers, booleans and floats"):
        ran(server, "tiny2", Image(np.zeros((40, 40), complex), "yx"), QUICK)
    with pytest.raises(InputError, match=r"server at http://127.0.0.1:\d+ says: .*has no finite pixel"):
        ran(server, "tiny2", Image(np.full((40, 40), np.nan), "yx"), QUICK)
    plan = plan_image(flat, make_tiny_config(2, decoder_widths=(8, 16)), QUICK)
    with pytest.raises(InputError, match="another model; plan it again"):
        ran(server, "tiny2", plan)


@pytest.mark.parametrize("address", ["", "ftp://a", "http://", "http://a:b@c", "a b", "http://a:99999", "http://a?b=c"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a server"):
        Server(address)


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ldseg.remote._http.PATIENCE", 0.2)
    with Server("127.0.0.1:9") as nobody, pytest.raises(EngineError, match=r"does not answer .*check that it runs"):
        nobody.models()


def test_the_client_needs_no_torch(served: Served, tmp_path: Path) -> None:
    """In a fresh interpreter, where importing torch fails."""
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np
from napari_ldseg import Image, SegmentConfig, Server
with Server({served.address!r}) as server:
    *_, last = server.segment("tiny2", Image(np.zeros((40, 40), np.uint8), "yx"), SegmentConfig(samples=2, steps=2))
print(last.preview.labels.shape, any(name.startswith("torch.") for name in sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == "(40, 40) False\n", said.stderr
