import numpy as np
import pytest

from landmarks.config import chain_names, load_config
from landmarks.protocols import revisited as module
from landmarks.protocols.revisited import NEVER, Revisited, without_junk_before_verify

EASY, MEDIUM, HARD = "remove_junk(difficulty=easy)", "remove_junk", "remove_junk(difficulty=hard)"


def chain(text):
    return load_config(None, [f"rerank={text}"]).rerank


def last(chain):
    return chain_names(chain)[-1]


def test_a_chain_that_verifies_is_run_for_each_difficulty_without_its_junk():
    chains = Revisited().chains(chain("expand_query,verify,diffuse,verify"))
    assert [last(one) for one in chains] == [f"expand_query+{junk}+verify+diffuse+verify" for junk in (EASY, MEDIUM, HARD)]


@pytest.mark.parametrize("text", ["[]", "expand_query,diffuse", "remove_junk,verify", "verify,remove_junk"])
def test_a_chain_that_verifies_nothing_or_removes_junk_itself_is_run_once(text):
    assert Revisited().chains(chain(text)) == (chain(text),)
    assert without_junk_before_verify(chain(text), "hard") == chain(text)


def test_junk_is_that_of_the_ground_truth_in_the_order_of_the_queries_asked_for(tmp_path):
    (tmp_path / "revisited_solution.csv").write_text("id,easy,hard,junk\nq0,a,b,c\nq1,d,,a b\n")
    junk = Revisited().junk(tmp_path, np.array(["q1", "q0"], object), np.array(list("abcd"), object))
    rows = {difficulty: [sorted(images.tolist()) for images in junk(difficulty)] for difficulty in ("easy", "medium", "hard")}
    assert rows == {"easy": [[0, 1], [1, 2]], "medium": [[0, 1], [2]], "hard": [[0, 1, 3], [0, 2]]}


def ranks(**places):
    return {kind: np.array(places.get(kind, []), np.int64) for kind in ("easy", "hard", "junk")}


def test_measures_of_one_query_worked_by_hand():
    # easy junk hard easy -: without junk the list of medium is easy hard easy, that of easy is easy easy, that of hard is hard.
    found = ranks(easy=[0, 3], hard=[2], junk=[1])
    assert [module._measure(found, difficulty)[0] for difficulty in ("easy", "medium", "hard")] == [1, 1, 1]
    # - easy hard: medium has its positives at ranks 1 and 2, hard has its own at rank 1 once the easy one is out.
    found = ranks(easy=[1], hard=[2])
    average = ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2
    assert module._measure(found, "medium") == pytest.approx([average, 0, 2 / 3, 2 / 3])
    assert module._measure(found, "hard") == pytest.approx([(0 + 1 / 2) / 2, 0, 1 / 2, 1 / 2])


def test_what_is_never_found_counts_as_missed_and_its_junk_takes_no_place():
    assert module._measure(ranks(easy=[0, NEVER], junk=[NEVER]), "medium") == pytest.approx([1 / 2, 1, 1, 1])
    assert module._measure(ranks(easy=[NEVER]), "easy") == [0, 0, 0, 0]
    assert np.isnan(module._measure(ranks(easy=[0], junk=[1]), "hard")).all(), "without a positive the query is left out"


def test_vectors_are_those_of_the_last_search_of_the_chain(tmp_path):
    def save(folder, names, value):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            np.save(folder / name, np.full((1, 2), value, np.float16))

    save(tmp_path / "space", ["test/vectors.npy", "index/vectors.npy"], 1)
    assert [array[0, 0] for array in module._vectors(tmp_path, ["knn"])] == [1, 1]
    for value, name in ((2, "a"), (3, "a+b")):
        save(tmp_path / "rankings" / name / "space", ["test.npy", "index.npy"], value)
    for names, value in ((["knn", "a"], 2), (["knn", "a", "a+b", "a+b+c"], 3), (["knn", "x"], 1)):
        assert [array[0, 0] for array in module._vectors(tmp_path, names)] == [value, value], names


@pytest.mark.parametrize(
    ("described", "header", "words"),
    [
        (False, "id,left,top,right,bottom", "not known (descriptors as given)"),
        (True, "id,path,left,top,right,bottom", "the authors' boxes"),
        (True, "id,path", "none: whole pictures"),
    ],
)
def test_the_crop_of_the_queries_is_that_of_their_table(tmp_path, described, header, words):
    (tmp_path / "test.csv").write_text(f"{header}\n")
    assert module._crop(described, tmp_path / "test.csv") == words
