"""The released models: prompts and trust were added to their files, and changed no weight that was there before.

Without prompts, and with ``guess_weight=0``, they give what they gave: the digests are those of the files before.
"""

import hashlib
from pathlib import Path

import pytest
from safetensors import safe_open

from ...checkpoints import load_model, read_header

MODELS = Path(__file__).parents[4] / "models"
BEFORE = {
    "glas": "a0f9fd05f9001a4d4ba84e3674971b4802f7770c4fef9a91ef7fd9ab18a9ebcf",
    "glas-small": "4d196274033c873d038628a6a16d9303fb3c51fcb97b66456de5643213d7d97c",
    "hippocampus": "43aec54b4de03054c9a597d0bc6373af4fd89721b74dea09cb67becf15a3d134",
    "knee": "99f43c3be8f783a20e517bb2785cf85fa96601dcb09fdb9cb9a4a45c1b08709b",
}
# Those that take prompts, and what the files say of the map.
STEERED = ("echo", "glas", "glas-small")
TRUSTED: dict[str, tuple[float, tuple[float, ...]]] = {
    "echo": (0.5, ()),
    "glas": (0.7, (0.7, 1.4)),
    "hippocampus": (0.5, ()),
}

pytestmark = pytest.mark.skipif(not (MODELS / "index.json").is_file(), reason="needs the models of a checkout")


def digest(path: Path) -> str:
    """SHA-256 of names and bytes of all weights but the prompt encoder's."""
    found = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            if not name.startswith("prompt_encoder."):
                found.update(name.encode())
                found.update(file.get_tensor(name).tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", BEFORE)
def test_prompts_left_all_other_weights_as_they_were(name: str) -> None:
    assert digest(MODELS / name / "model.safetensors") == BEFORE[name]


@pytest.mark.parametrize("name", TRUSTED)
def test_models_say_how_far_to_trust_the_guess(name: str) -> None:
    trust = read_header(MODELS / name / "model.safetensors").config.trust
    assert (trust.guess_weight, trust.guess_scales) == TRUSTED[name]


@pytest.mark.parametrize("name", STEERED)
def test_models_take_prompts(name: str) -> None:
    encoder = load_model(MODELS / name / "model.safetensors", "cpu").prompt_encoder
    assert encoder is not None
    assert all(weight.isfinite().all() for weight in encoder.parameters())
    assert encoder.out.weight.abs().max() > 0
