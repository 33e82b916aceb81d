"""Sessions: what was said is true, the rest holds still, and what was drawn is not drawn again."""

from collections.abc import Iterator

import numpy as np
import pytest
from torch import Tensor

from ..._util import follow
from ...config import PartConfig, SegmentConfig
from ...data import Image
from ...errors import InputError
from ...inference import Segmentation, Session, segment
from ...measure import most_settling
from ...networks import LDSeg
from ...prompts import box, point
from ..builders import make_tiny_model, mean_of

CONFIG = SegmentConfig(samples=10, seed=3, steps=2, device="cpu", precision="float32")


@pytest.fixture(params=[2, 3], ids=["2d", "3d"])
def told_model(request: pytest.FixtureRequest) -> LDSeg:
    return make_tiny_model(request.param, prompt_widths=(4, 8))


def an_image(ndim: int, *lead: int, side: int = 0) -> Image:
    side = side or {2: 32, 3: 16}[ndim]
    array = np.random.default_rng(0).integers(0, 255, (*lead, *(side,) * ndim, 3), np.uint8)
    return Image(array, "t" * len(lead) + "zyx"[-ndim:] + "c", name="noise")


def drawn(session: Session) -> Segmentation:
    return follow(session.draw())


def copied(result: Segmentation) -> tuple[np.ndarray, ...]:
    return result.labels.copy(), mean_of(result).copy(), result.sd.copy(), result.sizes.copy()


def test_a_session_draws_what_segment_draws(told_model: LDSeg) -> None:
    image = an_image(told_model.config.network.ndim)
    plain = follow(segment(told_model, image, CONFIG))
    ours = drawn(Session(told_model, image, CONFIG))
    np.testing.assert_allclose(mean_of(ours), mean_of(plain), atol=1e-5)
    np.testing.assert_allclose(ours.sd, plain.sd, atol=1e-5)
    said = [point((9,) * told_model.config.network.ndim, 1)]
    plain = follow(segment(told_model, image, CONFIG, prompts=said))
    session = Session(told_model, image, CONFIG)
    drawn(session)
    session.add(*said)
    ours = drawn(session)
    np.testing.assert_allclose(mean_of(ours), mean_of(plain), atol=1e-5)
    np.testing.assert_allclose(ours.sizes, plain.sizes, rtol=1e-5)
    assert ours.provenance["prompts"] == [{"kind": "point", "class": 1, "places": [[[9.0] * (image.array.ndim - 1)]]}]


def test_what_was_said_is_true_and_moves_the_rest(told_model: LDSeg) -> None:
    ndim = told_model.config.network.ndim
    session = Session(told_model, an_image(ndim), CONFIG)
    _, mean, _, _ = copied(drawn(session))
    for label in (0, 1):
        session.add_box((4,) * ndim, (7,) * ndim, label)
        result = drawn(session)
        inside = (slice(4, 8),) * ndim
        assert (result.labels[inside] == label).all()
        assert (result.sd[inside] == 0).all()
        assert (mean_of(result)[label, *inside] == 1).all()
        assert result.masks is not None
        assert (result.masks.at(())[:, *inside] == label).all()
        outside = mean_of(result).copy()
        outside[:, *inside] = mean[:, *inside]
        assert np.abs(outside - mean).max() > 1e-4  # the model listens


