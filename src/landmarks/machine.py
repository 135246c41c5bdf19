"""What this process may use of its machine: cores, memory, shared memory. Linux says; elsewhere Python does, or nobody."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")

# What `accelerate config`, another launch of Accelerate or torchrun, or MPI has left, and what Accelerate would take for its own.
_FOREIGN = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "PET_", "TORCHELASTIC_", "PMI_", "OMPI_COMM_", "MV2_COMM_")
_OF_A_LAUNCHED_PROCESS = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # every launcher sets all of them
_BESIDE = ("LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "FORK_LAUNCHED")

_OPEN_FILES = 65_536  # 128 loading processes with 4 batches of 3 tensors ahead take 1,536, where 1,024 is usual

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt


def cores(root: Path = Path("/")) -> int:
    """Processor cores that this process may use: those of its affinity, and no more than its container's quota; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for quota, period in (*_limits(root, "", "cpu.max"), *_limits(root, "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us")):
        if quota.isdigit() and int(period):  # else "max", or -1
            count = min(count, math.ceil(int(quota) / int(period)))
    return max(1, count)


def memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process may use: the machine's, or the limit of its container; None = unknown."""
    try:
        first = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):  # no Linux
        return None
    limits = [words[0] for words in (*_limits(root, "", "memory.max"), *_limits(root, "memory", "memory.limit_in_bytes"))]
    return min([int(first.split()[1]) * 1024, *(int(limit) for limit in limits if limit.isdigit())])


def _limits(root: Path, controller: str, *names: str) -> Iterator[list[str]]:
    """The words in these files of this process's control group, and of each that it lies in, where they are (cgroups(7)).

    controller  of version 1 of control groups; "": version 2, which has one tree for all
    """
    paths = [""]
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            paths += [path] if controller in controllers.split(",") else []
    tree = root / "sys/fs/cgroup" / controller
    for folder in {tree.joinpath(*path.split("/")[1 : depth + 1]) for path in paths for depth in range(path.count("/") + 1)}:
        with suppress(OSError):  # of a container whose own group is the tree
            yield [word for name in names for word in (folder / name).read_text(encoding="ascii").split()]


def allow_open_files() -> None:
    """Raise this process's limit of open files as far as the system lets it: a batch in shared memory is one until it was used."""
    with suppress(ImportError, OSError, ValueError):  # ImportError: Windows
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_freed_memory() -> None:
    """Let this process, and those that it forks, keep memory that they have freed for their next arrays.

    What is free at the top of the heap is kept up to 2 GB, below arrays that live without a bound (`give_freed_memory_back`).
    Pages fresh from the kernel cost a third of a training step on a CPU, and of a photo's decoding. Nothing where malloc is not glibc's.
    """
    with suppress(OSError, AttributeError, TypeError):  # TypeError: Windows
        mallopt = ctypes.CDLL(None).mallopt
        # Older versions take no more than 32 MB; without a threshold of ours the other call would make things slower.
        if mallopt(_MMAP_THRESHOLD, 1 << 30) or mallopt(_MMAP_THRESHOLD, 1 << 25):
            mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def give_freed_memory_back() -> None:
    """Give the kernel what `keep_freed_memory` has kept, at the end of what it was kept for."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def free_shared_memory(folder: Path = SHARED_MEMORY) -> int | None:
    """Bytes free in the shared memory of this machine (Docker gives 64 MB unless asked for more); None = there is none."""
    try:
        state = os.statvfs(folder)
    except (OSError, AttributeError):  # AttributeError: Windows
        return None
    return state.f_bavail * state.f_frsize


def more_shared_memory(needed: float = 0.0) -> str:
    """How a container is given at least so many bytes of it."""
    return f"docker run --shm-size={max(8, math.ceil(needed / 2**30))}g"


def through_pipes(needed: float) -> str:
    """What happens where so many bytes of shared memory are not free, and what to do."""
    return f"loading processes hand over pictures through pipes, which is slower; {more_shared_memory(needed)} gives more"


def local_processes() -> int:
    """Processes of this stage on this machine, as the launcher said; 1 where there is no launcher."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def forget_other_launches(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove what other launches have left in the environment, so that no result depends on it; not in a launched process."""
    if not is_launched():
        for name in [name for name in environment if name.startswith(_FOREIGN) or name in (*_OF_A_LAUNCHED_PROCESS, *_BESIDE)]:
            del environment[name]


def is_launched() -> bool:
    """Whether this process is one that a launcher started.

    One variable alone says nothing: a cluster sets RANK and WORLD_SIZE for whoever launches by himself, a shell may have kept LOCAL_RANK.
    """
    return all(name in os.environ for name in _OF_A_LAUNCHED_PROCESS)


def is_first_process() -> bool:
    """Whether this process prints and writes for all that share a stage, on all machines; known before Accelerate starts."""
    return os.environ.get("RANK", "0") == "0"


def loader_workers(requested: int | None, *, on_gpu: bool, processes: int | None = None) -> int:
    """Processes that decode pictures for this process: as set, else its share of the cores, at least 1.

    on_gpu     False: the network computes on the same cores, and two processes keep it busy
    processes  of this machine that share its cores; None: as the launcher said
    """
    if requested is not None:
        return requested
    share = max(1, cores() // (local_processes() if processes is None else processes))
    return share if on_gpu else min(2, share)
