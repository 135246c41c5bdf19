"""Steps that two processes leave out under float16's scaler: the same ones in both, which keep one scale and the same weights."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from toy_training import LANDMARKS, PHOTOS, configure, journal, make_photos, weights

from landmarks.data.sampler import TrainingOrder
from landmarks.stages import train as train_stage
from landmarks.stages.train import train
from landmarks.training import learner, loop
from landmarks.training.step import Broken

PROCESSES = 2
CUT = 6  # of 8 steps: those that the cut run does before it ends
RUNS = {"whole": {}, "parts": {"accumulate": 2}, "cut": {"checkpoint_minutes": 0}}
SCALES = {"whole": 2.0**122, "parts": 2.0**119, "cut": 2.0**122}  # which the first gradients exceed, and the last do not


@pytest.mark.slow
def test_the_same_steps_are_left_out_and_scale_and_weights_stay_equal(tmp_path):
    """The scale begins so high that gradients overflow; later the loss of the second process alone is no number."""
    data = make_photos(tmp_path / "data")
    ids = [row.split(",")[0] for row in (data / "train.csv").read_text().splitlines()[1:]]
    paths = os.pathsep.join([str(Path(loop.__file__).parents[2]), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in RUNS:
        first, second = (json.loads((tmp_path / f"{name}{rank}.json").read_text()) for rank in range(PROCESSES))
        assert len(first) == 8 and first == second
        assert [step["left out"] for step in first] == [False] * 4 + [True] + [False] * 3
        scales = [SCALES[name]] + [step["scale"] for step in first]
        halved = [after == before / 2 for before, after in zip(scales[:-1], scales[1:], strict=True)]
        assert halved[0] and halved[4] and not halved[-1]  # an overflow, the broken loss, a scale that fits
        changed = [before["weights"] != after["weights"] for before, after in zip(first[:-1], first[1:], strict=True)]
        assert changed == [not lower for lower in halved[1:]]
        (left_out,) = [line for line in journal(tmp_path / name) if "left_out" in line]
        assert left_out == {"step": 5, "left_out": [str(ids[row]) for row in of_second(configure(data, name, **RUNS[name]).train)]}
        overflows = sum(line["overflows"] for line in journal(tmp_path / name) if "loss" in line)
        assert overflows == sum(halved) - 1  # the broken loss is none
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def of_second(settings):
    """The rows that the second process computes in the fifth step."""
    return TrainingOrder(np.arange(LANDMARKS * PHOTOS) // PHOTOS, settings, rank=1, world=PROCESSES).rows_of(4, [1])


def two_processes(folder):
    """Train in processes that are forked from this one, as Accelerate starts them; exit code 1 where one fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": PROCESSES, "LOCAL_WORLD_SIZE": PROCESSES, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in range(PROCESSES):
        started.append(os.fork())
        if started[-1] == 0:
            code = 1
            try:
                os.environ |= {name: str(value) for name, value in shared.items()}
                os.environ |= {"ACCELERATE_USE_CPU": "true", "RANK": str(rank), "LOCAL_RANK": str(rank)}
                for name, settings in RUNS.items():
                    one_process(folder, name, rank, settings)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
    sys.exit(int(any([os.waitpid(pid, 0)[1] for pid in started])))


def one_process(folder, name, rank, settings):
    """Train under a scaler; what each step left behind goes to <name><rank>.json."""
    steps, calls, cut = [], [], []
    config = configure(folder / "data", folder / name, on_nonfinite="skip", **settings)
    forward, one_step, start = learner.Learner.forward, loop.one_step, train_stage.start_accelerator

    def forward_or_nan(self, images, *others):
        if rank == 0 or len(steps) != 4 or calls:
            return forward(self, images, *others)
        calls.append(images)  # the first part of the fifth step
        with torch.no_grad():
            self.model.head[1].running_mean.fill_(float("nan"))  # as its activations would do
        return {key: number * float("nan") for key, number in forward(self, images, *others).items()}

    def recorded(wrapped, optimizer, *others):
        if name == "cut" and len(steps) == CUT and not cut:
            cut.append(len(steps))
            raise KeyboardInterrupt
        numbers = one_step(wrapped, optimizer, *others)
        digest = hashlib.sha256(b"".join(tensor.detach().numpy().tobytes() for tensor in wrapped.parameters())).hexdigest()
        steps.append({"left out": isinstance(numbers, Broken), "scale": optimizer.scaler.get_scale(), "weights": digest})
        return numbers

    def start_with_scaler(*arguments, **options):
        accelerator = start(*arguments, **options)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=SCALES[name], growth_interval=1000)
        accelerator.native_amp = True
        return accelerator

    learner.Learner.forward, loop.one_step, train_stage.start_accelerator = forward_or_nan, recorded, start_with_scaler
    Accelerator.mixed_precision = property(lambda self: "fp16")  # it unscales gradients then
    try:
        train(config)
    except KeyboardInterrupt:
        AcceleratorState._reset_state()
        train(config)
    finally:
        learner.Learner.forward, loop.one_step, train_stage.start_accelerator = forward, one_step, start
        AcceleratorState._reset_state()
    (folder / f"{name}{rank}.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    two_processes(Path(sys.argv[1]))
