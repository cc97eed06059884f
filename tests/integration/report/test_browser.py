"""The page in a real browser: no complaint, no request, nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.runtime.home import Home
from tasks.compare.comparison import compare
from tasks.compare.page import write_comparison
from tasks.compare.side import read_side
from tasks.report.page import write_page
from tasks.report.view import Surroundings
from tests.cards import as_card
from tests.integration.report.browser import CHROMIUM, Browser
from tests.unit.report.made import (
    CARD,
    contact_sheet,
    crowned,
    made_home,
    made_regression,
    made_study,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

PLOTS = {"reliability", "history", "curves", "parallel", "confusion", "plane"} | {
    f"slice-{index}" for index in range(3)
}
DRAWN = """[...document.querySelectorAll('.plot')]
    .filter(plot => plot.querySelector('.scatterlayer path, .heatmaplayer image'))
    .map(plot => plot.id).join()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with a champion and failures."""
    home = made_home(tmp_path_factory.mktemp("home"))
    record = crowned(home, made_study(home, trials=24))
    return write_page(record, Surroundings(card=as_card(CARD), contact_sheet=contact_sheet()))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("width", [1280, 390, 320], ids=["desk", "phone", "small phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_drawn_without_complaint_or_request(
    page: Path, browser: Browser, width: int, dark: bool
) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(page, width=width, dark=dark)
    assert set(browser.value(DRAWN).split(",")) == PLOTS
    assert browser.complaints == []
    others = [url for url in browser.requests if not url.startswith(("data:", page.as_uri()))]
    assert others == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(17, 19, 23)" if dark else "rgb(246, 246, 244)"
    )


OUTSIDE = """[...document.querySelectorAll('.plot, .main-svg, table, ul, dl, pre, img')]
    .filter(each => !each.closest('.scroll') && !each.closest('.columns'))
    .filter(each => each.getBoundingClientRect().width)
    .filter(each => {
        const card = (each.closest('section') || document.body).getBoundingClientRect();
        const box = each.getBoundingClientRect();
        return box.right > card.right || box.left < card.left;
    }).map(each => each.tagName + each.id).join()"""


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_nothing_leaves_its_card_on_a_narrow_screen(
    kind: str, page: Path, browser: Browser, tmp_path: Path
) -> None:
    path = page if kind == "classification" else write_page(made_regression(made_home(tmp_path)))
    browser.open(path, width=1280)
    for width in (390, 320):  # narrowed while it is open
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=844, deviceScaleFactor=1, mobile=True,
        )  # fmt: skip
        assert browser.wait(f"document.documentElement.clientWidth === {width}", 10)
        assert browser.wait(f"{OUTSIDE} === ''", 10), browser.value(OUTSIDE)


def test_plots_follow_the_colour_scheme(page: Path, browser: Browser) -> None:
    line = "document.getElementById('curves').data.at(-1).line.color"
    browser.open(page, width=1280)
    light = browser.value(line)
    scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.call("Emulation.setEmulatedMedia", features=scheme)
    assert browser.wait(f"{line} !== {light!r}")


def test_the_rest_of_the_leaderboard_is_one_click_away(page: Path, browser: Browser) -> None:
    shown = "[...document.querySelectorAll('#board tbody tr')].filter(r => r.offsetHeight).length"
    browser.open(page, width=1280)
    assert browser.value(shown) == 20
    browser.value("document.getElementById('more').click()")
    assert browser.value(shown) == 24


def test_without_scripts_everything_but_the_plots_is_there(page: Path, browser: Browser) -> None:
    browser.complaints.clear()
    browser.open(page, width=1280, script=False)
    assert "The plots need JavaScript" in browser.value("document.body.innerText")
    assert "models:/digits@champion" in browser.value("document.body.innerText")


def test_a_comparison_is_drawn_without_complaint_too(page: Path, browser: Browser) -> None:
    home = Home.open(page.parent.parent)
    browser.complaints.clear()
    compared = write_comparison(compare(read_side(home, "digits/0"), read_side(home, "digits/1")))
    browser.open(compared, width=390)
    assert set(browser.value(DRAWN).split(",")) == {"intervals", "course"}
    assert browser.complaints == []
    assert browser.value("document.documentElement.scrollWidth") <= 390
