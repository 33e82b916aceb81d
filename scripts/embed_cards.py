"""Copy the cards of the released models (models/NAME/README.md) into their model files.

    python scripts/embed_cards.py

Weights and settings stay the same, bit for bit; the SHA-256 of a file whose card has changed does not.
"""

from pathlib import Path

from napari_ldseg import load_model, save_model


def main() -> None:
    """Write each file whose card is not the README."""
    for path in sorted(Path("models").glob("*/model.safetensors")):
        model = load_model(path, "cpu")
        card = path.with_name("README.md").read_text(encoding="utf-8")
        if model.card != card:
            save_model(model, path, card, dtype="float16")
            print(f"{path}: card replaced")  # noqa: T201


if __name__ == "__main__":
    main()
