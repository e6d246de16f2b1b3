"""Results as pages: one self-contained HTML file each, which makes no network requests.

    a Result ── plain functions ── blocks (blocks.py) ── JSON ──┐
                answer, coherence, counts, memory               ├── document.py ── one file
                                       page.css, page.js ───────┘     page.js draws each block from its data

    page(result)          a run                        comparison(a, b, difference)      two
    document(...)         whatever else becomes a page, of tiles, tables, charts and pictures

A block with nothing to show is not made: a page has no empty sections.
"""

from hwmem.page.compare import comparison
from hwmem.page.document import document
from hwmem.page.run import page
