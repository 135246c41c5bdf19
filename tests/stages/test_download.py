"""Downloads from a server on this machine that publishes a small Google Landmarks v2 and small competitions."""

import fcntl
import shutil

import pytest
from small_gldv2 import ARCHIVES, lying_in, publish

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.pipeline import stages_of
from landmarks.remote import faults, gldv2
from landmarks.stages import download as download_module
from landmarks.stages.download import download


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(gldv2, "ARCHIVES", ARCHIVES)


@pytest.fixture
def world(server):
    server.expected = publish(server)
    return server


def settings(tmp_path, *more):
    return load_config(None, [f"dataset.folder={tmp_path / 'data'}", "dataset.train_table=train_clean.csv", *more])


def from_mirror(server, tmp_path, *more):
    return settings(tmp_path, "download.gldv2=[train, index, test]", f"download.gldv2_url={server.url}", *more)


def test_everything_arrives_once(world, tmp_path, capsys):
    config = from_mirror(world, tmp_path)
    assert stages_of(config)[0] == "download"
    download(config)
    assert lying_in(tmp_path / "data") == world.expected
    printed = capsys.readouterr().out
    assert "train photos of Google Landmarks v2      3      0" in printed and "fits" in printed
    assert sorted(path.name for path in (tmp_path / "data/.download").iterdir()) == ["done", "lock"]
    world.requests.clear()
    download(config)
    assert world.requests == [] and capsys.readouterr().out == "download: up to date\n"


def test_a_split_more_is_all_that_is_fetched(world, tmp_path):
    download(settings(tmp_path, "download.gldv2=[test]", f"download.gldv2_url={world.url}"))
    assert {path.split("/")[0] for path in lying_in(tmp_path / "data")} == {"test", "test.csv", *gldv2.SOLUTIONS}
    world.requests.clear()
    download(from_mirror(world, tmp_path))
    assert lying_in(tmp_path / "data") == world.expected and not any("/test" in path for _, path, _, _ in world.requests)


def test_training_photos_that_the_table_does_not_list_are_left_out(world, tmp_path):
    ids = [path.split("/")[-1].removesuffix(".jpg") for path in world.expected if path.startswith("train/")]
    tables = {
        "train_clean.csv": f"landmark_id,images\n7,{ids[3]} {ids[10]}\n",
        "train.csv": "id,landmark_id\n" + "".join(f"{id},1\n" for id in ids),
    }
    world.files |= {f"/metadata/{name}": text.encode() for name, text in tables.items()}
    download(from_mirror(world, tmp_path, "download.photos=listed"))
    assert {path for path in lying_in(tmp_path / "data") if path.startswith("train/")} == {
        f"train/{id[0]}/{id[1]}/{id[2]}/{id}.jpg" for id in (ids[3], ids[10])
    }
    everything = from_mirror(world, tmp_path, "download.photos=listed", "dataset.train_table=train.csv")
    download(everything)
    expected = world.expected | {name: text.encode() for name, text in tables.items()}
    assert lying_in(tmp_path / "data") == expected
    world.requests.clear()
    download(everything)
    assert world.requests == []


def test_corrupted_once_it_is_fetched_again(world, tmp_path, capsys):
    path = "/index/images_001.tar"
    right = world.files[path]
    world.files[path] = right[:5000] + b"wrong" + right[5005:]

    class Repaired(dict):
        def get(self, asked, default=None):
            content = dict.get(self, asked, default)
            if asked.endswith("md5.images_001.txt") and "/index/" in asked:
                self[path] = right
            return content

    world.files = Repaired(world.files)
    download(from_mirror(world, tmp_path))
    assert lying_in(tmp_path / "data") == world.expected
    assert "index-images_001.tar: its md5 is not the published one; fetching it again" in capsys.readouterr().out


def test_corrupted_for_good_it_is_refused(world, tmp_path):
    world.files["/index/images_001.tar"] = world.files["/index/images_000.tar"]
    with pytest.raises(UserError, match="index-images_001.tar arrives damaged, 3 times"):
        download(from_mirror(world, tmp_path))


def test_a_page_of_excuses_is_no_table(world, tmp_path):
    world.files["/metadata/index.csv"] = b"<html>please come back later</html>"
    with pytest.raises(UserError, match="index.csv arrives damaged"):
        download(from_mirror(world, tmp_path))
    assert not (tmp_path / "data/index.csv").exists()


def test_the_dry_run_asks_and_changes_nothing(world, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{folder: {tmp_path / 'data'}, train_table: train_clean.csv}}\n"
        f"download: {{gldv2: [train, index, test], gldv2_url: '{world.url}'}}\n"
    )
    assert main(["download", "--config", str(tmp_path / "c.yaml"), "--dry-run"]) == 0
    size = sum(len(content) for path, content in world.files.items() if "md5" not in path)
    assert f"to fetch: {size / 1e3:.3g} kB" in capsys.readouterr().out
    assert not (tmp_path / "data").exists() and world.bytes_sent() <= len(world.files)


