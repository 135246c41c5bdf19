"""adopt: take changed files of a finished folder as they are, arrays of one's own say; what depends on them is then made again."""

from __future__ import annotations

from pathlib import Path

from landmarks.command import next_command
from landmarks.config import Config
from landmarks.errors import UserError
from landmarks.progress import say
from landmarks.store.adopt import adopt as adopt_files
from landmarks.store.artefact import maker


def adopt(config: Config, folder: str | None = None) -> None:
    """Bring the manifest of `folder` up to date with its files. Raises UserError where it is no finished folder of a run."""
    if folder is None:
        raise UserError("adopt what?", where="the command line", next=next_command("adopt", f"{config.run.folder}/descriptors/MODEL/index"))
    changed = adopt_files(Path(folder))
    if changed:
        say(f"adopted: {', '.join(changed[:10])}{f' and {len(changed) - 10} more' if len(changed) > 10 else ''}")
        again = ["run.overwrite=true"] if maker(Path(folder)) == "train" else []  # descriptors take long: they are made again only if asked
        say(f"next: {next_command('run', *again)}  (makes again what was made from them)")
    else:
        say(f"{folder} is as it was finished: nothing to adopt")
