"""A few hundred hostile files of every kind; ``python -m benchmarks.robustness.fuzz`` makes more than ten thousand."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ..fuzzing import Attack, make_attacks

NAMES = [
    "safetensors bytes",
    "safetensors header and settings",
    "HDF5 bytes",
    "HDF5 content",
    "PyTorch bytes",
    "PyTorch pickle",
]


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attack]:
    return make_attacks(tmp_path_factory.mktemp("fuzz") / "files")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_hostile_files_load_or_say_why(attacks: dict[str, Attack], name: str) -> None:
    @settings(
        max_examples=20 if "HDF5" in name else 60,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        attacks[name](data)

    run()


def test_every_attack_is_tried(attacks: dict[str, Attack]) -> None:
    assert list(attacks) == NAMES
