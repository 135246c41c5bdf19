"""What a paper shows is what was measured, and LaTeX can read it."""

from landmarks.ablation.latex import comparisons_as_latex, escaped
from landmarks.ablation.words import COLUMNS

HEADINGS = ("private", "public")
LONG = "+ insert(neighbours=5,threshold=0.71)"
# As of comparison_cells: label, measures, change, interval, helped, hurt, against, seconds, in all, MB.
SECTIONS = {
    "the chain": [
        ["knn", "22.63", "22.47", "", "", "", "", "", "3.85", "3.85", ""],
        [LONG, "31.00", "30.50", "+8.12", "+7.00 to +9.25", "12", "3", "knn", "0.50", "4.35", "691"],
    ],
    "mine | yours": [["+ sort", "", "40.00", "-0.50", "-1.00 to +0.00", "0", "1", "knn", "", "5.00", "700"]],
}


def rows(text):
    """The cells of the lines between the rules."""
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0]
    return [[cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in body.splitlines() if "addlinespace" not in line]


def test_every_row_has_its_numbers_and_every_section_its_heading():
    text = comparisons_as_latex(SECTIONS, HEADINGS, "mAP@100 in %")
    assert "\\caption{mAP@100 in \\%}" in text and "\\begin{tabular}{lrrrrrr}" in text
    assert " & private & public & change & 95 \\% interval & seconds & in all \\\\\n\\midrule" in text
    found = rows(text)
    assert found[0] == ["\\multicolumn{7}{l}{\\emph{the chain}}"] and found[3] == ["\\multicolumn{7}{l}{\\emph{mine | yours}}"]
    assert found[1] == ["knn", "22.63", "22.47", "", "", "3.85", "3.85"]
    assert found[2] == [escaped(LONG), "31.00", "30.50", "$+8.12$", "$+7.00$ to $+9.25$", "0.50", "4.35"]
    assert found[4] == ["+ sort", "", "40.00", "$-0.50$", "$-1.00$ to $+0.00$", "", "5.00"]


def test_one_section_needs_no_heading():
    text = comparisons_as_latex({"the chain": SECTIONS["the chain"]}, HEADINGS, "")
    assert "multicolumn" not in text and text.count("\\\\\n") == 3


def test_special_characters_are_printed():
    assert escaped(r"a_b & 5 % {x} $ # ~ ^ \ ") == r"a\_b \& 5 \% \{x\} \$ \# \textasciitilde{} \textasciicircum{} \textbackslash{} "
    assert set(COLUMNS) >= {"change", "seconds", "in all"}
