"""Name the four files of a model of the authors' implementation."""

from pathlib import Path

from ...errors import CheckpointError

KERAS_ROLES = ("labelEncoder", "labelDecoder", "imageEncoder", "denoiser")
KERAS_SUFFIXES = (".hdf5", ".h5")


def keras_files(folder: Path) -> dict[str, Path]:
    """Return the four Keras files of the authors' release in a folder, by the network's role.

    Raises
    ------
    CheckpointError
        One of the four is missing, or there are two of a kind.
    """
    if not folder.is_dir():
        raise CheckpointError(f"There is no folder {str(folder)!r}; give the folder of the four Keras files.")
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in KERAS_SUFFIXES)
    except OSError as error:
        raise CheckpointError(f"{str(folder)!r} cannot be read: {error.strerror or error}.") from error
    found = {role: [p for p in paths if p.name.lower().startswith(role.lower())] for role in KERAS_ROLES}
    missing = [role for role, files in found.items() if not files]
    if missing:
        raise CheckpointError(
            f"The folder {str(folder)!r} lacks {', '.join(f'{role}*.hdf5' for role in missing)}; a model of the LDSeg "
            f"release is four files in one folder: {', '.join(f'{role}*.hdf5' for role in KERAS_ROLES)}."
        )
    twins = [f"{path.name}" for files in found.values() if len(files) > 1 for path in files]
    if twins:
        raise CheckpointError(
            f"The folder {str(folder)!r} holds several files for one network ({', '.join(twins[:6])}); "
            "copy the four that belong together into a folder of their own."
        )
    return {role: files[0] for role, files in found.items()}
