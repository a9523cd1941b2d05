"""The page's colours can be read: WCAG's contrast of text and of lines, light and dark."""

import re

import pytest

from tests.monitoring.grafana_dashboard import MONITORING

STYLE = (MONITORING / "page/style.css").read_text()
# WCAG 2.1, 1.4.3 and 1.4.11.
TEXT, GRAPHICS = 4.5, 3.0
STATES = ("good", "warn", "bad", "unknown")
PAIRS = [
    *(("ink", ground, TEXT) for ground in ("ground", "surface", "inset", *(f"{state}-ground" for state in STATES))),
    *(("muted", ground, TEXT) for ground in ("ground", "surface", "inset", *(f"{state}-ground" for state in STATES))),
    *((state, "surface", TEXT) for state in STATES),
    *((state, f"{state}-ground", TEXT) for state in STATES),
    ("accent", "surface", TEXT),
    ("accent", "ground", TEXT),
    *((f"line-{number}", "surface", GRAPHICS) for number in range(1, 9)),
    ("flow", "surface", GRAPHICS),
]


def colours(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_of_black_and_white_is_the_largest() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_both_schemes_have_the_same_colours() -> None:
    assert colours("light").keys() == colours("dark").keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_colour_can_be_read_on_its_ground(scheme: str, front: str, ground: str, least: float) -> None:
    found = contrast(colours(scheme)[front], colours(scheme)[ground])

    assert found >= least, f"{front} on {ground}: {found:.2f}"
