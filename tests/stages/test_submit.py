"""submit, with a competition configured, against a server on this machine that speaks what Kaggle's client speaks."""

import pytest
from kaggle_server import TOKEN, Fault

from landmarks.cli import main
from landmarks.config import load_config
from landmarks.errors import UserError
from landmarks.stages.submit import upload
from landmarks.store.ledger import read_ledger

COMPETITION = "landmark-retrieval-2019"


@pytest.fixture
def made(arrays, tmp_path, signed_in):
    """The arguments of a run that has its submission.csv."""
    signed_in.competitions[COMPETITION] = "/files/none.zip"
    (tmp_path / "c.yaml").write_text("rerank: [{step: sort}]\n")
    arguments = ["--config", str(tmp_path / "c.yaml"), f"dataset.folder={arrays}", f"run.folder={tmp_path / 'outputs' / 'run'}"]
    for stage in ("search", "rerank", "submit"):
        assert main([stage, *arguments]) == 0
    assert signed_in.requests == [], "without a competition nobody is asked anything"
    return [*arguments, f"submit.competition={COMPETITION}"]


def config(made, *more):
    return load_config(made[1], [*made[2:], *more])


def calls(server, method):
    return sum(path.endswith(method) for _, path, *_ in server.requests)


def never(question):
    raise AssertionError("nobody should be asked")


def answering(text):
    def ask(question):
        assert "yes" in question
        return text

    return ask


def test_what_is_shown_before_the_question(made, signed_in, capsys):
    assert upload(config(made), COMPETITION, ask=answering("no")) is None
    said = capsys.readouterr().out
    for words in ("24 queries", "90.0 images each", "descriptors, sort", COMPETITION, "5 left today", "not uploaded"):
        assert words in said
    assert signed_in.uploads == [] and calls(signed_in, "CreateSubmission") == 0 and TOKEN not in said


@pytest.mark.parametrize("answer", ["", "y", "YES", "no"])
def test_only_yes_is_yes(made, signed_in, answer):
    assert upload(config(made), COMPETITION, ask=answering(answer)) is None and signed_in.uploads == []


