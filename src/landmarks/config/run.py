"""Where a run is kept, and the processors and machines that work on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from landmarks.config.base import Settings, UserPath


class RunSettings(Settings):
    folder: UserPath = Field(Path("outputs/gldv2"), description="everything that is made goes here")
    ledger: UserPath | None = Field(None, description="every evaluation adds its lines to this file; unset: results.csv beside run.folder")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: every GPU there is, else the CPU")
    processes: int = Field(
        0, ge=0, description="processes on each machine that share train, extract, clean, search and verification; 0 = one a GPU, or one"
    )
    machines: int = Field(1, ge=1, description="machines that share those stages over one folder; the command is typed on each of them")
    machine: int = Field(0, ge=0, description="which of them this is: 0, the one at run.address, to run.machines - 1")
    address: str | None = Field(None, description="host:port of machine 0, a port that the others can reach; needed with run.machines")
    overwrite: bool = Field(False, description="allow a model or descriptors made with other settings to be replaced")

    @model_validator(mode="after")
    def _machines_find_each_other(self):
        if self.machine >= self.machines:
            raise ValueError(f"run.machine={self.machine} of run.machines={self.machines}: they are numbered from 0")
        if self.machines > 1 and not re.fullmatch(r"[^\s:]+:\d{1,5}", self.address or ""):
            raise ValueError("run.machines > 1 needs run.address=HOST:PORT of machine 0, such as run.address=node0:29500")
        return self
