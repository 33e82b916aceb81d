"""Server: another computer that segments for this one."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from ..config import ModelConfig, PartConfig, SegmentConfig
from ..data import Image
from ..errors import EngineError, InputError, LDSegError
from ..inference import Segmentation, SegmentProgress
from ..plan import Plan, plan_image
from ..prompts import Prompt
from ._http import OLD, Connection, GoneError, address_of, error_of
from ._order import order_of
from ._result import result_of
from ._token import find_token
from ._upload import send
from ._wire import WIRE, pack, unpack

# Seconds that the server holds a question for news; Cancel acts after that at the latest.
HELD = 1
# Seconds that are given to saying that a run is not wanted any more.
PARTING = 1.0


@dataclass(frozen=True)
class RemoteModel:
    """One model of a server.

    Attributes
    ----------
    name, title, score, terms, card : str
        As of a model of one's own.
    sha256 : str
        Hash of its file.
    config : ModelConfig
    """

    name: str
    title: str
    score: str
    terms: str
    card: str
    sha256: str
    config: ModelConfig


class Server:
    """Another computer that runs ``napari-ldseg serve``. Needs the extra ``client``, and no torch.

    Only the pixels of the part that is segmented leave this computer, with shape, axes, pixel size, place in the
    patient, settings and prompts; names, headers and paths do not.

    Parameters
    ----------
    address : str
        For example ``"http://workstation:8765"``.
    token : str, optional
        By default that of the environment variable ``NAPARI_LDSEG_TOKEN``, or of the system's keyring.

    Raises
    ------
    InputError
        The address is none, or the extra is not installed.

    Examples
    --------
    >>> from napari_ldseg import SegmentConfig, Server
    >>> from napari_ldseg.phantoms import colon_gland
    >>> server = Server("http://127.0.0.1:8765")  # doctest: +SKIP
    >>> *_, last = server.segment("glas", colon_gland(), SegmentConfig(samples=4))  # doctest: +SKIP
    >>> last.preview.sd.max()  # doctest: +SKIP
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address_of(address)
        self._connection = Connection(self.address, token or find_token(self.address))
        self._models: dict[str, RemoteModel] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def about(self) -> dict[str, Any]:
        """Return version, limits and the length of the queue.

        Raises
        ------
        LDSegError
            The server refuses the token, does not answer, or is of another version.
        """
        said = self._connection.json("GET", "about")
        if not isinstance(said, dict) or said.get("wire") != WIRE:
            raise EngineError(f"The server at {self.address} {OLD}.")
        return said

    def models(self) -> list[RemoteModel]:
        """Return the server's models with their cards.

        Raises
        ------
        LDSegError
            As :meth:`about`.
        """
        self.about()
        try:
            listed = [_model(one) for one in self._connection.json("GET", "models")]
        except (KeyError, TypeError, InputError) as error:
            raise EngineError(f"The server at {self.address} {OLD}.") from error
        self._models = {one.name: one for one in listed}
        return listed

    def model(self, name: str) -> RemoteModel:
        """Return one model of the server.

        Raises
        ------
        InputError
            It has none of this name.
        """
        if self._models is None or name not in self._models:
            self.models()
        assert self._models is not None
        if name not in self._models:
            known = ", ".join(self._models) or "none"
            raise InputError(f"The server at {self.address} has no model {name!r}; it has {known}.")
        return self._models[name]

    def segment(
        self,
        model: str | RemoteModel,
        image: Image | Plan,
        config: SegmentConfig | None = None,
        *,
        part: PartConfig | None = None,
        prompts: Sequence[Prompt] = (),
    ) -> Generator[SegmentProgress, None, Segmentation]:
        """Segment an image on the server; see :func:`napari_ldseg.segment`.

        Parameters
        ----------
        model : str or RemoteModel
            One of the server's models.
        image, config, part, prompts
            As there. ``config.device`` is one of the server.

        Yields
        ------
        SegmentProgress
            While the image is sent and the run waits for its turn, too; then that of the engine. The last one has the
            result as its preview. Closing the generator cancels.

        Returns
        -------
        Segmentation
            The arrays are those that the engine gives on the server's device, bit for bit.

        Raises
        ------
        InputError
            The image does not fit the model or the server's limits, or the token is wrong.
        EngineError
            The computation fails, or the server does not answer.
        """
        known = self.model(model) if isinstance(model, str) else model
        plan = image if isinstance(image, Plan) else plan_image(image, known.config, config, part, prompts)
        if plan.model != known.config:
            raise InputError(f"The image was planned for {plan.model.name!r}, which is another model; plan it again.")
        if plan.on_disk:
            raise InputError(
                f"{plan.image.name!r} is too large for a server: its result does not fit into memory; take a region or "
                "some frames of it."
            )
        yield SegmentProgress(text="Reading the image")
        plan = plan.loaded()
        sent = yield from send(self._connection, plan.image.array, plan.image.name)
        order, maps = order_of(plan, known.name, sent)
        with self._ordered(pack(order.model_dump(mode="json"), maps)) as run:
            return (yield from self._follow(run, plan))

    @contextmanager
    def _ordered(self, packed: bytes) -> Iterator[str]:
        """Order a run; at the end say that it is not wanted any more."""
        run = str(self._connection.json("POST", "runs", body=packed)["run"])
        try:
            yield run
        finally:
            with suppress(LDSegError):  # it notices by itself
                self._connection.ask("DELETE", f"runs/{run}", patience=PARTING)

    def _follow(self, run: str, plan: Plan) -> Generator[SegmentProgress, None, Segmentation]:
        """Yield what a run does, until its result is here."""
        version, shown = -1, 0
        while True:
            news = self._connection.json("GET", f"runs/{run}", query={"after": version, "wait": HELD})
            version, state = int(news["version"]), news["state"]
            if state in ("failed", "stopped"):
                error = news["error"] or {"kind": "EngineError", "message": "The run was stopped."}
                raise error_of(error["kind"], error["message"], self.address)
            if state == "done":
                result = self._result(run, "result", plan)
                # A short run ends between two questions: this is then its only news.
                yield SegmentProgress(news["done"], news["total"], news["text"], result)
                return result
            preview = None
            if news["preview"] > shown:
                preview = self._preview(run, plan)
                shown = news["preview"] if preview is not None else shown
            text = f"Waiting, place {news['place']} in the queue" if state == "waiting" else news["text"]
            yield SegmentProgress(news["done"], news["total"], text, preview)

    def _preview(self, run: str, plan: Plan) -> Segmentation | None:
        try:
            return self._result(run, "preview", plan)
        except GoneError:  # the run has ended since
            return None

    def _result(self, run: str, kind: str, plan: Plan) -> Segmentation:
        try:
            values, maps = unpack(self._connection.fetch(f"runs/{run}/{kind}"))
        except InputError as error:
            raise EngineError(f"The result of the server at {self.address} arrived damaged; run this again.") from error
        return result_of(plan, values, maps, self.address)


def _model(said: Any) -> RemoteModel:
    texts = {name: str(said[name]) for name in ("name", "title", "score", "terms", "card", "sha256")}
    return RemoteModel(**texts, config=ModelConfig.parse(said["config"]))