def test_where_nobody_is_there_to_be_asked_nothing_is_uploaded(made, signed_in, monkeypatch, capsys):
    def nobody(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert upload(config(made), COMPETITION, ask=nobody) is None
    assert signed_in.uploads == [] and "--yes" in capsys.readouterr().out


@pytest.mark.parametrize("how", [{"yes": True, "ask": never}, {"ask": answering("yes ")}], ids=["--yes", "typed"])
def test_it_is_uploaded_as_it_is(made, signed_in, tmp_path, how, capsys):
    assert upload(config(made), COMPETITION, **how) == 100
    assert signed_in.uploads == [(tmp_path / "outputs/run/submission.csv").read_bytes()]
    assert signed_in.submissions[0]["description"].endswith(" run sort")
    assert "uploaded, number 100" in capsys.readouterr().out and not (tmp_path / "outputs/results.csv").exists()


def test_the_command_line(made, signed_in, capsys, tmp_path):
    assert main(["submit", "--yes", *made]) == 0
    assert len(signed_in.uploads) == 1
    assert main(["submit", "--yes", *made[:-1]]) == 2
    assert "submit.competition=" in capsys.readouterr().err


def test_run_never_uploads(made, signed_in):
    assert main(["run", *made]) == 0
    assert signed_in.requests == []


def test_the_same_file_is_not_sent_twice_and_its_score_is_recorded(made, signed_in, tmp_path, capsys):
    upload(config(made), COMPETITION, yes=True)
    signed_in.submissions[0] |= {"status": "COMPLETE", "publicScore": "0.35693", "privateScore": "0.37231"}
    for _ in range(2):
        assert upload(config(made), COMPETITION, ask=never) == 100
    assert len(signed_in.uploads) == 1 and calls(signed_in, "CreateSubmission") == 1
    said = capsys.readouterr().out
    assert "nothing is uploaded" in said and "private 37.23, public 35.69" in said
    (line,) = read_ledger(tmp_path / "outputs/results.csv").to_dict("records")
    assert line["numbers"] == "map_private=37.231 map_public=35.693" and line["chain"] == "sort"
    assert f"solution: Kaggle's, {COMPETITION}" in line["choices"]


def test_the_score_is_waited_for(made, signed_in, tmp_path):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            signed_in.submissions[0] |= {"status": "COMPLETE", "publicScore": "0.5", "privateScore": ""}

    upload(config(made, "submit.wait_minutes=1"), COMPETITION, yes=True, wait=wait)
    assert waits == [10, 10, 10] and "map_public=50" in (tmp_path / "outputs/results.csv").read_text()


def test_waiting_ends(made, capsys):
    waits = []
    upload(config(made, "submit.wait_minutes=1"), COMPETITION, yes=True, wait=waits.append)
    assert sum(waits) == 60 and "no score yet" in capsys.readouterr().out


def test_a_file_that_kaggle_cannot_score(made, signed_in, tmp_path):
    def refuse(seconds):
        signed_in.submissions[0] |= {"status": "ERROR", "errorDescription": "Evaluation Exception: unknown id"}

    with pytest.raises(UserError, match="unknown id"):
        upload(config(made, "submit.wait_minutes=1"), COMPETITION, yes=True, wait=refuse)
    assert not (tmp_path / "outputs/results.csv").exists()
    assert upload(config(made), COMPETITION, yes=True) == 101, "a refused one may be sent again"


def test_a_failed_upload_that_the_client_calls_a_success(made, signed_in):
    signed_in.upload_status = 400
    with pytest.raises(UserError, match="nothing was submitted"):
        upload(config(made), COMPETITION, yes=True)
    assert signed_in.submissions == []


def test_a_submission_that_the_server_does_not_have(made, signed_in, monkeypatch):
    class Forgetful(list):
        def insert(self, place, one):
            self.forgotten = one

        def __getitem__(self, key):
            return [] if isinstance(key, slice) else self.forgotten

    monkeypatch.setattr(signed_in, "submissions", Forgetful())
    with pytest.raises(UserError, match="'Successfully submitted', but does not list"):
        upload(config(made), COMPETITION, yes=True, wait=lambda seconds: None)


def test_no_submission_left_today(made, signed_in):
    signed_in.left = 0
    with pytest.raises(UserError, match="midnight UTC"):
        upload(config(made), COMPETITION, yes=True)
    assert signed_in.uploads == []


def test_a_file_that_is_not_valid_goes_nowhere(made, signed_in, tmp_path):
    path = tmp_path / "outputs/run/submission.csv"
    path.write_text(path.read_text().replace("i000", "stranger"))
    with pytest.raises(UserError, match="stranger"):
        upload(config(made), COMPETITION, yes=True)
    assert signed_in.requests == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "settings/api"), (403, "accept the rules"), (404, "knows no competition"), (429, "too many requests"), (500, "server fails")],
)
@pytest.mark.parametrize("method", ["ListSubmissions", "StartSubmissionUpload", "CreateSubmission"])
def test_refusals_come_with_their_next_step(made, signed_in, method, status, words, capfd):
    signed_in.faults.append(Fault(method, status, times=100))
    with pytest.raises(UserError, match=words) as told:
        upload(config(made), COMPETITION, yes=True, wait=lambda seconds: None)
    printed = capfd.readouterr()
    assert TOKEN not in str(told.value) + printed.out + printed.err
    assert signed_in.submissions == []
    if method == "CreateSubmission":
        assert calls(signed_in, method) == 1, "tried once: twice might count twice"


def test_without_a_credential(made, signed_out, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(UserError, match="there is none on this machine"):
        upload(config(made), COMPETITION, yes=True)
