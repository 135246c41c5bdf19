import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from landmarks.config.verification import VerificationSettings
from landmarks.ops import verification_torch
from landmarks.ops.verification_torch import verify_pairs_torch

triton = pytest.importorskip("triton", reason="torch brings it along where there can be a GPU")
NAME = "landmarks.ops.inliers_triton"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # which Triton decides when it is imported
interpreted = pytest.mark.skipif(not INTERPRETED, reason="run by test_the_kernel_interpreted_on_the_cpu")


@pytest.fixture
def fresh():
    verification_torch._kernel.cache_clear()
    yield
    verification_torch._kernel.cache_clear()


@pytest.mark.skipif(INTERPRETED, reason="this is it")
def test_the_kernel_interpreted_on_the_cpu():
    line = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-W", "ignore:invalid value:RuntimeWarning", __file__]
    done = subprocess.run(line, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("PASSED") == 9, done.stdout


def example(pairs, transforms, matches, seed=0):
    chosen = torch.Generator().manual_seed(seed)
    models = torch.eye(3).flatten() + 0.05 * torch.randn(pairs, transforms, 9, generator=chosen)
    models[..., 8] = 1
    models[:, ::3, 6:8] = 0  # affine
    models[:, ::4, :6] = torch.eye(3).flatten()[:6]
    points = torch.randn(pairs, matches, 2, generator=chosen)
    points = torch.cat([points, points + 0.02 * torch.randn(pairs, matches, 2, generator=chosen)], dim=2)
    return models, points, torch.rand(pairs, matches, generator=chosen) < 0.8, 10 ** -torch.linspace(1, 4, pairs)[:, None]


@interpreted
@pytest.mark.parametrize(("pairs", "transforms", "matches"), [(3, 37, 300), (1, 16, 128), (2, 1, 1), (1, 50, 129), (0, 5, 5)])
def test_it_counts_what_torch_counts(pairs, transforms, matches):
    from landmarks.ops.inliers_triton import count_inliers

    models, points, present, squared = example(pairs, transforms, matches)
    for place, number in ((0, torch.nan), (2, torch.inf), (5, -torch.inf), (7, torch.nan)):
        models[:, 5 + place :: 11, place] = number
    models[:, 4::13, 0] = 300  # zooms in too far
    models[:, 9::13, :6] *= torch.tensor([1, 1, 1, 0.01, 0.01, 1])  # and too narrow
    counted = count_inliers(models, points, present, squared, verification_torch._AREAS, verification_torch._BOUND)
    expected = verification_torch._inside(models, points, present, squared).sum(dim=2)
    assert counted.dtype == torch.int32 and counted.tolist() == expected.tolist()
    assert expected.numel() < 30 or len(expected.unique()) > 10, "many different numbers, and some zeros"


@interpreted
def test_verification_with_it_finds_the_same(fresh, images, every_pair, seeds, monkeypatch):
    settings = VerificationSettings(trials=100)
    expected = verify_pairs_torch(*images, every_pair, seeds, settings, "cpu")
    kernel, called = verification_torch._kernel(torch.device("cpu")), []
    assert kernel is not None, "it is compared with torch's operations before it is used"

    def counted(models, points, present, squared):
        called.append(models.shape)
        return kernel(models, points, present, squared, verification_torch._AREAS, verification_torch._BOUND).long()

    monkeypatch.setattr(verification_torch, "_counted", counted)
    found = verify_pairs_torch(*images, every_pair, seeds, settings, "cpu")
    assert called and all(np.array_equal(*arrays) for arrays in zip(found, expected, strict=True))


@pytest.mark.parametrize("how", ["missing", "broken", pytest.param("wrong", marks=interpreted)])
def test_where_it_does_not_work_torch_counts_and_it_is_said_once(fresh, how, monkeypatch, capsys):
    def kernel(*arguments):
        if how == "broken":
            raise RuntimeError("Failed to find C compiler.\nMore of it.")
        return 1 + known(*arguments)

    if how == "missing":
        monkeypatch.setitem(sys.modules, NAME, None)
    else:
        from landmarks.ops import inliers_triton

        known = inliers_triton.count_inliers
        monkeypatch.setattr(inliers_triton, "count_inliers", kernel)
    assert verification_torch._kernel(torch.device("cpu")) is None and verification_torch._kernel(torch.device("cpu")) is None
    said = capsys.readouterr().out
    assert said.count("without its Triton kernel") == 1 and "More of it" not in said
    assert {"missing": "Error: ", "broken": "RuntimeError: Failed to find C compiler.", "wrong": "it counts otherwise"}[how] in said


@pytest.mark.skipif(INTERPRETED, reason="not compiled then")
@pytest.mark.parametrize("card", [75, 80, 90])
def test_it_is_compiled_for_cards_that_are_not_here_and_nothing_is_fused(monkeypatch, tmp_path, card):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from landmarks.ops.inliers_triton import MATCHES, TRANSFORMS, _count

    kinds = dict.fromkeys(("models", "points", "squared"), "*fp32") | {
        "present": "*u8",
        "counts": "*i32",
        "transforms": "i32",
        "matches": "i32",
    }
    kinds |= dict.fromkeys(("least", "most", "bound"), "fp32") | {"T": "constexpr", "M": "constexpr"}
    source = ASTSource(fn=_count, signature=kinds, constexprs={"T": TRANSFORMS, "M": MATCHES})
    made = triton.compile(source, target=GPUTarget("cuda", card, 32), options={"enable_fp_fusion": False})
    assert len(made.asm["cubin"]) > 1000 and "fma." not in made.asm["ptx"]