def test_the_dry_run_without_a_network_prints_published_sizes(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gldv2, "ARCHIVES", {"train": 500, "index": 100, "test": 20})
    server.close()
    download(from_mirror(server, tmp_path), dry_run=True)
    printed = capsys.readouterr().out
    assert "about 500 GB" in printed and "about 85 GB" in printed and "617 GB needed" in printed and "no connection to 127.0.0.1" in printed
    with pytest.raises(UserError, match="no connection"):
        download(from_mirror(server, tmp_path))


def test_what_does_not_fit_is_refused_before_it_starts(world, tmp_path, monkeypatch):
    monkeypatch.setattr("landmarks.store.disk.shutil.disk_usage", lambda folder: type("usage", (), {"free": 100_000}))
    with pytest.raises(UserError, match="does not fit: .* kB needed, 100 kB free"):
        download(from_mirror(world, tmp_path))
    assert lying_in(tmp_path / "data") == {} and world.bytes_sent() <= len(world.files)


def test_what_somebody_put_there_is_not_fetched(world, tmp_path, capsys):
    for path, content in world.expected.items():
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path).write_bytes(content)
    missing = next(path for path in world.expected if path.startswith("index/"))
    (tmp_path / "data" / missing).unlink()
    download(from_mirror(world, tmp_path))
    assert lying_in(tmp_path / "data") == world.expected
    assert all(path.startswith(("/index/", "/md5sum/index/")) for _, path, _, _ in world.requests)
    assert "all train photos are in" in capsys.readouterr().out


def test_with_another_training_table_photos_put_there_by_hand_do_not_count(world, tmp_path):
    for path, content in world.expected.items():
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path).write_bytes(content)
    download(from_mirror(world, tmp_path))
    ids = [path.split("/")[-1].removesuffix(".jpg") for path in world.expected if path.startswith("train/")]
    (tmp_path / "data" / f"train/{ids[0][0]}/{ids[0][1]}/{ids[0][2]}/{ids[0]}.jpg").unlink()
    world.files["/metadata/train.csv"] = ("id,url,landmark_id\n" + "".join(f"{id},,1\n" for id in ids)).encode()
    world.requests.clear()
    download(from_mirror(world, tmp_path, "dataset.train_table=train.csv"))
    assert lying_in(tmp_path / "data") == world.expected | {"train.csv": world.files["/metadata/train.csv"]}
    assert all("train" in path for _, path, _, _ in world.requests)


def test_a_file_of_somebody_else_is_not_replaced(world, tmp_path):
    path = next(path for path in world.expected if path.startswith("index/"))
    (tmp_path / "data" / path).parent.mkdir(parents=True)
    (tmp_path / "data" / path).write_text("mine")
    for _ in range(2):
        with pytest.raises(UserError, match="another file of this name"):
            download(from_mirror(world, tmp_path))
        assert (tmp_path / "data" / path).read_text() == "mine"


