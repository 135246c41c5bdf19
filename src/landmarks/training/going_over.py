"""A training that waits for its pictures goes over to smaller copies of them, where that pays (train.shrunk unset)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from accelerate import Accelerator

from landmarks.data.copies import Copies
from landmarks.data.train_set import TrainSet
from landmarks.errors import UserError
from landmarks.machine import cores, local_processes
from landmarks.processes import Processes
from landmarks.progress import say
from landmarks.store.disk import free_bytes
from landmarks.training.copies_pay import MUCH_WAITING, Figures, pays
from landmarks.training.decided import keep_decided, read_decided
from landmarks.training.shrunk import has_shrunk


class GoingOver:
    """Looks at how long a training waits, decides once, and makes the copies. All processes call its methods at the same steps.

    folder     of the model
    copies     what could be made; None: the settings say which pictures are trained on
    train_set  is given the copies' folder; its loading processes must then be started anew
    """

    def __init__(self, name: str, folder: Path, copies: Copies | None, train_set: TrainSet, accelerator: Accelerator):
        self._name, self._folder, self._train_set, self._accelerator = name, folder, train_set, accelerator
        self._copies = copies if may_pay(accelerator.device) else None
        self._waited = False

    def repeat(self) -> None:
        """Before the first step: what the run decided that began this training."""
        decided = read_decided(self._folder).get("shrunk")
        self._accelerator.wait_for_everyone()  # all have read it before the first process writes
        if self._copies is None or decided is None:
            return
        copies, self._copies = self._copies, None
        if decided:
            self._say("on smaller copies of its pictures, as this training began")
            if not self._are_there(copies):
                if not self._as_first(lambda: self._begins_again(copies)):
                    return
                self._make(copies)
            self._train_set.shrunk = copies.artefact.folder

    def at_line(self, waiting: float, images_per_second: float, left: int) -> bool:
        """After a line of the journal; whether the training goes over. The first long wait may be a hiccup, the second decides.

        waiting            share of the time since the line before that this process waited for pictures
        images_per_second  of all processes
        left               images that are still to be trained on
        Raises UserError or OSError where the copies cannot be written to the end; the same command then goes on without them.
        """
        if self._copies is None:
            return False
        waiting = self._most(waiting)
        waited, self._waited = self._waited, waiting > MUCH_WAITING
        if not (waited and self._waited):
            return False
        copies, self._copies = self._copies, None
        there = self._are_there(copies)
        if not self._as_first(lambda: self._begins(copies, there, waiting, images_per_second, left)):
            self._keep(False)
            return False
        if not there:
            self._make(copies)
        self._keep(True)
        self._train_set.shrunk = copies.artefact.folder
        return True

    def _begins(self, copies: Copies, there: bool, waiting: float, images_per_second: float, left: int) -> bool:
        """On the first process: decides, says why, and begins to make copies where they are not there."""
        try:
            cost = copies.cost(self._train_set)
            if cost is None:
                return False
            pictures = 0 if there else len(copies.ids)
            all_cores = cores() * max(1, self._accelerator.num_processes // local_processes())
            free = free_bytes(copies.run_folder)
            better, why = pays(Figures(waiting, images_per_second, left, pictures, cost, all_cores, free))
            if better and not there:
                copies.begin()
        except (UserError, OSError) as error:  # of a folder that another run is making, or a full disk
            better, why = False, getattr(error, "what", str(error))
        outcome = "smaller copies of its pictures from here on (train.shrunk=false does without)" if better else "its pictures as they are"
        self._say(f"{outcome}: {why}")
        return better

    def _begins_again(self, copies: Copies) -> bool:
        """On the first process: as `_begins`, where that was decided before."""
        try:
            copies.begin()
        except (UserError, OSError) as error:
            self._say(f"its pictures as they are: {getattr(error, 'what', str(error))}")
            return False
        return True

    def _make(self, copies: Copies) -> None:
        """Make them; where they cannot be written to the end, none stays, and the same command trains without them."""
        try:
            copies.make(self._processes)
        except (UserError, OSError):
            shutil.rmtree(copies.artefact.folder, ignore_errors=True)  # the disk may be full: room for the checkpoints, and for this:
            with suppress(UserError, OSError):
                keep_decided(self._folder, "shrunk", False)
            raise

    def _are_there(self, copies: Copies) -> bool:
        return self._as_first(lambda: has_shrunk(copies, self._train_set.settings))

    def _keep(self, shrunk: bool) -> None:
        if self._accelerator.is_main_process:
            keep_decided(self._folder, "shrunk", shrunk)

    def _as_first(self, decide: Callable[[], bool]) -> bool:
        """What the first process decides, for all: others may look at another time, and must do the same."""
        return bool(self._most(float(self._accelerator.is_main_process and decide())))

    def _most(self, number: float) -> float:
        """Of all processes."""
        return float(self._accelerator.gather(torch.tensor([number], device=self._accelerator.device, dtype=torch.float32)).max())

    def _say(self, words: str) -> None:
        if self._accelerator.is_main_process:
            say(f"train {self._name}: {words}")

    @property
    def _processes(self) -> Processes:
        return Processes(self._accelerator.process_index, self._accelerator.num_processes)


def may_pay(device: torch.device) -> bool:
    """Whether pictures can be what a training on this device waits for: on a CPU it is the network."""
    return device.type == "cuda"
