"""The documentation tells the truth about what can be checked by reading: links, commands, settings, numbers.

Marks, as a comment in the line before a block of code: `<!-- needs data -->` parses its commands without loading their settings,
`<!-- not checked -->` leaves the block out.
"""

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from landmarks.api.arrays import rerank_arrays
from landmarks.arguments import parse
from landmarks.config import load_config, read_chain
from landmarks.config.run_file import as_yaml

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXPERIMENTS = ROOT / "EXPERIMENTS.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "DESIGN.md", "CHANGELOG.md")), EXPERIMENTS, *GUIDES]
# EXPERIMENTS.md is a record: its commands are shortened, and name settings as they were called on that day.
WITH_COMMANDS = [page for page in PAGES if page != EXPERIMENTS]
NEEDS_DATA, NOT_CHECKED = "<!-- needs data -->", "<!-- not checked -->"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: Path) -> list[tuple[str, str, str]]:
    """(language, text, the last line before it) of every fenced and every indented block; an indented one has no language."""
    blocks, lines, number = [], read(page).splitlines(), 0
    while number < len(lines):
        start, fence = number, re.match(r" *```(\w*)", lines[number])
        if fence:
            number += 1
            while number < len(lines) and not lines[number].strip().startswith("```"):
                number += 1
            language, text = fence[1], lines[start + 1 : number]
            number += 1
        elif lines[number].startswith("    ") and (start == 0 or not lines[start - 1].strip()):
            while number < len(lines) and (lines[number].startswith("    ") or not lines[number].strip()):
                number += 1
            language, text = "", [line[4:] for line in lines[start:number]]
        else:
            number += 1
            continue
        before = next((line.strip() for line in reversed(lines[:start]) if line.strip()), "")
        blocks.append((language, "\n".join(text), before))
    return blocks


def without_code(page: Path) -> str:
    text = re.sub(r"^ *```.*?^ *```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?<=\n\n)(?:    .*\n|\n)+", "\n", text))


def as_anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Of the headings; the second of the same name ends in -1."""
    text = re.sub(r"^ *```.*?^ *```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    names = [as_anchor(heading) for heading in re.findall(r"^#+ (.+?)\s*$", text, flags=re.MULTILINE)]
    return {name if not names[:number].count(name) else f"{name}-{names[:number].count(name)}" for number, name in enumerate(names)}


def links() -> list[tuple[Path, str]]:
    return [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)) if "://" not in link]


def commands() -> list[tuple[str, str, bool]]:
    """(page, command, whether its settings are loaded) of every line of code that calls this program."""
    found = []
    for page in WITH_COMMANDS:
        for language, text, before in code_blocks(page):
            if language in ("", "sh", "bash", "shell", "console") and before != NOT_CHECKED:
                for line in re.sub(r"\\\n\s*", " ", text).splitlines():
                    line = line.strip().removeprefix("$ ")
                    if re.match(r"(\./run\.sh|landmarks)(\s|$)|\S*(python|accelerate)\b.* -m landmarks\b(?!\.)", line):
                        found.append((page.name, line, before != NEEDS_DATA))
    return found


def arguments_of(command: str) -> list[str] | None:
    """The arguments that reach the command line of the package; None where run.sh itself does the work."""
    words = shlex.split(command, comments=True)
    if words[1:2] in (["test"], ["check"]):
        return None
    if "-m" in words:
        return words[words.index("-m") + 2 :]
    if words[0] == "landmarks":
        return words[1:]
    names_a_stage = len(words) > 1 and re.fullmatch(r"[a-z][a-z-]*|--help|-h", words[1])
    return words[1:] if names_a_stage else ["run", *words[1:]]


@pytest.fixture
def examples(monkeypatch, tmp_path):
    """The steps of one's own that the pages show can be imported: each is in the file that the line before it names."""
    names = []
    for page in WITH_COMMANDS:
        for _, text, before in code_blocks(page):
            named = re.findall(r"`(\w+)\.py`", before)
            if named and re.search(r"^class \w+\(Step\):", text, flags=re.MULTILINE):
                (tmp_path / f"{named[-1]}.py").write_text(text + "\n", encoding="utf-8")
                names.append(named[-1])
    monkeypatch.syspath_prepend(tmp_path)
    yield names
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def run_folder(tmp_path):
    """What the pages call outputs/mine."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text(as_yaml(load_config(ROOT / "configs/photos.yaml")), encoding="utf-8")
    return str(tmp_path / "mine")


def test_the_readme_fits_150_lines():
    assert len(read(README).splitlines()) <= 150


@pytest.mark.parametrize("page, link", links(), ids=lambda value: value.name if isinstance(value, Path) else value)
def test_every_link_leads_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def test_every_guide_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    assert {page.name for page in GUIDES} - {"README.md"} <= set(re.findall(r"\]\(([\w-]+\.md)\)", read(index)))


@pytest.mark.parametrize("page, command, loads", commands())
def test_every_command_is_accepted(page, command, loads, examples, monkeypatch, run_folder):
    monkeypatch.chdir(ROOT)
    arguments = arguments_of(command)
    if arguments is None:
        return
    arguments = [run_folder if word == "outputs/mine" else word for word in arguments]
    if {"--help", "-h"} & set(arguments):
        with pytest.raises(SystemExit, match="0"):
            parse(arguments)
        return
    typed = parse(arguments)
    if loads:
        load_config(typed.configuration, typed.settings, allow_code=typed.allow_code)


def test_the_steps_that_contributing_shows_can_be_run(tmp_path, monkeypatch):
    blocks = [text for _, text, _ in code_blocks(ROOT / "CONTRIBUTING.md") if "(Step):" in text]
    (tmp_path / "shown_steps.py").write_text("\n\n\n".join(blocks) + "\n", encoding="utf-8")
    names = re.findall(r"^class (\w+)\(Step\)", "\n".join(blocks), flags=re.MULTILINE)
    monkeypatch.syspath_prepend(tmp_path)
    test, index = (np.random.default_rng(rows).standard_normal((rows, 8)) for rows in (5, 40))
    ranking = rerank_arrays(test, index, chain=[f"shown_steps:{name}" for name in names], neighbours=20)
    sys.modules.pop("shown_steps")
    assert names == ["ShortLists", "FirstImages"] and ranking.indices.shape == (5, 10)


def test_every_piece_of_a_configuration_is_accepted(tmp_path):
    pieces = [
        text for page in WITH_COMMANDS for language, text, before in code_blocks(page) if language == "yaml" and before != NOT_CHECKED
    ]
    assert pieces
    for piece in pieces:
        path = tmp_path / "piece.yaml"
        path.write_text(piece, encoding="utf-8")
        load_config(path)


def test_the_sample_s_table_ends_with_the_chain_that_serves_it():
    """Its chain is no longer than it should be: no row above the last is better."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in read(README).splitlines() if line.startswith("    | ")][1:]
    steps = rows[-1][0].split("+")
    assert [row[0] for row in rows] == ["knn", *("+".join(steps[: n + 1]) for n in range(len(steps)))]
    read_chain([step.partition("(")[0] for step in steps])  # there are such steps
    for column in (1, 2):
        assert max(float(row[column]) for row in rows) == float(rows[-1][column])


