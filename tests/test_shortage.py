import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from landmarks.cuda import is_out_of_memory
from landmarks.errors import UserError
from landmarks.lifeline import start_loader_process
from landmarks.shortage import ended_from_outside, shortages_named


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("CUDA out of memory"), False),
    ],
)
def test_whichever_library_finds_a_gpu_s_memory_too_small(error, out):
    assert is_out_of_memory(error) == out
    if out:
        with pytest.raises(UserError, match="(?s)the GPU's memory is not enough.*run.device=cpu"), shortages_named():
            raise error


def test_the_machine_s_own_memory():
    with pytest.raises(UserError, match="(?s)this machine's memory is not enough.*allocate.*doctor"), shortages_named():
        np.empty(1 << 60, np.uint8)
    with pytest.raises(UserError, match="(?s)this machine's memory is not enough.*allocate.*doctor"), shortages_named():
        torch.empty(1 << 60, dtype=torch.uint8)


def test_too_few_open_files():
    with pytest.raises(UserError, match="(?s)too few open files.*ulimit -n"), shortages_named():
        raise RuntimeError("Too many open files. Communication with the workers is no longer possible.")


def test_other_errors_stay_what_they_are():
    for error in (RuntimeError("size mismatch"), ValueError("no"), KeyError("x")):
        with pytest.raises(type(error)) as caught, shortages_named():
            raise error
        assert caught.value is error


@pytest.mark.parametrize("code", [-9, 137, -7, 135, -15, 143, 130])
def test_a_process_that_somebody_ended(code):
    error = ended_from_outside("the third", code, "fewer")
    assert str(error).startswith(f"the third was ended by the signal {signal.strsignal(code - 128 if code > 0 else -code)}")
    assert ("shm-size" in error.next) == (code in (-7, 135)) and ("with fewer where" in error.next) == (code not in (-7, 135))


@pytest.mark.parametrize("code", [0, 1, 2, 3, -11, 139, 134, 255])
def test_a_process_that_ended_by_itself(code):
    assert ended_from_outside("the third", code, "fewer") is None


def test_a_process_of_a_pool_that_the_system_kills_is_no_fault_of_the_program():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.raises(UserError, match="(?s)one of several processes was ended without a word.*taskset"), shortages_named():
            pool.submit(os._exit, 9).result()


class EndsItself(Dataset):
    def __init__(self, number):
        self.number = number

    def __len__(self):
        return 2

    def __getitem__(self, place):
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "by the signal Killed.*with fewer of them"), (signal.SIGBUS, "by the signal Bus error.*shm-size")],
)
def test_a_loading_process_that_the_system_kills_is_no_fault_of_the_program(number, said):
    """By its memory, or by too little shared memory."""
    with pytest.raises(UserError, match=f"(?s)loads pictures was ended {said}"), shortages_named():
        list(DataLoader(EndsItself(number), num_workers=1, worker_init_fn=start_loader_process))
