"""The page in a real browser, at the widths of a phone and of a desktop; where none is installed, these are skipped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from landmarks.gallery.chart import bar_chart
from landmarks.gallery.page import Example, Shown, page, table

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
LONG = "my_module:MyStep(threshold=0.75,neighbours=100,power=3.0,weight=0.5,rounds=12)"
STEPS = ["knn", "+ discriminate", "+ add_labels", "+ augment_database", "+ expand_query", f"+ {LONG}"]
# In a frame of the wanted width, since a window has a narrowest width of its own; boxes are [left, right, what it shows].
MEASURE = """
<script>
const frame = document.createElement("iframe");
frame.style.cssText = "width: %dpx; height: 900px; border: 0";
frame.srcdoc = %s;
frame.onload = () => {
  const page = frame.contentDocument, boxes = [];
  for (const one of page.querySelectorAll(".name, .legend, .chart text, h1, h2, h3, p, .scroll, .chain, .ranking, .query > figure"))
    { const box = one.getBoundingClientRect(); boxes.push([box.left, box.right, one.textContent.slice(0, 40)]); }
  const first = page.querySelector("td:nth-child(2)").getBoundingClientRect();
  const style = frame.contentWindow.getComputedStyle(page.body);
  document.body.textContent = JSON.stringify({width: page.documentElement.clientWidth, scrolls: page.documentElement.scrollWidth, boxes,
    first: [first.left, first.right], back: style.backgroundColor, ink: style.color});
};
document.body.append(frame);
</script>
"""


def shown(folder, width, *options):
    """What the browser makes of a page with everything on it, in a frame of that many pixels."""
    series = {name: [50.0 + n for n in range(len(STEPS))] for name in ("private", "public")} | {"R@1": [100.0] * len(STEPS)}
    images = [Shown(f"{n:016d}", "right", 0.5, None) for n in range(10)]
    blocks = [
        table("mAP@100, percent", ["chain", "private", "public", "seconds in all"], [[name, "1.00", "2.00", "3.00"] for name in STEPS]),
        bar_chart(STEPS, series),
        table("By group", ["group", "queries", *STEPS], [["x" * 60, "5", *["50.00"] * len(STEPS)]]),
    ]
    example = Example("q" * 80, f"AP 1.0 → 2.0 · {'group' * 20}", None, {"knn": images, " + ".join(["discriminate", LONG, LONG]): images})
    text = page("Landmark retrieval: " + "run" * 40, blocks, {"Most gained": [example]})
    measured = folder / "measured.html"
    script = MEASURE % (width, json.dumps(text).replace("</", "<\\/"))
    measured.write_text("<!DOCTYPE html><body>" + script, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", *options)
    done = subprocess.run([BROWSER, *options, "--dump-dom", measured.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(unescape(re.search(r"<body>(\{.*\})</body>", done.stdout, flags=re.DOTALL)[1]))


@pytest.mark.parametrize("width", [320, 400, 1400])
def test_nothing_is_outside_the_page_and_the_page_does_not_scroll_sideways(tmp_path, width):
    seen = shown(tmp_path, width)
    assert width - 20 <= seen["width"] <= width and seen["scrolls"] == seen["width"]
    for left, right, what in seen["boxes"]:
        assert left >= 0 and right <= seen["width"], what
    assert seen["first"][0] >= 0 and seen["first"][1] <= seen["width"], "a number is in sight"


@pytest.mark.parametrize(("scheme", "is_dark"), [(0, True), (1, False)])
def test_light_and_dark_follow_the_system(tmp_path, scheme, is_dark):
    seen = shown(tmp_path, 400, f"--blink-settings=preferredColorScheme={scheme}")
    back, ink = (sum(map(int, re.findall(r"\d+", seen[name])[:3])) for name in ("back", "ink"))
    assert (back < ink) == is_dark
