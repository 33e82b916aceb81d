"""Make the released models ready: cards into the files, models/index.json, and the files to upload.

    python scripts/release_models.py            # cards and index
    python scripts/release_models.py dist/hub   # and what a release of models consists of: NAME.safetensors, index.json

Weights and settings stay the same, bit for bit; the SHA-256 of a file whose card has changed does not. A new model is
refused until TERMS below names its licence. The files are uploaded as the assets of RELEASE; the same folder, on a
stick, is an index for ``napari-ldseg models fetch NAME --from FOLDER``.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from napari_ldseg import load_model, save_model
from napari_ldseg.checkpoints import Index, Offer, read_header

MODELS = Path(__file__).resolve().parents[1] / "models"
RELEASE = "https://github.com/napari-ldseg/napari-ldseg/releases/download/models-0.1/"
# Licence of the weights in a few words, and whether commercial use is allowed. The cards say more.
TERMS = {
    "echo": ("CC BY-NC-SA 4.0 (CAMUS)", False),
    "glas": ("research use (GlaS challenge)", False),
    "glas-small": ("research use (GlaS challenge)", False),
    "hippocampus": ("CC BY-SA 4.0 (Medical Segmentation Decathlon)", True),
    "knee": ("Osteoarthritis Initiative data use terms", False),
}


def main() -> None:
    """Write what has changed."""
    offers = []
    for path in sorted(MODELS.glob("*/model.safetensors")):
        card = path.with_name("README.md").read_text(encoding="utf-8")
        if read_header(path).card != card:
            save_model(load_model(path, "cpu"), path, card, dtype="float16")
            print(f"{path}: card replaced")  # noqa: T201
        offers.append(offer(path))
    index = MODELS / "index.json"
    index.write_text(Index(models=tuple(offers)).model_dump_json(indent=1) + "\n", encoding="utf-8")
    for folder in sys.argv[1:]:
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(index, folder)
        for one in offers:
            shutil.copy(MODELS / one.name / "model.safetensors", Path(folder, f"{one.name}.safetensors"))


def offer(path: Path) -> Offer:
    """Return the line of the index for one model."""
    config, name, raw = read_header(path).config, path.parent.name, path.read_bytes()
    if name not in TERMS:
        sys.exit(f"{name}: say its licence in TERMS of scripts/release_models.py")
    terms, commercial = TERMS[name]
    return Offer(
        name=name,
        title=config.title,
        score=config.score,
        address=f"{RELEASE}{name}.safetensors",
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        license=terms,
        commercial=commercial,
    )


if __name__ == "__main__":
    main()