def test_every_configuration_is_listed_and_every_listed_one_exists():
    listed = {name for page in (README, *GUIDES) for name in re.findall(r"configs/(\w+\.yaml)", read(page))}
    assert listed == {path.name for path in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_first_line_of_a_configuration_is_whole(path):
    """The page of settings shows this line alone."""
    assert read(path).splitlines()[0].startswith("# ") and read(path).splitlines()[0].endswith((".", "?"))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_command_in_the_head_of_a_configuration_is_accepted(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for line in re.sub(r"\\\n#\s*", " ", read(path)).splitlines():
        if line.startswith("#   ./run.sh "):
            command = re.split(r" {2,}", line.removeprefix("#   "))[0]  # what follows says what it does
            typed = parse(arguments_of(command))
            load_config(typed.configuration, typed.settings)


def test_the_page_of_settings_is_what_the_settings_say():
    spec = importlib.util.spec_from_file_location("make_configuration", ROOT / "docs" / "make_configuration.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert read(ROOT / "docs" / "configuration.md") == script.configuration_page(), "run docs/make_configuration.py"


def entries() -> dict[str, str]:
    """Anchor -> heading and text of every dated entry of EXPERIMENTS.md, and of "Not measured"."""
    parts = re.split(r"^## (.+)\n", read(EXPERIMENTS), flags=re.MULTILINE)[1:]
    found = {as_anchor(heading): f"{heading}\n{text}" for heading, text in zip(parts[::2], parts[1::2], strict=True)}
    return {name: text for name, text in found.items() if name not in ("claims", "contents")}


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)


def claims() -> list[list[str]]:
    """The cells of every row of the table of claims."""
    table = read(EXPERIMENTS).partition("## Claims")[2].partition("## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")][1:]


def test_the_contents_of_the_experiments_are_complete():
    contents = read(EXPERIMENTS).partition("## Contents")[2].partition("\n## ")[0]
    assert re.findall(r"\(#([\w-]+)\)", contents) == list(entries())


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim[0])
def test_every_claim_is_recorded(claim):
    _, claimed, recorded, entry = claim
    text = entries()[re.search(r"\(#([\w-]+)\)", entry)[1]]
    assert set(numbers(claimed)) <= set(numbers(read(README)))
    assert set(numbers(claimed if recorded == "the same" else recorded)) <= set(numbers(text))


def test_every_measured_number_of_the_readme_is_a_claim():
    text = re.sub(r"\]\([^)]*\)|https?://\S+", "", read(README).partition("## Licence")[0])
    said = {number for number in numbers(text) if "." in number} - {"3.11"}  # Python's version
    assert said <= {number for _, claimed, _, _ in claims() for number in numbers(claimed)}