def test_undo_brings_the_picture_back_bit_by_bit(told_model: LDSeg) -> None:
    ndim = told_model.config.network.ndim
    session = Session(told_model, an_image(ndim), CONFIG)
    before = copied(drawn(session))
    session.add_point((5,) * ndim, "foreground")
    after = copied(drawn(session))
    assert session.undo()
    for a, b in zip(copied(drawn(session)), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert session.redo()
    for a, b in zip(copied(drawn(session)), after, strict=True):
        np.testing.assert_array_equal(a, b)
    session.clear()
    assert session.prompts == ()
    assert session.undo()
    assert len(session.prompts) == 1
    assert not session.redo() or session.prompts == ()


def test_only_the_frames_that_a_prompt_touches_are_drawn_again() -> None:
    model = make_tiny_model(2, prompt_widths=(4, 8))
    session = Session(model, an_image(2, 3), CONFIG)
    before = copied(drawn(session))
    session.add_point((1, 9, 9), 1)
    updates = list(session.draw())
    assert {update.text.partition(":")[0] for update in updates} == {"Frame 2 of 3"}
    assert updates[-1].preview is not None
    for index in (0, 2):
        np.testing.assert_array_equal(mean_of(updates[-1].preview)[index], before[1][index])
    assert updates[-1].preview.labels[1, 9, 9] == 1
    assert not list(session.draw())  # nothing else was said


def test_only_the_tiles_that_a_prompt_touches_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny_model(2, prompt_widths=(4, 8))
    config = CONFIG.replace(tiles="always", tile=32, overlap=8)
    image = an_image(2, side=128)
    session = Session(model, image, config)
    before = copied(drawn(session))
    plain = follow(segment(model, image, config))
    np.testing.assert_allclose(before[1], mean_of(plain), atol=1e-5)
    np.testing.assert_allclose(before[3], plain.sizes, rtol=0.05)  # seams of pieces count half
    calls: list[int] = []

    def predict(latent: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        calls.append(len(latent))
        return LDSeg.predict(model, latent, t, condition)

    monkeypatch.setattr(model, "predict", predict)
    session.add_point((4, 4), 1, 2)
    result = drawn(session)
    assert sum(calls) == 10 * 2  # samples times steps of the one tile in this corner
    assert result.labels[4, 4] == 1
    np.testing.assert_array_equal(mean_of(result)[:, 64:], before[1][:, 64:])
    plain = follow(segment(model, image, config, prompts=session.prompts))
    np.testing.assert_allclose(mean_of(result), mean_of(plain), atol=1e-5)


def test_first_pictures_move_only_where_somebody_spoke() -> None:
    model = make_tiny_model(2, prompt_widths=(4, 8))
    session = Session(model, an_image(2), CONFIG)
    before = copied(drawn(session))
    session.add_point((5, 5), 1, 0)
    shown = [update.preview for update in session.draw() if update.preview is not None][:1]
    assert shown[0].sd.max() > 0  # although one sample was drawn
    session.undo()
    follow(session.draw())
    # a model that is not told anything changes nothing but the said pixel, at any number of samples
    deaf = make_tiny_model(2)
    session = Session(deaf, an_image(2), CONFIG)
    before = copied(drawn(session))
    session.add_point((5, 5), 1, 0)
    for update in session.draw():
        if update.preview is not None:
            changed = np.abs(mean_of(update.preview) - before[1]).max(axis=0) > 1e-5
            assert changed.sum() <= 1
    assert "fine-tune tiny-2d --learn prompts" in session.warnings()[-1]


def test_a_draw_that_was_stopped_is_made_up_for() -> None:
    model = make_tiny_model(2, prompt_widths=(4, 8))
    whole, stopped = Session(model, an_image(2), CONFIG), Session(model, an_image(2), CONFIG)
    for session in (whole, stopped):
        drawn(session)
        session.add_point((5, 5), 1)
    updates: Iterator[object] = stopped.draw()
    next(updates)
    updates.close()  # type: ignore[attr-defined]
    stopped.add_point((20, 20), 0)
    whole.add_point((20, 20), 0)
    np.testing.assert_array_equal(mean_of(drawn(stopped)), mean_of(drawn(whole)))


def test_bad_prompts_change_nothing() -> None:
    session = Session(make_tiny_model(2, prompt_widths=(4, 8)), an_image(2), CONFIG)
    session.add_point((5, 5), 1)
    for position, label in (((99, 5), 1), ((5, 5), 4)):
        with pytest.raises(InputError):
            session.add_point(position, label)
    assert len(session.prompts) == 1
    with pytest.raises(InputError, match="another image"):
        session.add_labels(np.zeros((31, 32), int))


def test_thousands_of_prompts() -> None:
    session = Session(make_tiny_model(2, prompt_widths=(4, 8)), an_image(2), CONFIG)
    places = np.random.default_rng(0).integers(0, 32, (3000, 2))
    session.add(*(point(place, int(sum(place)) % 2, 0) for place in places))
    result = drawn(session)
    assert (result.labels[tuple(places.T)] == places.sum(axis=1) % 2).all()


def test_prompts_of_a_region_lie_where_the_image_says() -> None:
    model = make_tiny_model(2, prompt_widths=(4, 8))
    image = an_image(2, 4, side=64)
    part = PartConfig(frames="2", region="16:48,32:64")
    result = follow(segment(model, image, CONFIG, part=part, prompts=[box((2, 20, 40), (2, 22, 41), 1)]))
    assert (result.labels[4:7, 8:10] == 1).all()
    assert (result.sd[4:7, 8:10] == 0).all()
    assert result.sd[0, 0] > 0


def test_a_suggestion_is_asked_where_the_samples_part() -> None:
    """Sixteen samples: a large square is there in half of them, a small one in half of them, independently."""
    masks = np.zeros((16, 40, 40), np.uint8)
    masks[:8, 5:20, 5:20] = 1
    masks[::2, 30:33, 30:33] = 1
    question = most_settling(masks, 2, reach=100)
    assert question is not None
    y, x = question.place
    assert 5 <= y < 20
    assert 5 <= x < 20
    assert (question.label, question.other, question.probability) == (1, 0, 0.5)
    # an answer takes away all variance of the large square, 225 of 234 pixels, and nothing of the small one
    assert 225 / 234 - 0.02 < question.share <= 1
    assert most_settling(masks[:3], 2, 100) is None
    assert most_settling(np.zeros((16, 40, 40), np.uint8), 2, 100) is None


def test_a_session_suggests_a_place_of_the_image() -> None:
    session = Session(make_tiny_model(2, prompt_widths=(4, 8)), an_image(2, 2, side=64), CONFIG)
    assert session.suggest() is None  # nothing is drawn
    drawn(session)
    found = session.suggest(frame=(1,))
    if found is not None:
        assert found.position[0] == 1
        session.add_point(found.position, found.label)
        assert drawn(session).labels[tuple(round(p) for p in found.position)] == found.label


def test_what_does_not_fit_into_memory_is_refused() -> None:
    image = Image(np.broadcast_to(np.zeros(3, np.uint8), (30_000, 30_000, 3)), "yxc", name="slide")
    model = make_tiny_model(2, prompt_widths=(4, 8))
    with pytest.raises(InputError, match="take a region"):
        Session(model, image, CONFIG.replace(tiles="always"))