def test_a_link_in_the_dataset_folder_is_not_followed(world, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data/index").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="a link is in the way"):
        download(from_mirror(world, tmp_path))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_runs_at_once_are_one_too_many(world, tmp_path):
    (tmp_path / "data/.download").mkdir(parents=True)
    with open(tmp_path / "data/.download/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another download"):
            download(from_mirror(world, tmp_path))


def test_a_missing_archive_is_named(world, tmp_path):
    del world.files["/train/images_002.tar"]
    with pytest.raises(UserError, match=r"not on the server: train/images_002.tar \(HTTP 404\)"):
        download(from_mirror(world, tmp_path))


def test_several_come_at_once(world, tmp_path):
    world.bytes_per_second = 200_000
    download(from_mirror(world, tmp_path, "download.parallel=3"))
    assert world.most_at_once > 1 and lying_in(tmp_path / "data") == world.expected


def test_what_was_taken_away_is_fetched_again(world, tmp_path):
    download(from_mirror(world, tmp_path))
    shutil.rmtree(tmp_path / "data/index")
    (tmp_path / "data/test.csv").unlink()
    download(from_mirror(world, tmp_path))
    assert lying_in(tmp_path / "data") == world.expected


def test_a_configuration_that_names_nothing(tmp_path):
    with pytest.raises(UserError, match="names nothing to download"):
        download(settings(tmp_path))
    assert stages_of(settings(tmp_path))[0] != "download"


def test_a_password_in_the_mirror_s_address_is_never_printed(world, tmp_path, capsys):
    secret, out = "pass-w0rd", tmp_path / "out"
    url = world.url.replace("://", f"://me:{secret}@")
    command = [f"dataset.folder={tmp_path / 'data'}", f"run.folder={out}", f"download.gldv2_url={url}"]
    (tmp_path / "empty.yaml").write_text("{}\n")
    named = ["--config", str(tmp_path / "empty.yaml")]
    out.mkdir()
    for stage in (["download", "--dry-run"], ["config"], ["config", "--yaml"], ["doctor"], ["download"], ["run", "run.device=cpu"]):
        main([*stage, *named, *command, "download.gldv2=[test]"])
    assert (tmp_path / "data/test.csv").exists(), "the mirror was asked"
    world.files = {}
    assert main(["download", *named, *command, "download.gldv2=[index]"]) == 2
    assert main(["download", *named, *command, "download.gldv2=[index]", "download.gldv2_url=ftp://me:pass-w0rd@host"]) == 2
    assert main(["download", *named, f"download.gldv2_ulr={url}"]) == 2
    printed = capsys.readouterr()
    assert "***@" in printed.out and "***@" in printed.err
    kept = [path.read_text(errors="replace") for path in (*out.rglob("*"), *(tmp_path / "data").rglob("*")) if path.is_file()]
    assert secret not in printed.out + printed.err and not any(secret in text for text in kept)
    assert any(path.name == "config.yaml" for path in out.iterdir()) and any(path.name == "run.log" for path in out.iterdir())


@pytest.fixture
def huge(world, monkeypatch):
    """The small world counts as more than is fetched without a question."""
    monkeypatch.setattr(download_module, "ASK_ABOVE", 10_000)
    return world


def at_a_terminal(monkeypatch, answer):
    """Nobody types anything else than `answer`; returns the questions."""
    questions = []
    monkeypatch.setattr("sys.stdin", type("terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr(download_module, "confirmed", lambda question: questions.append(question) or answer)
    return questions


def typed(server, tmp_path, *words):
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{folder: {tmp_path / 'data'}, train_table: train_clean.csv}}\n"
        f"download: {{gldv2: [train, index, test], gldv2_url: '{server.url}'}}\nrun: {{folder: {tmp_path / 'out'}}}\n"
    )
    return main([*words, "--config", str(tmp_path / "c.yaml")])


@pytest.mark.parametrize("stage", ["run", "download"])
def test_a_large_download_is_agreed_to_first(huge, tmp_path, capsys, stage):
    assert typed(huge, tmp_path, stage) == 2
    said = capsys.readouterr()
    meant = "./run.sh" if stage == "run" else "./run.sh download"
    assert f"next:  {meant} --config {tmp_path / 'c.yaml'} --yes\n" in said.err and "to be fetched" in said.err
    assert lying_in(tmp_path / "data") == {} and huge.bytes_sent() <= len(huge.files), "only sizes were asked for"
    typed(huge, tmp_path, stage, "--yes")  # `run` then stops at the search: there are no descriptors
    assert lying_in(tmp_path / "data") == huge.expected
    assert typed(huge, tmp_path, "download") == 0, "nothing is left to be fetched, so there is no question"


def test_a_terminal_is_asked(huge, tmp_path, monkeypatch):
    questions = at_a_terminal(monkeypatch, False)
    with pytest.raises(UserError, match="nothing was fetched"):
        download(from_mirror(huge, tmp_path))
    assert lying_in(tmp_path / "data") == {} and len(questions) == 1 and "fetch " in questions[0] and "kB needed" in questions[0]
    questions = at_a_terminal(monkeypatch, True)
    download(from_mirror(huge, tmp_path))
    assert lying_in(tmp_path / "data") == huge.expected and len(questions) == 1


def test_ten_gigabytes_are_the_limit(world, tmp_path, monkeypatch):
    assert download_module.ASK_ABOVE == 10_000_000_000
    questions = at_a_terminal(monkeypatch, False)
    download(from_mirror(world, tmp_path))
    assert questions == []


def test_run_refuses_what_does_not_fit_whoever_agrees(huge, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("landmarks.store.disk.shutil.disk_usage", lambda folder: type("usage", (), {"free": 100_000}))
    questions = at_a_terminal(monkeypatch, True)
    for words in (["run"], ["run", "--yes"], ["download", "--yes"]):
        assert typed(huge, tmp_path, *words) == 2
        assert "does not fit" in capsys.readouterr().err
    assert questions == [] and lying_in(tmp_path / "data") == {} and huge.bytes_sent() <= 3 * len(huge.files)


def test_all_that_prevents_a_download_is_said_at_once(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gldv2, "ARCHIVES", {"train": 500, "index": 100, "test": 20})
    monkeypatch.setattr("landmarks.store.disk.shutil.disk_usage", lambda folder: type("usage", (), {"free": 100_000}))
    server.close()
    assert typed(server, tmp_path, "run") == 2
    error = capsys.readouterr().err
    assert "does not fit: at least 617 GB needed, 100 kB free" in error and "no connection to 127.0.0.1" in error
    assert "595 GB are to be fetched" in error
    nexts = error.partition("next:  ")[2].splitlines()
    assert len(nexts) == 3 and nexts[-1].split()[0] == "./run.sh" and nexts[-1].endswith(" --yes"), "each on a line of its own"
