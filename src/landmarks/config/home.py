"""Where the shipped configurations are, and what their relative paths are relative to."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from landmarks.config.base import expanded
from landmarks.errors import UserError

_PACKAGE = Path(__file__).parents[1]


def checkout() -> Path | None:
    """The folder of the checkout that this package is run from; None where it is installed."""
    folder = _PACKAGE.parents[1]
    return folder if (folder / "configs").is_dir() and (folder / "run.sh").is_file() else None


def shipped_configurations() -> Path:
    """The folder of the configurations that come with the project: configs/ of the checkout, or its copy in the installed package."""
    folder = checkout()
    return folder / "configs" if folder is not None else _PACKAGE / "configs"


def anchored(path: Path, folder: Path) -> Path:
    """`path`, taken relative to `folder`; as it is where it is absolute or the folder is the current one."""
    path = expanded(path)
    return path if path.is_absolute() or folder.absolute() == Path.cwd() else folder / path


def home() -> Path:
    """What paths of shipped configurations, and the defaults, are relative to: the checkout, or the current folder."""
    return checkout() or Path.cwd()


def find_configuration(typed: Path | str) -> Path:
    """The file that is meant: as typed, relative to the current folder, or one that is shipped (configs/photos.yaml, photos).

    Raises UserError, with the nearest shipped name, where there is none.
    """
    path = expanded(Path(typed))
    if path.is_file():
        return path
    shipped = {file.stem: file for file in sorted(shipped_configurations().glob("*.yaml"))}
    if path.parent in (Path("configs"), Path(".")) and path.suffix in ("", ".yaml") and path.stem in shipped:
        return anchored(Path("configs") / f"{path.stem}.yaml", home()) if checkout() else shipped[path.stem]
    guess = get_close_matches(path.stem, shipped, n=1, cutoff=0.5)
    names = ", ".join(f"configs/{name}.yaml" for name in shipped)
    what = "is a folder" if path.is_dir() else "No such file or directory"
    raise UserError(
        f"cannot read the configuration: {what}",
        where=path,
        next=f"--config configs/{guess[0]}.yaml" if guess else f"--config with a file of yours, or one of {names}",
    )
