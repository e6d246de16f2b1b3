"""The barrier gallery: what a store of a reference costs under each collector's barrier, on the same program: `goalloc experiment barrier-gallery`.

    alone       one thread, objects that stay in its cache         wide     one thread, 2,000 objects, which do not
    shared      four threads, the same eight objects               apart    four threads, eight objects each

A program of mutator_graph.py (`shared`) stores references into an object of its own. Cycles: of a store, with the program around it. Lines: that came
from another core's cache, where they had been written. What each barrier writes: a colour and a grey object (dijkstra, yuasa, hybrid), a byte of the card
table, an entry of the remembered set, counts of two objects.
"""

from goalloc.programs.criteria import run

BARRIERS = {
    "none": "no barrier",
    "off": "off",
    "dijkstra": "dijkstra",
    "yuasa": "yuasa",
    "hybrid": "hybrid",
    "cards": "card-marking",
    "remembered set": "generational",
    "counts": "counts",
    "atomic counts": "counts-atomic",
    "deferred counts": "deferred",
    "deferred, atomic": "deferred-atomic",
}
WRONG = ("counts", "deferred counts")  # where threads share objects: additions are lost, and what lives is freed
SCENES = {
    "alone": {"threads": 1, "objects": 8},
    "wide": {"threads": 1, "objects": 2000},
    "apart": {"threads": 4, "objects": 8, "own": True},
    "shared": {"threads": 4, "objects": 8},
}
STORES, FEW = 4_000, 1_000  # of a thread; the difference is without what it takes to begin
HEAP = "2MiB"


def cost(collector, scene, seed=0, config=None):
    """(cycles, lines) of a store."""
    many, few = (run("shared", collector, HEAP, seed, config, stores=n, **SCENES[scene]) for n in (STORES, FEW))
    lines = [sum(core["interventions_hit_modified"] for core in result.counters["cores"]) for result in (many, few)]
    n = STORES - FEW
    return (many.cycles - few.cycles) / n, (lines[0] - lines[1]) / (n * SCENES[scene]["threads"])


def barrier_gallery(seed=0):
    rows = []
    for name, collector in BARRIERS.items():
        found = {scene: cost(collector, scene, seed) for scene in SCENES if scene != "shared" or name not in WRONG}
        cells = [[round(found[scene][of], digits) + 0.0 if scene in found else None for scene in SCENES] for of, digits in ((0, 1), (1, 2))]
        rows.append([name, *cells[0], *cells[1][2:]])
    return ["barrier", *SCENES, "lines, apart", "lines, shared"], rows


TABLES = {"barrier-gallery": barrier_gallery}
