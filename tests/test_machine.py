import os
import platform
import resource
import subprocess
import sys

import pytest

from landmarks import machine
from landmarks.machine import cores, forget_other_launches, free_shared_memory, is_first_process, is_launched, loader_workers, memory


def test_memory_is_that_of_the_container(tmp_path):
    assert memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       16000 kB\nMemFree: 1 kB\n")
    assert memory(tmp_path) == 16000 * 1024
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("4096\n")
    assert memory(tmp_path) == 4096
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert memory(tmp_path) == 16000 * 1024


def test_cores_are_those_of_the_affinity_and_of_the_container(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert cores(tmp_path) == 8
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    for text, count in (("250000 100000", 3), ("max 100000", 8), ("1000 100000", 1), ("9900000 100000", 8)):
        (tmp_path / "sys/fs/cgroup/cpu.max").write_text(text + "\n")
        assert cores(tmp_path) == count


def control_groups(root, version):
    """This process in the group a/b: 3 cores and 6 kB for a, more for b; /other is somebody else's."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal:       16000 kB\n")
    lines = {2: "0::/a/b\n", 1: "9:name=systemd:/other\n4:memory:/a/b\n3:cpu,cpuacct:/a/b\n0::/\n"}
    (root / "proc/self/cgroup").write_text(lines[version])
    for path, quota, limit in (("a", "300000", "6000"), ("a/b", "-1" if version == 1 else "max", "9000"), ("other", "100000", "1000")):
        files = {"cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": "100000", "memory/memory.limit_in_bytes": limit}
        files = files if version == 1 else {"cpu.max": f"{quota} 100000", "memory.max": limit}
        for name, text in files.items():
            file = (root / "sys/fs/cgroup" / name).parent / path / name.rpartition("/")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n")


@pytest.mark.parametrize("version", [1, 2])
def test_limits_are_those_of_the_groups_that_this_process_is_in(tmp_path, monkeypatch, version):
    """As Slurm and systemd set them, and Docker where it has version 1."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    control_groups(tmp_path, version)
    assert cores(tmp_path) == 3 and memory(tmp_path) == 6000
    (tmp_path / "proc/self/cgroup").write_text("no\n0::/gone\n4:memory:/gone\n")
    assert cores(tmp_path) == 8 and memory(tmp_path) == 16000 * 1024


def test_as_many_open_files_as_the_system_allows():
    code = (
        "import resource as r; from landmarks.machine import allow_open_files; allow_open_files(); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run(["sh", "-c", f'ulimit -Sn 64; exec {sys.executable} -c "{code}"'], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(done.stdout) == (65536 if hard == resource.RLIM_INFINITY else min(hard, 65536))


def test_the_processes_of_a_machine_share_its_cores_for_loading(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 16)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert loader_workers(None, on_gpu=True) == 16 and loader_workers(None, on_gpu=False) == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert loader_workers(None, on_gpu=True) == 2 and loader_workers(0, on_gpu=True) == 0 and loader_workers(5, on_gpu=False) == 5
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "32")
    assert loader_workers(None, on_gpu=True) == 1


def test_shared_memory_is_looked_at_where_there_is_any(tmp_path):
    assert free_shared_memory(tmp_path) > 0 and free_shared_memory(tmp_path / "none") is None


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_the_first_process_is_known_from_the_launchers_rank(monkeypatch, rank, first):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_first_process() == first


FOREIGN = {"ACCELERATE_USE_DEEPSPEED": "true", "PMI_SIZE": "2", "FORK_LAUNCHED": "1", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}


def test_what_another_launch_left_is_forgotten():
    assert not is_launched()
    environment = FOREIGN | {"MASTER_PORT": "29500", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    forget_other_launches(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def test_a_launched_process_keeps_what_its_launcher_has_set(launched):
    launched(1)
    environment = dict(FOREIGN)
    forget_other_launches(environment)
    assert is_launched() and not is_first_process() and environment == FOREIGN


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept by glibc's malloc")
def test_freed_memory_serves_the_next_array():
    script = """
import resource, sys, numpy as np
from landmarks.machine import keep_freed_memory
if len(sys.argv) > 1:
    keep_freed_memory()
def pages():
    np.ones(64 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = pages()
print(pages() - first)
"""
    fresh, kept = (int(subprocess.check_output([sys.executable, "-c", script, *words])) for words in ([], ["keep"]))
    assert kept < fresh / 4
