"""Blocks into one HTML file.

    head      the policy: nothing is fetched, no script runs but the one whose hash stands there
    style     page.css
    data      JSON, in which < > & and all that is not ASCII are escaped: no name ends the element it stands in
    script    page.js, which makes elements and text of the data, and never markup

Names come from files, and files from anybody: characters that would reverse the reading direction or set a terminal's colours are spelt out
(hwmem/printable.py) before they get here.
"""

import base64
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path

from hwmem import __version__
from hwmem.printable import printable

HERE = Path(__file__).resolve().parent
UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
FORMAT = 1  # of the data in the page


def document(title, sections, subtitle="", command="", headline="", about=(), links=()):
    """The page as text.

    `sections`: blocks.section(...), None among them left out; `headline`: the answer, in a sentence; `subtitle`: what it is about;
    `command`: what makes it again; `about`: (name, value) of how it was made; `links`: (text, address) to pages beside this one.
    """
    data = {
        "format": FORMAT,
        "title": title,
        "subtitle": subtitle,
        "command": command,
        "headline": headline,
        "about": [[name, str(value)] for name, value in about],
        "links": [list(link) for link in links],
        "sections": [section for section in sections if section],
        "version": __version__,
    }
    style, script = asset("page.css"), asset("page.js")
    policy = f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(printable(title))}</title>\n"
        f"<style>{style}</style></head>\n"
        "<body><noscript>This page draws its data by a script of its own, and scripts are off here.</noscript>\n"
        f'<script type="application/json" id="data">{embedded(data)}</script>\n'
        f"<script>{script}</script>\n"
        "</body></html>\n"
    )


@cache
def asset(name):
    return (HERE / name).read_text(encoding="utf-8")


def hashed(text):
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def embedded(data):
    """JSON that can stand in a script element."""
    return json.dumps(shown(data), separators=(",", ":"), allow_nan=False).translate(UNSAFE)


def shown(data):
    """The same with every string as it may be shown, and what is no number as nothing."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {printable(name): shown(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [shown(value) for value in data]
    if isinstance(data, float):
        return None if data != data or data in (float("inf"), float("-inf")) else float(f"{data:.6g}")
    return data
