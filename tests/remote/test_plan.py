import tarfile

import pytest

from landmarks.errors import UserError
from landmarks.remote import faults
from landmarks.remote.plan import disk_at_worst, make_plan
from landmarks.remote.transfer import plain


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)


@pytest.fixture
def plan_of(tmp_path):
    def make(items, there=None, parallel=2):
        return make_plan(items, there or {}, tmp_path / "data", tmp_path / "work", parallel)

    return make


def free(monkeypatch, count):
    monkeypatch.setattr("landmarks.store.disk.shutil.disk_usage", lambda folder: type("usage", (), {"free": count}))


def test_the_disk_holds_everything_unpacked_and_the_largest_archives():
    assert disk_at_worst(100, [5, 9, 7], 2) == 116 and disk_at_worst(100, [5], 4) == 105 and disk_at_worst(0, [], 4) == 0


def test_sizes_are_asked_for_and_finished_items_are_not(server, make_item, plan_of):
    server.files |= {"/a.tar": bytes(2000), "/b.csv": bytes(300)}
    items = [make_item("a.tar", f"{server.url}/a.tar", folder="a"), make_item("b.csv", f"{server.url}/b.csv", header="id")]
    plan, problems = plan_of([*items, make_item("done.tar", f"{server.url}/c.tar", group="more")], {"done.tar": 7000})
    assert problems == [] and {path for _, path, _, _ in server.requests} == {"/a.tar", "/b.csv"}
    assert [(one.size, one.exact, one.done) for one in plan.planned] == [(2000, True, False), (300, True, False), (7000, True, True)]
    assert plan.to_fetch == 2300 and plan.fetched == 0
    assert plan.disk == int(1.03 * 2000 + 300) + 2000, "unpacked, and the archive beside it"
    assert [line.split()[:6] for line in plan.lines()[2:4]] == [
        ["files", "2", "0", "2.3", "kB", "2.3"],
        ["more", "1", "1", "0", "B", "7"],
    ]


def test_what_was_fetched_before_is_not_fetched_again_nor_counted_twice(server, make_item, plan_of, tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "x.jpg").write_bytes(bytes(1000))
    (tmp_path / "work").mkdir()
    with tarfile.open(tmp_path / "work" / "a.tar", "w") as archive:
        for name in ("x.jpg", "y.jpg"):
            archive.add(tmp_path / "data" / "a" / "x.jpg", name)
    size = (tmp_path / "work" / "a.tar").stat().st_size
    server.files["/a.tar"] = bytes(size)
    plan, _ = plan_of([make_item("a.tar", f"{server.url}/a.tar", folder="a")])
    assert plan.to_fetch == 0 and plan.fetched == size and plan.disk == 1030, "y.jpg is still to be unpacked"


def test_without_a_network_published_sizes_are_used_and_one_question_is_enough(server, make_item, plan_of, monkeypatch):
    asked = []

    def address():
        asked.append(1)
        return plain(f"{server.url}/a")()

    server.close()
    items = [make_item(f"{n}.tar", server.url, address=address, about=500) for n in range(3)]
    plan, (problem,) = plan_of([*items, make_item("secret.zip", address=None)])
    assert "no connection to 127.0.0.1" in str(problem) and len(asked) == 1
    assert [one.size for one in plan.planned] == [500, 500, 500, None] and not any(one.exact for one in plan.planned)
    free(monkeypatch, 10**6)
    assert "1.5 kB + ?" in plan.lines()[2] and plan.lines()[-1].endswith("fits, as far as sizes are known")


def test_what_does_not_fit_is_refused(server, make_item, plan_of, monkeypatch):
    plan, _ = plan_of([make_item("a.tar", f"{server.url}/a.tar")], {"a.tar": 10})
    free(monkeypatch, 0)
    assert plan.space_fault() is None
    server.files["/b.csv"] = bytes(5000)
    plan, _ = plan_of([make_item("b.csv", f"{server.url}/b.csv", header="id")])
    free(monkeypatch, 4999)
    fault = plan.space_fault()
    assert isinstance(fault, UserError) and fault.what == "it does not fit: 5 kB needed, 5 kB free"
    assert plan.lines()[-1].endswith("does not fit")
